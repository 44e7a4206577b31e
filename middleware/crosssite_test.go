package middleware_test

import (
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
)

// sites are what a browser may say of where a request comes from, and what must
// become of an unsafe one: the rules of Fetch Metadata, and of Origin where a
// browser is too old for it. "x" is refused. What says nothing at all is no
// browser, and nobody's cookies travel with it against their will.
//
// An Origin of this host passes whatever its scheme: a server behind a proxy does
// not know its own. That is what HSTS is for.
var sites = []struct{ fetchSite, absent, https, http, null, evil string }{
	{"", "ok", "ok", "ok", "x", "x"},
	{"none", "ok", "ok", "ok", "ok", "ok"},
	{"same-origin", "ok", "ok", "ok", "ok", "ok"},
	{"same-site", "x", "x", "x", "x", "x"},
	{"cross-site", "x", "x", "x", "x", "x"},
	{"same-origin, cross-site", "x", "x", "x", "x", "x"},
}

const aForm = "user=ada"

func TestCrossSiteUnsafeRequestsAreRefusedBeforeAnything(t *testing.T) {
	combinations, refusals := 0, 0
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"} {
		unsafe := method != "GET" && method != "HEAD" && method != "OPTIONS"
		for _, site := range sites {
			for origin, verdict := range map[string]string{
				"": site.absent, "https://app.test": site.https, "http://app.test": site.http, "null": site.null, "https://evil.test": site.evil,
			} {
				headers := map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": site.fetchSite, "Origin": origin}
				for name, value := range headers {
					if value == "" {
						delete(headers, name)
					}
				}
				refused := unsafe && verdict == "x"
				inApp(t, middleware.Config{}, func(a *app) {
					reached := 0
					a.echo.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
						return func(c echo.Context) error {
							if c.Path() != "/logout" { // which judges by itself, see below
								reached++
							}
							return next(c)
						}
					})
					a.echo.Any("/public", who, a.guard.Identify)
					a.echo.Any("/role", who, a.guard.RequireRole("staff"))
					a.echo.Any("/recent", who, a.guard.RequireRecentLogin(1<<40))
					a.echo.Any("/live", who, a.guard.RequireLive)
					for _, target := range []struct {
						path       string
						expired    bool // the access cookie
						statements int64
						cookies    string
					}{
						{"/login", false, 0, ""},
						{"/logout", false, 0, ""},
						{"/account", false, 0, ""},
						{"/account", true, 1, "set"},
						{"/public", true, 1, "set"},
						{"/role", true, 1, "set"},
						{"/recent", true, 1, "set"},
						{"/live", false, 1, ""},
						{"/nowhere", true, 1, "set"},
					} {
						combinations++
						b := a.client(pageLoad).login("ada")
						if target.expired {
							a.expire()
						}
						before, runs := a.store.n.Load(), reached
						rec := b.as(headers).do(method, target.path, aForm)
						statements, cookies := a.store.n.Load()-before, cookiesOf(rec.Result().Cookies())
						tell := func(want string) {
							a.Errorf("%s %s, Sec-Fetch-Site %q, Origin %q: %d, cookies %q, %d statements, the handler ran %d times; want %s",
								method, target.path, site.fetchSite, origin, rec.Code, cookies, statements, reached-runs, want)
						}
						switch {
						case refused:
							refusals++
							if rec.Code != http.StatusForbidden || cookies != "" || statements != 0 || reached != runs {
								tell("403 before anything")
							}
						case target.path == "/login":
							if method == "POST" && (rec.Code != http.StatusSeeOther || cookies != "set") || method != "POST" && cookies != "" {
								tell("a login by POST alone")
							}
						case target.path == "/logout":
							if method == "POST" && (rec.Code != http.StatusSeeOther || cookies != "clear") ||
								method != "POST" && (rec.Code != http.StatusMethodNotAllowed || cookies != "" || statements != 0) {
								tell("a logout by POST alone")
							}
						case target.path == "/nowhere":
							if rec.Code != http.StatusNotFound {
								tell("404")
							}
						case rec.Code != http.StatusOK || statements != target.statements || cookies != target.cookies || reached != runs+1:
							tell("to be served")
						}
						// Whatever came: only an admitted logout or login ends the session.
						ended := !refused && method == "POST" && (target.path == "/logout" || target.path == "/login")
						if rec := b.as(pageLoad).do("GET", "/account", ""); (rec.Code == http.StatusOK) == ended {
							a.Errorf("%s %s, Sec-Fetch-Site %q, Origin %q: the old session answers %d afterwards", method, target.path, site.fetchSite, origin, rec.Code)
						}
					}
				})
			}
		}
	}
	if combinations < 700 || refusals < 400 {
		t.Errorf("%d combinations, %d refusals: this test proves little", combinations, refusals)
	}
	t.Logf("%d combinations: %d refused with 403, 0 statements, 0 cookies, 0 handlers run", combinations, refusals)
}

// Another site's form logs nobody in, out, or over to the attacker's account:
// SameSite keeps cookies from being sent, but not from being set.
func TestAnotherSiteLogsNobodyInOrOut(t *testing.T) {
	attempts := 0
	for _, victim := range []string{"nobody", "logged in", "refresh needed", "over"} {
		for _, headers := range []map[string]string{
			{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": "https://evil.test"},
			{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Origin": "https://sibling.app.test"},
			{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Origin": "null"},
			{"Origin": "null"},
			{"Origin": "https://evil.test", "Accept": "text/html"},
			{"Origin": "https://app.test.evil.test"},
			{"Origin": "https://app.test:8443"},
			{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "image"},
		} {
			for _, path := range []string{"/login", "/login?next=/account", "/login/", "/logout", "/logout?next=/account"} {
				inApp(t, middleware.Config{}, func(a *app) {
					attempts++
					b := a.client(pageLoad)
					if victim != "nobody" {
						b.login("ada")
					}
					switch victim {
					case "refresh needed":
						a.expire()
					case "over":
						_ = a.sessions.RevokeUser(a.Context(), "ada")
						a.expire()
					}
					before := a.store.n.Load()
					rec := b.as(headers).do("POST", path, "user=grace") // the attacker's own account
					if len(rec.Header()["Set-Cookie"]) != 0 || rec.Code != http.StatusForbidden || a.store.n.Load() != before {
						a.Errorf("%s, POST %s with %v: %d, cookies %v", victim, path, headers, rec.Code, rec.Header()["Set-Cookie"])
					}
					want := map[string]string{"nobody": "nobody", "over": "nobody"}[victim]
					if want == "" {
						want = "ada"
					}
					if got := b.do("GET", "/", "").Body.String(); got != want {
						a.Errorf("%s, POST %s with %v: it is %q afterwards", victim, path, headers, got)
					}
				})
			}
		}
	}
	// A link, an image, a script tag: a GET, whatever site it is from.
	for _, path := range []string{"/logout", "/login?user=grace", "/logout/?x", "/login/?user=grace"} {
		for _, dest := range []string{"document", "image", "script", "style", "iframe", "font", "empty"} {
			inApp(t, middleware.Config{}, func(a *app) {
				attempts++
				b := a.client(pageLoad).login("ada")
				rec := b.do("GET", path, "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", dest)
				if got := b.do("GET", "/", "").Body.String(); got != "ada" || len(rec.Header()["Set-Cookie"]) != 0 {
					a.Errorf("GET %s as %s: %d, and it is %q afterwards", path, dest, rec.Code, got)
				}
			})
		}
	}
	t.Logf("%d attempts from other sites: 0 logins, 0 logouts", attempts)
}
