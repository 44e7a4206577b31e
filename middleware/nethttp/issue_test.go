package nethttp_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// Each field of the Login reaches the Manager, also a zero one.
func TestIssue_PassesTheWholeLoginOn(t *testing.T) {
	const others = 19 // a user may have 20 sessions: the second further login ends the oldest
	for _, c := range []struct {
		name   string
		login  session.Login
		status int
		maxAge int // of the refresh cookie, in seconds
		live   int // sessions of ada after two such logins
	}{
		{"a login", session.Login{UserID: "ada"}, 204, 1800, others + 1},
		{"Remember", session.Login{UserID: "ada", Remember: true}, 204, 30 * 24 * 3600, others + 1},
		{"NonInteractive", session.Login{UserID: "ada", NonInteractive: true}, 204, 1800, others + 2},
		{"the user's epoch", session.Login{UserID: "ada", Epoch: 4}, 204, 1800, others + 1},
		{"an older epoch", session.Login{UserID: "ada", Epoch: 3}, 403, 0, others},
	} {
		inApp(t, nethttp.Config{Public: []string{"/in"}}, func(a *app) {
			a.Users.SetUser("ada", store.User{Epoch: 4})
			a.handle("POST /in", func(w http.ResponseWriter, r *http.Request) {
				if a.issue(w, r, c.login) {
					w.WriteHeader(http.StatusNoContent)
				}
			})
			for range others {
				a.client(pageLoad).LogIn("ada")
				time.Sleep(time.Second) // so that one session is the oldest
			}
			for range 2 {
				time.Sleep(time.Second)
				rec := a.client(pageLoad).Send("POST", "/in", "")
				cookies := rec.Result().Cookies()
				if rec.Code != c.status || (cookiesOf(rec) == "login") != (c.status == 204) || c.status == 204 && cookies[1].MaxAge != c.maxAge || c.status != 204 && len(cookies) != 0 {
					a.Errorf("%s: %d, cookies %v; want %d, and a refresh cookie for %d s", c.name, rec.Code, cookies, c.status, c.maxAge)
				}
			}
			if n := len(a.LiveSessions(a)); n != c.live {
				a.Errorf("%s: %d sessions are live; want %d", c.name, n, c.live)
			}
		})
	}
}

// The error of Issue is a *Refusal with its cause. WriteError answers with it in the
// form that suits the client.
func TestIssue_ReturnsARefusalWithItsCause(t *testing.T) {
	for _, c := range []struct {
		name   string
		down   bool
		login  session.Login
		kind   guardtest.Kind
		status int
		text   string
		cause  error // nil: see says
		says   string
		retry  string
	}{
		{"a disabled user", false, session.Login{UserID: "gone"}, pageLoad, 403, "This account cannot log in.", session.ErrUserDisabled, "", ""},
		{"an unknown user", false, session.Login{UserID: "unknown"}, pageLoad, 403, "This account cannot log in.", session.ErrUserDisabled, "", ""},
		{"an older epoch", false, session.Login{UserID: "ada", Epoch: 7}, fetch, 403, "This account cannot log in.", session.ErrUserDisabled, "", ""},
		{"a user who does not fit", false, session.Login{UserID: "big"}, pageLoad, 500, "This account cannot be logged in: please tell us.", session.ErrTooLarge, "", ""},
		{"the store is down", true, session.Login{UserID: "ada"}, viaHTMX, 503, unavailableText, errDown, "", "2"},
		{"another site", false, session.Login{UserID: "ada"}, guardtest.Kind{"Sec-Fetch-Site": "cross-site"}, 403, "This request came from another site.", nil, "cross-origin", ""},
	} {
		inApp(t, nethttp.Config{}, func(a *app) {
			a.Users.SetUser("gone", store.User{Disabled: true})
			a.Users.SetUser("big", store.User{Attrs: map[string]string{"x": strings.Repeat("y", 5000)}})
			if c.down {
				a.Store.Fail(errDown)
			}
			var err error
			unguarded := func(w http.ResponseWriter, r *http.Request) {
				err = a.guard.Issue(w, r, c.login)
				a.guard.WriteError(w, r, err)
			}
			b := a.client(c.kind).At(http.HandlerFunc(unguarded))
			rec := b.Send("POST", "/login", "")
			refusal, ok := errors.AsType[*nethttp.Refusal](err)
			if !ok || refusal.Status != c.status || refusal.Text != c.text {
				a.Fatalf("%s: Issue returns %v; want a *Refusal with %d %q", c.name, err, c.status, c.text)
			}
			if c.cause != nil && !errors.Is(err, c.cause) || !strings.Contains(err.Error(), c.says) || refusal.Err == nil {
				a.Errorf("%s: the cause is %v; want %v %s", c.name, refusal.Err, c.cause, c.says)
			}
			if rec.Code != c.status || rec.Header().Get("Retry-After") != c.retry || rec.Header().Get("Cache-Control") != "no-store" || cookiesOf(rec) != "" || !strings.Contains(rec.Body.String(), c.text) {
				a.Errorf("%s: answered %d %s, headers %v; want %d, no-store, no cookies", c.name, rec.Code, rec.Body, rec.Header(), c.status)
			}
		})
	}
}

// Guards that run after Issue in the same request decide about the new session.
func TestIssue_LaterGuardsOfTheRequestSeeTheNewUser(t *testing.T) {
	for _, before := range []string{"", "ada"} {
		inApp(t, nethttp.Config{Public: []string{"/switch"}}, func(a *app) {
			page := behind(who, a.guard.RequireLive, a.guard.RequireRecentLogin(time.Second), a.guard.RequireRole("admin"))
			a.handle("POST /switch", func(w http.ResponseWriter, r *http.Request) {
				if a.issue(w, r, session.Login{UserID: "grace"}) {
					page.ServeHTTP(w, r)
				}
			})
			b := a.client(fetch)
			if before != "" {
				b.LogIn(before)
				expire()
			}
			rec := b.Send("POST", "/switch", "")
			if rec.Code != http.StatusOK || rec.Body.String() != "grace" || cookiesOf(rec) != "login" {
				a.Errorf("user %q before: %d %q, cookies %q; want grace, logged in", before, rec.Code, rec.Body, cookiesOf(rec))
			}
		})
	}
}

// Credentials have begun a session, and Issue has replaced it in the answer. If the
// new session is revoked before the first byte, the answer sets no cookies: neither
// the new session's nor the replaced one's.
func TestIssue_ReplacedCookiesDoNotComeBack(t *testing.T) {
	for name, begin := range beginnings {
		inApp(t, nethttp.Config{Credentials: adasCredentials}, func(a *app) {
			a.handle("POST /switch", func(w http.ResponseWriter, r *http.Request) {
				if !a.issue(w, r, session.Login{UserID: "grace"}) {
					return
				}
				if err := a.Sessions.RevokeUser(a.Context(), "grace"); err != nil {
					a.Error(err)
				}
				_ = begin(w, r)
			})
			if rec := a.client(fetch).Send("POST", "/switch", ""); rec.Code >= 500 && name != "http.Error" || cookiesOf(rec) != "" {
				a.Errorf("%s: %d, cookies %q; want none", name, rec.Code, cookiesOf(rec))
			}
		})
	}
}

// On a public route the guard has set no cookies before Issue.
func TestIssue_LateAnswerToALoginSetsNoCookies(t *testing.T) {
	inApp(t, nethttp.Config{Public: []string{"/in"}}, func(a *app) {
		a.handle("POST /in", func(w http.ResponseWriter, r *http.Request) {
			if !a.issue(w, r, session.Login{UserID: "ada"}) {
				return
			}
			if err := a.Sessions.RevokeUser(a.Context(), "ada"); err != nil {
				a.Error(err)
			}
			who(w, r)
		})
		if rec := a.client(fetch).Send("POST", "/in", ""); rec.Code != 200 || cookiesOf(rec) != "" {
			a.Errorf("%d, cookies %q; want none", rec.Code, cookiesOf(rec))
		}
	})
}

// Protect has refreshed the old session, and a login has then set cookies of its own.
// A guard that refuses the old session's role does not put the old cookies back.
func TestRefusal_KeepsTheCookiesOfALaterLogin(t *testing.T) {
	for name, guard := range map[string]func(a *app) func(http.Handler) http.Handler{
		"RequireRole":        func(a *app) func(http.Handler) http.Handler { return a.guard.RequireRole("admin") },
		"RequireRecentLogin": func(a *app) func(http.Handler) http.Handler { return a.guard.RequireRecentLogin(1) },
		"RequireLive":        func(a *app) func(http.Handler) http.Handler { return a.guard.RequireLive },
	} {
		inApp(t, nethttp.Config{}, func(a *app) {
			byHand := func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					v, err := a.Sessions.Issue(r, session.Login{UserID: "grace"})
					if err != nil {
						a.Error(err)
						return
					}
					v.SetCookies(w)
					next.ServeHTTP(w, r)
				})
			}
			a.handle("GET /route", who, byHand, guard(a))
			b := a.client(pageLoad).LogIn("ada")
			expire()
			if rec := b.Send("GET", "/route", ""); rec.Code == http.StatusOK || cookiesOf(rec) != "login" {
				a.Errorf("%s: %d, cookies %q; want a refusal with the login's cookies", name, rec.Code, cookiesOf(rec))
			}
			if got := b.Send("GET", "/account", "").Body.String(); got != "grace" {
				a.Errorf("%s: the browser is %q afterwards; want grace", name, got)
			}
		})
	}
}

// Without HTTPS a browser drops the cookies of a login. The user would be back at the login
// page without a word, so the login is refused with one. Behind a proxy that ends TLS, only
// the browser's headers tell the two apart.
func TestIssue_IsRefusedWhereTheBrowserWouldNotKeepIt(t *testing.T) {
	const none = "" // as in a browser without HTTPS
	anyOrigin := http.NewCrossOriginProtection()
	anyOrigin.AddInsecureBypassPattern("POST /login")
	for name, c := range map[string]struct {
		origin, site, host string
		insecure           bool
	}{
		"a phone, by address":         {"http://192.168.1.7:8080", none, "192.168.1.7:8080", true},
		"a name":                      {"http://app.test", none, "app.test", true},
		"with HTTPS":                  {"https://app.test", "same-origin", "app.test", false},
		"with HTTPS, an old browser":  {"https://app.test", none, "app.test", false},
		"localhost":                   {"http://localhost:8080", "same-origin", "localhost:8080", false},
		"localhost, an old browser":   {"http://localhost:8080", none, "localhost:8080", false},
		"by address, 127.0.0.1":       {"http://127.0.0.1:8080", none, "127.0.0.1:8080", false},
		"a browser that trusts it":    {"http://app.test", "same-origin", "app.test", false},
		"a program, and some browser": {none, none, "app.test", false},
		"no origin":                   {"null", none, "app.test", false},
	} {
		inApp(t, nethttp.Config{CrossOrigin: anyOrigin}, func(a *app) {
			b := a.client(guardtest.Kind{"Accept": "text/html"}).At(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.TLS, r.Host = nil, c.host
				a.handler.ServeHTTP(w, r)
			}))
			before := len(a.LiveSessions(t))
			rec := b.Send("POST", "/login", "user=ada", "Origin", c.origin, "Sec-Fetch-Site", c.site)
			insecure := rec.Code == http.StatusForbidden && strings.Contains(rec.Body.String(), "without HTTPS") && cookiesOf(rec) == ""
			if insecure != c.insecure || !insecure && rec.Code != http.StatusSeeOther {
				a.Errorf("%s: %d, cookies %q: %s; refused: want %v", name, rec.Code, cookiesOf(rec), rec.Body, c.insecure)
			}
			if n := len(a.LiveSessions(t)) - before; (n == 0) != c.insecure {
				a.Errorf("%s: %d sessions began", name, n)
			}
		})
	}
}

// After the first byte the cookies would be lost: nothing changes, and the error says so.
func TestIssue_AndTheLikeRefuseAnAnswerThatHasBegun(t *testing.T) {
	inApp(t, nethttp.Config{Public: []string{"/in", "/out"}}, func(a *app) {
		for name, begin := range map[string]func(w http.ResponseWriter){
			"Write":       func(w http.ResponseWriter) { _, _ = w.Write([]byte("begun")) },
			"WriteHeader": func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
			"Flush":       func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
			"nothing":     func(http.ResponseWriter) {},
			"a hint":      func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints) },
		} {
			late := name != "nothing" && name != "a hint"
			var err error
			a.mux = http.NewServeMux()
			a.handler = a.guard.Protect(a.mux)
			a.handle("POST /in", func(w http.ResponseWriter, r *http.Request) {
				begin(w)
				err = a.guard.Issue(w, r, session.Login{UserID: "ada"})
			})
			a.handle("POST /out", func(w http.ResponseWriter, r *http.Request) {
				begin(w)
				a.guard.Logout(w, r)
			})
			a.handle("POST /login", a.postLogin)
			before := len(a.LiveSessions(a))
			a.client(fetch).Send("POST", "/in", "")
			if refused := err != nil && strings.Contains(err.Error(), "before writing"); refused != late || len(a.LiveSessions(a)) != before && late {
				a.Errorf("%s: Issue: %v, %d sessions more", name, err, len(a.LiveSessions(a))-before)
			}
			b := a.client(pageLoad).LogIn("grace")
			before = len(a.LiveSessions(a))
			b.Send("POST", "/out", "")
			if ended := len(a.LiveSessions(a)) < before; ended == late {
				a.Errorf("%s: Logout has ended the session: %v", name, ended)
			}
		}
	})
}
