package nethttp_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// with returns a handler that sets a header before the guard runs.
func with(next http.Handler, name, value string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(name, value)
		next.ServeHTTP(w, r)
	})
}

// Two answers that are written at the same time add to their own headers.
func TestGuard_AnswersDoNotShareHeaderValues(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		b := a.client(fetch).LogIn("ada")
		add := func(w http.ResponseWriter, value string) {
			w.Header().Add("Vary", value)
			w.Header().Add("Cache-Control", value)
		}
		a.handle("GET /inner", func(w http.ResponseWriter, _ *http.Request) { add(w, "inner") })
		a.handle("GET /outer", func(w http.ResponseWriter, _ *http.Request) {
			add(w, "outer")
			b.Send("GET", "/inner", "")
		})
		h := b.Send("GET", "/outer", "").Header()
		if vary, cache := h["Vary"], h["Cache-Control"]; !slices.Equal(vary, []string{"Cookie", "outer"}) || !slices.Equal(cache, []string{"no-store", "outer"}) {
			a.Errorf("Vary %q, Cache-Control %q; want only what the handler of this answer has added", vary, cache)
		}
	})
}

// An answer that depends on the cookies has Vary: Cookie once, however many guards
// there are. One that would be another for Sec-Fetch-Dest: image has Sec-Fetch-Dest, too. It is set before the handler runs, so that the handler can add to it.
func TestGuard_SetsVaryOnceAndBeforeTheHandlerRuns(t *testing.T) {
	type client = guardtest.Client
	same := func(*app, *client) {}
	none := func(_ *app, b *client) { b.Forget() }
	aged := func(*app, *client) { expire() }
	image := guardtest.Kind{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "image"}
	for _, c := range []struct {
		method, path string
		kind         guardtest.Kind
		arrange      func(a *app, b *client)
		want         []string
	}{
		{"GET", "/account", fetch, same, []string{"Cookie"}},
		{"GET", "/account", fetch, aged, []string{"Cookie"}},
		{"GET", "/account", fetch, none, []string{"Cookie"}},
		{"GET", "/", fetch, none, []string{"Cookie, Sec-Fetch-Dest"}},
		{"HEAD", "/", fetch, none, []string{"Cookie, Sec-Fetch-Dest"}},
		{"POST", "/", fetch, none, []string{"Cookie"}},
		{"GET", "/open", fetch, none, []string{"Cookie, Sec-Fetch-Dest"}},
		{"GET", "/open", image, none, []string{"Sec-Fetch-Dest"}},
		{"GET", "/account", image, same, []string{"Cookie"}},
		{"GET", "/twice", fetch, aged, []string{"Cookie"}},
		{"GET", "/varied", fetch, same, []string{"Accept", "Cookie, Sec-Fetch-Dest"}},
		{"GET", "/varied", image, same, []string{"Accept", "Sec-Fetch-Dest"}},
		{"GET", "/account", fetch, func(a *app, _ *client) { expire(); a.Store.Fail(errDown) }, []string{"Cookie"}},
		{"POST", "/login", pageLoad, same, []string{"Cookie"}},
		{"POST", "/logout", pageLoad, same, []string{"Cookie"}},
	} {
		inApp(t, nethttp.Config{Public: []string{"/{$}", "/varied", "/open"}}, func(a *app) {
			a.handle("GET /twice", who, a.guard.Identify, a.guard.RequireRole("staff"))
			a.handle("GET /varied", who)
			a.handle("GET /open", who, a.guard.Identify)
			handler := a.handler
			if c.path == "/varied" {
				handler = with(handler, "Vary", "Accept")
			}
			b := a.client(pageLoad).LogIn("ada")
			c.arrange(a, b)
			rec := b.As(c.kind).At(handler).Send(c.method, c.path, "user=ada")
			if got := rec.Header()["Vary"]; !slices.Equal(got, c.want) {
				a.Errorf("%s %s: %d, Vary %q; want %q", c.method, c.path, rec.Code, got, c.want)
			}
		})
	}
}

func TestIssue_AndLogoutSetVaryWithoutAGuardBeforeThem(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		var seen []string
		mux := http.NewServeMux()
		mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
			a.issue(w, r, session.Login{UserID: "ada"})
			seen = slices.Clone(w.Header()["Vary"])
		})
		mux.HandleFunc("POST /logout", a.guard.Logout)
		b := a.client(fetch).At(mux)
		rec := b.Send("POST", "/login", "")
		if got := rec.Header()["Vary"]; len(b.Kept()) != 3 || !slices.Equal(got, []string{"Cookie"}) || !slices.Equal(seen, got) {
			a.Errorf("login: the handler sees Vary %q, the client %q; want Cookie", seen, got)
		}
		rec = b.Send("POST", "/logout", "")
		if got := rec.Header()["Vary"]; len(b.Kept()) != 0 || !slices.Equal(got, []string{"Cookie"}) {
			a.Errorf("logout: Vary %q; want Cookie", got)
		}
	})
}

// A handler may replace Vary. The guard adds Cookie to an answer that sets cookies,
// unless the handler's value includes it (RFC 9110, section 12.5.5).
func TestGuard_AddsVaryCookieToAnAnswerThatSetsCookies(t *testing.T) {
	for _, c := range []struct{ set, want []string }{
		{nil, []string{"Cookie"}},
		{[]string{"Accept"}, []string{"Accept", "Cookie"}},
		{[]string{"Cookie"}, []string{"Cookie"}},
		{[]string{"cookie"}, []string{"cookie"}},
		{[]string{"Accept, COOKIE"}, []string{"Accept, COOKIE"}},
		{[]string{"cookie ,Accept"}, []string{"cookie ,Accept"}},
		{[]string{"Accept", "Cookie"}, []string{"Accept", "Cookie"}},
		{[]string{"*"}, []string{"*"}},
		{[]string{"Accept", "*"}, []string{"Accept", "*"}},
		// Other names that contain Cookie.
		{[]string{"Cookies"}, []string{"Cookies", "Cookie"}},
		{[]string{"X-Cookie"}, []string{"X-Cookie", "Cookie"}},
		{[]string{"Accept;Cookie"}, []string{"Accept;Cookie", "Cookie"}},
	} {
		inApp(t, nethttp.Config{}, func(a *app) {
			a.handle("GET /page", func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Vary"] = slices.Clone(c.set)
				w.WriteHeader(http.StatusNoContent)
			})
			b := a.client(fetch).LogIn("ada")
			expire()
			rec := b.Send("GET", "/page", "")
			if got := rec.Header()["Vary"]; cookiesOf(rec) != "set" || !slices.Equal(got, c.want) {
				a.Errorf("the handler sets Vary %q: cookies %q, Vary %q; want %q", c.set, cookiesOf(rec), got, c.want)
			}
		})
	}
}

// Cache-Control of an answer without cookies.
func TestProtect_SetsNoStoreOnProtectedAnswersOnly(t *testing.T) {
	inApp(t, nethttp.Config{Public: []string{"/{$}", "/role", "/page", "/said"}}, func(a *app) {
		says := func(next http.Handler) http.Handler { return with(next, "Cache-Control", "private") }
		a.handle("GET /role", who, a.guard.RequireRole("staff"))
		a.handle("GET /page", who, a.guard.Identify)
		a.handle("GET /said", who, says, a.guard.RequireRole("staff"))
		a.handle("GET /cached", with(http.HandlerFunc(who), "Cache-Control", "private, max-age=60").ServeHTTP)
		for _, c := range []struct {
			path, user string
			want       []string
		}{
			{"/", "", nil},
			{"/page", "", nil},
			{"/login", "", nil},
			{"/account", "ada", []string{"no-store"}},
			{"/role", "ada", []string{"no-store"}}, // a public route whose handler has a guard of its own
			{"/password", "ada", []string{"no-store"}},
			{"/said", "ada", []string{"private"}},               // set before the guard ran
			{"/cached", "ada", []string{"private, max-age=60"}}, // set by the handler
			{"/account", "", []string{"no-store"}},
		} {
			b := a.client(fetch)
			if c.user != "" {
				b.LogIn(c.user)
			}
			if got := b.Send("GET", c.path, "").Header()["Cache-Control"]; !slices.Equal(got, c.want) {
				a.Errorf("%s for %q: Cache-Control %q; want %q", c.path, c.user, got, c.want)
			}
		}
	})
}

func TestRefusal_ReplacesAnEarlierCacheControl(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		handler := with(a.handler, "Cache-Control", "public, max-age=3600")
		for name, kind := range kinds {
			rec := a.client(kind).At(handler).Send("GET", "/account", "")
			if got := rec.Header()["Cache-Control"]; rec.Code == http.StatusOK || !slices.Equal(got, []string{"no-store"}) {
				a.Errorf("%s: %d, Cache-Control %q; want no-store", name, rec.Code, got)
			}
		}
	})
}
