package nethttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session/store"
)

// An app behind a proxy or StripPrefix that takes a part of the path away.
func TestConfig_PrefixIsPartOfEachPathThatBrowsersSee(t *testing.T) {
	inApp(t, nethttp.Config{Prefix: "/app"}, func(a *app) {
		a.handle("/after", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(a.guard.ReturnTo(r, "/app/home")))
		})
		mounted := http.StripPrefix("/app", a.handler)
		b := a.client(pageLoad).At(mounted)
		for target, want := range map[string]string{
			"/app/account?x=1": "/app/login?next=%2Fapp%2Faccount%3Fx%3D1",
			"/app/":            "/app/", // public
			"/app/nowhere":     "/app/login?next=%2Fapp%2Fnowhere",
		} {
			rec := b.Send("GET", target, "")
			if got := rec.Header().Get("Location"); got != want && (rec.Code != 200 || want != target) {
				a.Errorf("GET %s: %d to %q; want %q", target, rec.Code, got, want)
			}
		}
		if rec := b.Send("POST", "/app/account", "", "Referer", "https://app.test/app/form"); rec.Header().Get("Location") != "/app/login?next=%2Fapp%2Fform" {
			a.Errorf("a form: to %q", rec.Header().Get("Location"))
		}
		if rec := b.Send("POST", "/app/account", "", "Referer", "https://app.test/other/form"); rec.Header().Get("Location") != "/app/login" {
			a.Errorf("a form of another app: to %q; want no next", rec.Header().Get("Location"))
		}
		if rec := b.As(viaHTMX).Send("GET", "/app/account", "", "HX-Current-URL", "https://app.test/app/here"); rec.Header().Get("HX-Redirect") != "/app/login?next=%2Fapp%2Fhere" {
			a.Errorf("htmx: to %q", rec.Header().Get("HX-Redirect"))
		}
		if rec := b.Send("GET", "/app/login", ""); rec.Code != 200 {
			a.Errorf("the login page: %d", rec.Code)
		}
		b = a.client(pageLoad).LogIn("ada").At(mounted)
		for next, want := range map[string]string{
			"/app/x": "/app/x", "/app": "/app", "/app/": "/app/",
			"/app%2Fx": "/app/home", "/%61pp/x": "/app/home",
			"/x": "/app/home", "/application": "/app/home", "/app/login": "/app/home", "/app/logout": "/app/home", "//app/x": "/app/home",
		} {
			if got := b.Send("GET", "/app/after?next="+url.QueryEscape(next), "").Body.String(); got != want {
				a.Errorf("next=%s: %q; want %q", next, got, want)
			}
		}
		if rec := b.Send("POST", "/app/logout", ""); rec.Header().Get("Location") != "/app/login" {
			a.Errorf("the logout: to %q", rec.Header().Get("Location"))
		}
	})
}

// A path that browsers see and the app does not, or the other way round, is a frequent
// fault. It ends in an error that says what to do, and never in a circle.
func TestProtect_WrongMountEndsInOneClearError(t *testing.T) {
	slash := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(r.Context())
			r.URL.Path += "/"
			h.ServeHTTP(w, r)
		})
	}
	adds := func(h http.Handler) http.Handler { // as a proxy does: RequestURI is the new one
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(r.Context())
			r.URL.Path = "/base" + r.URL.Path
			r.RequestURI = "/base" + r.RequestURI
			h.ServeHTTP(w, r)
		})
	}
	strip := func(h http.Handler) http.Handler { return http.StripPrefix("/app", h) }
	strips := func(h http.Handler) http.Handler { // as a proxy does
		return strip(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.RequestURI = r.URL.RequestURI()
			h.ServeHTTP(w, r)
		}))
	}
	same := func(h http.Handler) http.Handler { return h }
	slashRedirect := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if path := r.URL.Path; !strings.HasSuffix(path, "/") {
				http.Redirect(w, r, path+"/?"+r.URL.RawQuery, http.StatusSeeOther)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
	for name, c := range map[string]struct {
		cfg   nethttp.Config
		mount func(http.Handler) http.Handler
		start string
		alone bool // a guard stands before the login page itself
	}{
		"the login path has the prefix":             {nethttp.Config{LoginPath: "/app/login"}, strip, "/app/account", false},
		"the prefix is not taken away":              {nethttp.Config{Prefix: "/app"}, same, "/app/account", false},
		"a slash is added before the guard":         {nethttp.Config{}, slash, "/account", false},
		"a slash is added by a redirect":            {nethttp.Config{}, slashRedirect, "/account", false},
		"a proxy adds a part":                       {nethttp.Config{}, adds, "/account", false},
		"a proxy adds a part, and a slash is added": {nethttp.Config{}, func(h http.Handler) http.Handler { return adds(slash(h)) }, "/account", false},
		"a guard of its own":                        {nethttp.Config{}, same, "/account", true},
		"a guard of its own, behind a proxy":        {nethttp.Config{Prefix: "/app"}, strips, "/app/account", true},
	} {
		inApp(t, c.cfg, func(a *app) {
			handler := a.handler
			if c.alone {
				handler = a.guard.RequireRole("staff")(http.HandlerFunc(who))
			}
			handler = c.mount(handler)
			target := c.start
			for hops := 0; ; hops++ {
				rec := httptest.NewRecorder()
				r := httptest.NewRequest("GET", "https://app.test"+target, nil)
				for k, v := range pageLoad {
					r.Header.Set(k, v)
				}
				handler.ServeHTTP(rec, r)
				if rec.Code == http.StatusSeeOther && hops < 8 {
					target = rec.Header().Get("Location")
					continue
				}
				if rec.Code != http.StatusUnauthorized || !strings.Contains(rec.Body.String(), "Config.Prefix") {
					a.Errorf("%s: after %d redirects, at %s: %d, %s; want an error that says what to do", name, hops, target, rec.Code, rec.Body)
				}
				return
			}
		})
	}
}

// A page below another one that is called login is an ordinary page.
func TestProtect_PageWithTheNameOfTheLoginIsRedirected(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		for _, target := range []string{"/staff/login", "/staff/login?next=/staff", "/account?next=/account", "/login/help", "/login/"} {
			if rec := a.client(pageLoad).Send("GET", target, ""); rec.Code != http.StatusSeeOther {
				a.Errorf("GET %s: %d; want the redirect to the login page", target, rec.Code)
			}
		}
	})
}

// A login page that sends on whoever is logged in, as most do, never shows its form to a
// user whose login is too old.
func TestRequireRecentLogin_NoticesALoginPageThatSendsOn(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		b, other := a.client(pageLoad).LogIn("ada"), a.client(pageLoad).LogIn("grace")
		refreshFor(b, 3)
		other.Send("GET", "/account", "")
		var statuses []int
		rec := b.Send("GET", "/password", "")
		for rec.Code == http.StatusSeeOther && len(statuses) < 20 {
			statuses = append(statuses, rec.Code)
			time.Sleep(50 * time.Millisecond)
			rec = b.Send("GET", "/password", "") // the login page sends it back
		}
		if len(statuses) != 4 || rec.Code != http.StatusUnauthorized || !strings.Contains(rec.Body.String(), "reauth=1") {
			a.Errorf("after %d redirects: %d, %s; want four, and an error that says what to do", len(statuses), rec.Code, rec.Body)
		}
		// Others are not disturbed, nor is the user a moment later, nor on another page.
		a.handle("GET /other", who, a.guard.RequireRecentLogin(5*time.Minute))
		if rec := b.Send("GET", "/other", ""); rec.Code != http.StatusSeeOther {
			a.Errorf("another page: %d", rec.Code)
		}
		for range 3 {
			if rec := other.Send("GET", "/password", ""); rec.Code != http.StatusSeeOther {
				a.Errorf("another user: %d", rec.Code)
			}
		}
		time.Sleep(11 * time.Second)
		for i := range 8 { // pages of their own, and frames
			if rec := b.Send("GET", fmt.Sprint("/password?", i), ""); rec.Code != http.StatusSeeOther {
				a.Errorf("page %d: %d", i, rec.Code)
			}
			if rec := b.Send("GET", "/password?frame", "", "Sec-Fetch-Dest", "iframe"); rec.Code != http.StatusSeeOther {
				a.Errorf("frame %d: %d", i, rec.Code)
			}
		}
		if rec := b.Send("GET", "/password", ""); rec.Code != http.StatusSeeOther {
			a.Errorf("a moment later: %d", rec.Code)
		}
		for range 10 {
			if rec := b.As(fetch).Send("GET", "/password", ""); rec.Code != http.StatusUnauthorized || rec.Header().Get("WWW-Authenticate") == "" {
				a.Errorf("a program: %d; it follows no redirect", rec.Code)
			}
		}
	})
}

// RequireLive may refuse a session whose access cookie is still good. The login page is told
// to show its form, and a circle ends.
func TestRequireLive_SendsToALoginPageThatShowsItsForm(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		a.handle("GET /pay", who, a.guard.RequireLive)
		b := a.client(pageLoad).LogIn("ada")
		a.Users.SetUser("ada", store.User{Epoch: 7})
		for range 4 {
			if rec := b.Send("GET", "/pay", ""); rec.Header().Get("Location") != "/login?next=%2Fpay&reauth=1" {
				a.Errorf("%d to %q; want the login page with reauth=1", rec.Code, rec.Header().Get("Location"))
			}
		}
		if rec := b.Send("GET", "/pay", ""); rec.Code != http.StatusUnauthorized || !strings.Contains(rec.Body.String(), "reauth=1") {
			a.Errorf("the fifth time: %d, %s; want an error that says what to do", rec.Code, rec.Body)
		}
	})
}

// A public page that greets the user must not be shown by the back button after the logout.
func TestProtect_KeepsNoPublicPageOfAUser(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		a.handle("GET /static/cached", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "private, max-age=60")
			who(w, r)
		})
		for state, c := range map[string]struct {
			arrange func(b *guardtest.Client)
			path    string
			want    []string
		}{
			"a session":                  {func(*guardtest.Client) {}, "/", []string{"no-store"}},
			"a refreshed session":        {func(*guardtest.Client) { expire() }, "/", []string{"no-store"}},
			"a session, the login page":  {func(*guardtest.Client) {}, "/login", []string{"no-store"}},
			"the handler decides":        {func(*guardtest.Client) {}, "/static/cached", []string{"private, max-age=60"}},
			"nobody":                     {func(b *guardtest.Client) { b.Forget() }, "/", nil},
			"nobody, the login page":     {func(b *guardtest.Client) { b.Forget() }, "/login", nil},
			"nobody knows":               {func(*guardtest.Client) { expire(); a.Store.Fail(errDown) }, "/", []string{"no-store"}},
			"a style sheet of a session": {func(*guardtest.Client) {}, "/static/style.css", nil},
		} {
			a.Store.Fail(nil)
			b := a.client(pageLoad).LogIn("ada")
			c.arrange(b)
			var more []string
			if strings.HasSuffix(c.path, ".css") {
				more = []string{"Sec-Fetch-Dest", "style"}
			}
			if got := b.Send("GET", c.path, "", more...).Header()["Cache-Control"]; !slices.Equal(got, c.want) {
				a.Errorf("%s: Cache-Control %q; want %q", state, got, c.want)
			}
		}
	})
}
