package nethttp_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// sites lists values of Sec-Fetch-Site, and for each Origin header whether an unsafe
// request is admitted ("ok") or refused ("x"). A request without both headers is not
// from a browser, so it carries no cookies against its user's will.
//
// An Origin of this host is admitted with either scheme: a server behind a proxy does
// not know its own scheme. HSTS protects against plain HTTP.
var sites = []struct{ fetchSite, absent, https, http, null, evil string }{
	{"", "ok", "ok", "ok", "x", "x"},
	{"none", "ok", "ok", "ok", "ok", "ok"},
	{"same-origin", "ok", "ok", "ok", "ok", "ok"},
	{"same-site", "x", "x", "x", "x", "x"},
	{"cross-site", "x", "x", "x", "x", "x"},
	{"same-origin, cross-site", "x", "x", "x", "x", "x"},
}

func TestGuard_CrossSiteUnsafeRequestsAreRefusedFirst(t *testing.T) {
	combinations, refusals := 0, 0
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"} {
		unsafe := method != "GET" && method != "HEAD" && method != "OPTIONS"
		for _, site := range sites {
			for origin, verdict := range map[string]string{
				"": site.absent, "https://app.test": site.https, "http://app.test": site.http, "null": site.null, "https://evil.test": site.evil,
			} {
				kind := guardtest.Kind{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": site.fetchSite, "Origin": origin}
				for name, value := range kind {
					if value == "" {
						delete(kind, name)
					}
				}
				inApp(t, nethttp.Config{}, func(a *app) {
					tried, refused := a.crossSite(method, kind, unsafe && verdict == "x")
					combinations += tried
					refusals += refused
				})
			}
		}
	}
	if combinations < 700 || refusals < 400 {
		t.Errorf("%d combinations, %d refusals: too few to prove anything", combinations, refusals)
	}
	t.Logf("%d combinations: %d refused with 403, 0 statements, 0 cookies, 0 handlers run", combinations, refusals)
}

// crossSite sends a method with the headers of a site to each kind of route.
func (a *app) crossSite(method string, kind guardtest.Kind, refuse bool) (tried, refusals int) {
	reached := 0
	page := func(w http.ResponseWriter, r *http.Request) { reached++; who(w, r) }
	a.handle("/public", page, a.guard.Identify)
	a.handle("/page", page)
	a.handle("/role", page, a.guard.RequireRole("staff"))
	a.handle("/recent", page, a.guard.RequireRecentLogin(1<<40))
	a.handle("/live", page, a.guard.RequireLive)
	for _, target := range []struct {
		path       string
		expired    bool // the access cookie
		statements int
		cookies    string
	}{
		{"/login", false, 0, ""},
		{"/logout", false, 0, ""},
		{"/page", false, 0, ""},
		{"/page", true, 1, "set"},
		{"/public", true, 1, "set"},
		{"/role", true, 1, "set"},
		{"/recent", true, 1, "set"},
		{"/live", false, 1, ""},
		{"/nowhere", true, 1, "set"},
	} {
		tried++
		b := a.client(pageLoad).LogIn("ada")
		if target.expired {
			expire()
		}
		before, runs := a.Store.Calls(), reached
		rec := b.As(kind).Send(method, target.path, "user=ada")
		statements, cookies := a.Store.Calls()-before, cookiesOf(rec)
		fail := func(want string) {
			a.Errorf("%s %s with %v: %d, cookies %q, %d statements, the handler ran %d times; want %s", method, target.path, kind, rec.Code, cookies, statements, reached-runs, want)
		}
		switch {
		case refuse:
			refusals++
			if rec.Code != http.StatusForbidden || cookies != "" || statements != 0 || reached != runs {
				fail("403 before anything else")
			}
		case target.path == "/login":
			if method == "POST" && (rec.Code != http.StatusSeeOther || cookies != "login") || method != "POST" && cookies != "" {
				fail("a login by POST only")
			}
		case target.path == "/logout":
			if method == "POST" && (rec.Code != http.StatusSeeOther || cookies != "clear") ||
				method != "POST" && (rec.Code != http.StatusMethodNotAllowed || cookies != "" || statements != 0) {
				fail("a logout by POST only")
			}
		case target.path == "/nowhere":
			if rec.Code != http.StatusNotFound {
				fail("404")
			}
		case rec.Code != http.StatusOK || statements != target.statements || cookies != target.cookies || reached != runs+1:
			fail("the page")
		}
		// Only an admitted logout or login ends the session.
		ended := !refuse && method == "POST" && (target.path == "/logout" || target.path == "/login")
		if rec := b.Send("GET", "/account", ""); (rec.Code == http.StatusOK) == ended {
			a.Errorf("%s %s with %v: the old session gets %d afterwards", method, target.path, kind, rec.Code)
		}
	}
	return tried, refusals
}

// A form on another site logs nobody in or out, and does not replace the session by
// one of the attacker. SameSite does not prevent that: it restricts the cookies that are
// sent, not those that are set.
func TestGuard_OtherSitesCannotLogInOrOut(t *testing.T) {
	attempts := 0
	for _, victim := range []string{"logged out", "logged in", "refresh needed", "revoked"} {
		for _, kind := range []guardtest.Kind{
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
				inApp(t, nethttp.Config{}, func(a *app) {
					attempts++
					b := a.client(pageLoad)
					if victim != "logged out" {
						b.LogIn("ada")
					}
					want := "ada"
					switch victim {
					case "logged out":
						want = "no session"
					case "refresh needed":
						expire()
					case "revoked":
						want = "no session"
						_ = a.Sessions.RevokeUser(a.Context(), "ada")
						expire()
					}
					before := a.Store.Calls()
					rec := b.As(kind).Send("POST", path, "user=grace") // the attacker's own account
					if len(rec.Header()["Set-Cookie"]) != 0 || rec.Code != http.StatusForbidden || a.Store.Calls() != before {
						a.Errorf("%s, POST %s with %v: %d, cookies %v", victim, path, kind, rec.Code, rec.Header()["Set-Cookie"])
					}
					if got := b.Send("GET", "/", "").Body.String(); got != want {
						a.Errorf("%s, POST %s with %v: the user is %q afterwards", victim, path, kind, got)
					}
				})
			}
		}
	}
	// A link, an image or a script on another site sends a GET.
	for _, path := range []string{"/logout", "/login?user=grace", "/logout/?x", "/login/?user=grace"} {
		for _, dest := range []string{"document", "image", "script", "style", "iframe", "font", "empty"} {
			inApp(t, nethttp.Config{}, func(a *app) {
				attempts++
				b := a.client(pageLoad).LogIn("ada")
				rec := b.Send("GET", path, "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", dest)
				if got := b.Send("GET", "/", "").Body.String(); got != "ada" || len(rec.Header()["Set-Cookie"]) != 0 {
					a.Errorf("GET %s as %s: %d, and the user is %q afterwards", path, dest, rec.Code, got)
				}
			})
		}
	}
	t.Logf("%d attempts from other sites: 0 logins, 0 logouts", attempts)
}

// Config.CrossOrigin replaces the default protection in each guard, in Issue and in
// Logout.
func TestGuard_ConfiguredCrossOriginProtectionDecides(t *testing.T) {
	trusting := http.NewCrossOriginProtection()
	if err := trusting.AddTrustedOrigin("https://partner.test"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name            string
		protection      *http.CrossOriginProtection
		partnerAdmitted bool
	}{{"default", nil, false}, {"trusts the partner", trusting, true}} {
		for origin, admitted := range map[string]bool{"https://partner.test": c.partnerAdmitted, "https://evil.test": false} {
			inApp(t, nethttp.Config{CrossOrigin: c.protection, Public: []string{"/public"}}, func(a *app) {
				a.handle("POST /public", who)
				a.handle("POST /role", who, a.guard.RequireRole("staff"))
				unguarded := http.NewServeMux()
				unguarded.HandleFunc("POST /issue", func(w http.ResponseWriter, r *http.Request) { a.issue(w, r, session.Login{UserID: "ada"}) })
				unguarded.Handle("POST /identify", behind(who, a.guard.Identify))
				unguarded.Handle("POST /recent", behind(who, a.guard.RequireRecentLogin(time.Hour)))
				unguarded.HandleFunc("POST /out", a.guard.Logout)
				for path, handler := range map[string]http.Handler{
					"/account": a.handler, "/public": a.handler, "/role": a.handler, "/login": a.handler, "/logout": a.handler,
					"/issue": unguarded, "/identify": unguarded, "/recent": unguarded, "/out": unguarded,
				} {
					b := a.client(fetch).LogIn("ada").At(handler)
					rec := b.Send("POST", path, "user=ada", "Sec-Fetch-Site", "cross-site", "Origin", origin)
					if admitted != (rec.Code < 400) || !admitted && rec.Code != http.StatusForbidden {
						a.Errorf("%s, POST %s from %s: %d; want it admitted: %v", c.name, path, origin, rec.Code, admitted)
					}
				}
			})
		}
	}
}
