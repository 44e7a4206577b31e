package nethttp_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// A logout ends the session, also while the store is down: this node then no longer
// accepts its cookies.
func TestLogout_EndsTheSession(t *testing.T) {
	for _, c := range []struct {
		name     string
		kind     guardtest.Kind
		method   string
		down     bool
		status   int
		location string
		cookies  string
		copied   int // the status that a copy of the cookies gets afterwards
	}{
		{"page", pageLoad, "POST", false, 303, "/bye", "clear", 303},
		{"program", fetch, "POST", false, 204, "", "clear", 303},
		{"htmx", viaHTMX, "POST", false, 204, "/bye", "clear", 303},
		{"page, store down", pageLoad, "POST", true, 303, "/bye?logout=pending", "clear", 503},
		{"program, store down", fetch, "POST", true, 204, "", "clear", 503},
		{"htmx, store down", viaHTMX, "POST", true, 204, "/bye?logout=pending", "clear", 503},
		{"a link", pageLoad, "GET", false, 405, "", "", 200},
	} {
		inApp(t, nethttp.Config{}, func(a *app) {
			b := a.client(pageLoad).LogIn("ada")
			copied := b.Copied()
			expire()
			if c.down {
				a.Store.Fail(errDown)
			}
			rec := b.As(c.kind).Send(c.method, "/logout?next=/bye", "")
			to := rec.Header().Get("Location") + rec.Header().Get("HX-Redirect")
			if rec.Code != c.status || to != c.location || cookiesOf(rec) != c.cookies {
				a.Errorf("%s: %d to %q, cookies %q", c.name, rec.Code, to, cookiesOf(rec))
			}
			a.Store.Fail(nil)
			if rec := copied.Send("GET", "/account", ""); rec.Code != c.copied {
				a.Errorf("%s: a copy of the cookies gets %d; want %d", c.name, rec.Code, c.copied)
			}
		})
	}
}

// The answer to a logout has exactly these headers. Without a valid "next" the client
// is sent to the configured login page.
func TestLogout_SendsEachClientOn(t *testing.T) {
	provider := func(r *http.Request) string { // the session is still there
		s, _ := session.FromContext(r.Context())
		return "https://id.test/logout?user=" + s.UserID
	}
	nowhere := func(*http.Request) string { return "" }
	for _, c := range []struct {
		cfg         nethttp.Config
		query, form string
		to          string
		down        bool
	}{
		{cfg: nethttp.Config{}, to: "/login"},
		{cfg: nethttp.Config{LoginPath: "/signin"}, to: "/signin"},
		{cfg: nethttp.Config{}, query: "?next=/bye", to: "/bye"},
		{cfg: nethttp.Config{}, form: "next=/bye", to: "/bye"},
		{cfg: nethttp.Config{}, query: "?next=//evil.test", to: "/login"},
		{cfg: nethttp.Config{}, query: "?next=/logout", to: "/login"},
		{cfg: nethttp.Config{}, query: "?next=/", to: "/"},
		{cfg: nethttp.Config{}, query: "?next=/bye", to: "/bye?logout=pending", down: true},
		{cfg: nethttp.Config{}, query: "?next=/bye?a=b", to: "/bye?a=b&logout=pending", down: true},
		{cfg: nethttp.Config{}, form: "next=/bye%23part", to: "/bye?logout=pending#part", down: true},
		{cfg: nethttp.Config{}, form: "next=/bye%3Fa%3Db%23part%3F", to: "/bye?a=b&logout=pending#part?", down: true},
		{cfg: nethttp.Config{}, form: "next=/bye%23part", to: "/bye#part"},
		{cfg: nethttp.Config{}, query: "?next=//evil.test", to: "/login?logout=pending", down: true},
		{cfg: nethttp.Config{LoginPath: "/signin"}, to: "/signin?logout=pending", down: true},
		{cfg: nethttp.Config{LogoutURL: provider}, query: "?next=/bye", to: "https://id.test/logout?user=ada"},
		{cfg: nethttp.Config{LogoutURL: provider}, to: "https://id.test/logout?user=ada", down: true},
		{cfg: nethttp.Config{LogoutURL: nowhere}, query: "?next=/bye", to: "/bye"},
	} {
		for kind, headers := range kinds {
			inApp(t, c.cfg, func(a *app) {
				b := a.client(headers)
				v, err := a.Sessions.Issue(httptest.NewRequest("POST", "/", nil), session.Login{UserID: "ada"})
				if err != nil {
					a.Fatal(err)
				}
				b.Receive(v.Cookies)
				if c.down {
					a.Store.Fail(errDown)
				}
				rec := b.Send("POST", "/logout"+c.query, c.form)
				status, want := http.StatusNoContent, http.Header{"Vary": {"Cookie"}, "Cache-Control": {"no-store"}, "Clear-Site-Data": {`"prefetchCache", "prerenderCache"`}}
				switch kind {
				case "page":
					status = http.StatusSeeOther
					want.Set("Location", c.to)
				case "htmx":
					want.Set("HX-Redirect", c.to)
				}
				got := rec.Header().Clone()
				got.Del("Set-Cookie")
				if rec.Code != status || !reflect.DeepEqual(got, want) || rec.Body.Len() != 0 || cookiesOf(rec) != "clear" {
					a.Errorf("%s%s %q, %s: %d, cookies %q, with\n%v\nwant %d with\n%v", c.cfg.LoginPath, c.query, c.form, kind, rec.Code, cookiesOf(rec), got, status, want)
				}
			})
		}
	}
}

// The store cannot be told of a logout. The app sees that, once, and so does the page. This
// node refuses the session, and Run tells the store when it is back. If the process ends
// before that, nobody remembers the logout, and a cookie that was copied before it is good
// again: Config.OnLogoutError says so.
func TestLogout_InAnOutageIsToldToTheApp(t *testing.T) {
	for name, restarts := range map[string]bool{"Run goes on": false, "the process restarts": true} {
		var told []error
		var of string
		cfg := nethttp.Config{OnLogoutError: func(r *http.Request, err error) {
			told, of = append(told, err), r.Method+" "+r.URL.Path
		}}
		inApp(t, cfg, func(a *app) {
			run, stop := context.WithCancel(a.Context())
			defer stop()
			ended := make(chan struct{})
			go func() { defer close(ended); _ = a.Sessions.Run(run) }()

			b := a.client(pageLoad).LogIn("ada")
			copied := b.Copied()
			a.Store.Fail(errDown)
			rec := b.Send("POST", "/logout", "")
			if rec.Code != 303 || rec.Header().Get("Location") != "/login?logout=pending" || len(b.Kept()) != 0 {
				a.Errorf("%s: %d to %q, cookies %v left", name, rec.Code, rec.Header().Get("Location"), b.Kept())
			}
			if len(told) != 1 || !errors.Is(told[0], session.ErrStoreUnavailable) || !errors.Is(told[0], errDown) || of != "POST /logout" {
				a.Errorf("%s: OnLogoutError got %v of %q; want one ErrStoreUnavailable of the request", name, told, of)
			}
			if rec := copied.Send("GET", "/account", ""); rec.Code != 503 {
				a.Errorf("%s: a copy of the cookies gets %d in the outage; want 503", name, rec.Code)
			}
			want := http.StatusSeeOther
			if restarts {
				want = http.StatusOK
				stop()
				<-ended
				again, err := nethttp.New(guardtest.NewManager(a, a.Store), nethttp.Config{})
				if err != nil {
					a.Fatal(err)
				}
				copied = copied.At(again.Protect(a.mux))
			}
			a.Store.Fail(nil)
			time.Sleep(10 * time.Second)
			if rec := copied.Send("GET", "/account", ""); rec.Code != want {
				a.Errorf("%s: a copy of the cookies gets %d after the outage; want %d", name, rec.Code, want)
			}
			stop()
			<-ended
		})
	}
}

// A logout that the store has been told of, or that is refused, says nothing.
func TestLogout_ThatSucceedsOrIsRefusedIsNoError(t *testing.T) {
	cfg := nethttp.Config{OnLogoutError: func(_ *http.Request, err error) { t.Errorf("OnLogoutError is called: %v", err) }}
	inApp(t, cfg, func(a *app) {
		b := a.client(pageLoad).LogIn("ada")
		if rec := b.Send("POST", "/logout", ""); rec.Header().Get("Location") != "/login" {
			a.Errorf("a logout leads to %q; want /login", rec.Header().Get("Location"))
		}
		b.LogIn("ada")
		a.Store.Fail(errDown)
		if rec := b.Send("POST", "/logout", "", "Sec-Fetch-Site", "cross-site"); rec.Code != 403 {
			a.Errorf("a logout of another site: %d; want 403", rec.Code)
		}
		if rec := b.Send("GET", "/logout", ""); rec.Code != 405 {
			a.Errorf("a logout by a link: %d; want 405", rec.Code)
		}
	})
}

// Pages that the browser has loaded in advance show the user of a moment ago. Login and
// logout answers make it drop them, and neither cookies nor other caches.
func TestGuard_LoginAndLogoutDropPagesLoadedInAdvance(t *testing.T) {
	want := []string{`"prefetchCache", "prerenderCache"`}
	inApp(t, nethttp.Config{Public: []string{"/both"}}, func(a *app) {
		a.handle("POST /both", func(w http.ResponseWriter, r *http.Request) {
			if a.issue(w, r, session.Login{UserID: "ada"}) {
				a.guard.Logout(w, r)
			}
		})
		b := a.client(pageLoad)
		for _, c := range []struct {
			method, path string
			status       int
			want         []string
		}{
			{"POST", "/login", 303, want},
			{"GET", "/account", 200, nil},
			{"GET", "/logout", 405, nil},
			{"POST", "/logout", 303, want},
			{"POST", "/logout", 303, want},
			{"GET", "/account", 303, nil},
			{"POST", "/both", 303, want},
		} {
			if rec := b.Send(c.method, c.path, "user=ada"); rec.Code != c.status || !slices.Equal(rec.Header()["Clear-Site-Data"], c.want) {
				a.Errorf("%s %s: %d, Clear-Site-Data %q; want %d, %q", c.method, c.path, rec.Code, rec.Header()["Clear-Site-Data"], c.status, c.want)
			}
		}
		if rec := b.Send("POST", "/login", "user=unknown"); rec.Code != 403 || len(rec.Header()["Clear-Site-Data"]) != 0 {
			a.Errorf("a refused login: %d, Clear-Site-Data %q; want 403, none", rec.Code, rec.Header()["Clear-Site-Data"])
		}
	})
}

// Other methods are refused with an Allow header (RFC 9110, section 15.5.6). They
// cause no statement and end no session.
func TestLogout_AllowsPostOnly(t *testing.T) {
	for name, kind := range kinds {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"} {
			inApp(t, nethttp.Config{}, func(a *app) {
				b := a.client(kind).LogIn("ada")
				before := a.Store.Calls()
				rec := b.Send(method, "/logout", "")
				if rec.Code != http.StatusMethodNotAllowed || !slices.Equal(rec.Header()["Allow"], []string{"POST"}) {
					a.Errorf("%s, %s: %d, Allow %q; want 405, POST", name, method, rec.Code, rec.Header()["Allow"])
				}
				if cookiesOf(rec) != "" || a.Store.Calls() != before {
					a.Errorf("%s, %s: cookies %q, %d statements; want none", name, method, cookiesOf(rec), a.Store.Calls()-before)
				}
				if got := b.Send("GET", "/account", "").Body.String(); got != "ada" {
					a.Errorf("%s, %s: the user is %q afterwards", name, method, got)
				}
				if rec := b.Send("POST", "/logout", ""); len(rec.Header()["Allow"]) != 0 || len(b.Kept()) != 0 {
					a.Errorf("%s, POST: %d, Allow %q, cookies %v left", name, rec.Code, rec.Header()["Allow"], b.Kept())
				}
			})
		}
	}
}

// Guards that run after Logout in the same request see no session.
func TestLogout_LaterGuardsOfTheRequestSeeNoSession(t *testing.T) {
	inApp(t, nethttp.Config{Public: []string{"/leave"}}, func(a *app) {
		a.handle("POST /leave", func(w http.ResponseWriter, r *http.Request) {
			core := guardCore(a)
			w, r, refusal := core.Logout(w, r)
			if refusal != nil {
				a.Error(refusal)
			}
			if s, ok := session.FromContext(r.Context()); ok {
				a.Errorf("after Logout the handler sees %q", s.UserID)
			}
			for name, need := range map[string]nethttp.Requirement{
				"a session":      {},
				"a role":         {Roles: []string{"staff"}},
				"a recent login": {Recent: time.Hour},
				"a live session": {Live: true},
			} {
				if _, _, refusal := core.Admit(httptest.NewRecorder(), r, need); refusal == nil {
					a.Errorf("after Logout, a guard that requires %s admits the request", name)
				}
			}
			_, r, _ = core.Admit(w, r, nethttp.Requirement{Public: true})
			if s, ok := session.FromContext(r.Context()); ok {
				a.Errorf("after Logout, Identify finds %q", s.UserID)
			}
			w.WriteHeader(http.StatusNoContent)
		})
		if rec := a.client(fetch).LogIn("ada").Send("POST", "/leave", ""); rec.Code != http.StatusNoContent || cookiesOf(rec) != "clear" {
			a.Errorf("%d, cookies %q; want a logout", rec.Code, cookiesOf(rec))
		}
	})
}

// guardCore returns a Core for the app's sessions, as a guard of another framework
// has one.
func guardCore(a *app) *nethttp.Core {
	a.Helper()
	core, err := nethttp.NewCore(a.Sessions, nethttp.CoreConfig{})
	if err != nil {
		a.Fatal(err)
	}
	return core
}

// The route of the logout has no guard before it, so the Core finds the session for LogoutURL.
func TestLogout_LogoutURLKnowsTheSession(t *testing.T) {
	cfg := nethttp.Config{LogoutURL: func(r *http.Request) string {
		if s, ok := session.FromContext(r.Context()); ok {
			return "https://id.test/logout?user=" + s.UserID
		}
		return ""
	}}
	for name, c := range map[string]struct {
		before func(a *app, b *guardtest.Client)
		to     string
	}{
		"a good access cookie":                    {func(*app, *guardtest.Client) {}, "https://id.test/logout?user=ada"},
		"an expired access cookie":                {func(_ *app, b *guardtest.Client) { b.ExpireAccess() }, "https://id.test/logout?user=ada"},
		"no cookies":                              {func(_ *app, b *guardtest.Client) { b.Delete(func(string) bool { return true }) }, "/login"},
		"a session that is over":                  {func(a *app, _ *guardtest.Client) { _ = a.Sessions.RevokeUser(a.Context(), "ada") }, "/login"},
		"an expired access cookie, and no answer": {func(a *app, b *guardtest.Client) { b.ExpireAccess(); a.Store.Fail(errDown) }, "/login?logout=pending"},
	} {
		inApp(t, cfg, func(a *app) {
			b := a.client(kinds["page"])
			b.Login(a.T, a.Sessions, session.Login{UserID: "ada"})
			c.before(a, b)
			rec := b.Send("POST", "/logout", "")
			if got := rec.Header().Get("Location"); rec.Code != http.StatusSeeOther || got != c.to {
				a.Errorf("%s: %d to %q; want a 303 to %q", name, rec.Code, got, c.to)
			}
			if got := cookiesOf(rec); got != "clear" {
				a.Errorf("%s: the cookies are %q", name, got)
			}
		})
	}
}
