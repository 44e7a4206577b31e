package nethttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// program is a client that is no browser: it has no headers of its own.
var program = guardtest.Kind{}

func adasCredentials(*http.Request) (session.Login, error) { return session.Login{UserID: "ada"}, nil }

func TestCredentials_BasicAuthBeginsASession(t *testing.T) {
	verified := 0
	verify := func(_ context.Context, user, password string) (session.Login, error) {
		verified++
		switch password {
		case "right":
			return session.Login{UserID: user}, nil
		case "unknown":
			return session.Login{}, errNoDirectory
		}
		return session.Login{}, fmt.Errorf("%w: wrong password", session.ErrUnauthenticated)
	}
	inApp(t, nethttp.Config{Credentials: nethttp.BasicAuth(verify)}, func(a *app) {
		a.Users.SetUser("gone", store.User{Disabled: true})
		for _, c := range []struct {
			userinfo, path string
			status         int
			cookies        string
		}{
			{"YWRhOnJpZ2h0", "/account", 200, "login"},   // ada:right
			{"YWRhOndyb25n", "/account", 401, ""},        // ada:wrong
			{"YWRhOnVua25vd24=", "/account", 503, ""},    // ada:unknown
			{"Z29uZTpyaWdodA==", "/account", 403, ""},    // gone:right
			{"YWRhOnJpZ2h0", "/admin", 403, ""},          // ada has no role admin; the session of the first answers
			{"Z3JhY2U6cmlnaHQ=", "/admin", 200, "login"}, // grace:right
			{"YWRhOnJpZ2h0", "/", 200, ""},               // a public page
			{"!", "/account", 401, ""},
		} {
			rec := a.client(program).Send("GET", c.path, "", "Authorization", "Basic "+c.userinfo)
			if rec.Code != c.status || cookiesOf(rec) != c.cookies {
				a.Errorf("%s on %s: %d, cookies %q; want %d, %q", c.userinfo, c.path, rec.Code, cookiesOf(rec), c.status, c.cookies)
			}
		}
		// A client that keeps cookies is verified once.
		expire() // so that the session of the first answers is not used again
		b := a.client(program)
		verified = 0
		for range 3 {
			if rec := b.Send("GET", "/account", "", "Authorization", "Basic YWRhOnJpZ2h0"); rec.Code != 200 || rec.Body.String() != "ada" {
				a.Errorf("%d %q", rec.Code, rec.Body)
			}
			expire()
		}
		if verified != 1 {
			a.Errorf("verified %d times; want 1", verified)
		}
		// A browser adds credentials to the requests of other sites by itself.
		verified = 0
		if rec := a.client(fetch).Send("POST", "/account", "", "Authorization", "Basic YWRhOnJpZ2h0", "Sec-Fetch-Site", "cross-site"); rec.Code != 403 || verified != 0 {
			a.Errorf("from another site: %d, verified %d times", rec.Code, verified)
		}
	})
}

// Credentials is not called if a cookie is good, if the route is public, or if the
// store is down: the session may then still be good.
func TestCredentials_AreCalledOnlyIfASessionIsMissing(t *testing.T) {
	type client = guardtest.Client
	none := func(_ *app, b *client) { b.Forget() }
	same := func(*app, *client) {}
	for _, c := range []struct {
		name         string
		arrange      func(a *app, b *client)
		method, path string
		called       int
		want         int
	}{
		{"no cookies", none, "GET", "/account", 1, 200},
		{"no cookies, HEAD", none, "HEAD", "/account", 1, 200},
		{"no cookies, POST", none, "POST", "/account", 1, 200},
		{"undecodable cookies", func(_ *app, b *client) { b.Garble() }, "GET", "/account", 1, 200},
		{"a revoked session", func(a *app, _ *client) { a.end() }, "GET", "/account", 1, 200},
		{"a good access cookie", same, "GET", "/account", 0, 200},
		{"a good refresh cookie", func(*app, *client) { expire() }, "GET", "/account", 0, 200},
		{"a good access cookie, the wrong role", same, "GET", "/admin", 0, 403},
		{"the store is down, access expired", func(a *app, _ *client) { expire(); a.Store.Fail(errDown) }, "GET", "/account", 0, 503},
		{"a public route", none, "GET", "/", 0, 200},
		{"the login page", none, "GET", "/login", 0, 200},
		{"Identify", none, "GET", "/identify", 0, 200},
		{"two guards", none, "GET", "/staff", 1, 200},
		{"a guard behind a public one", none, "GET", "/public/staff", 1, 200},
		{"two guards behind a public one", none, "GET", "/public/twice", 1, 200},
		{"a logout by GET", none, "GET", "/logout", 0, 405},
	} {
		called := 0
		credentials := func(r *http.Request) (session.Login, error) {
			called++
			return adasCredentials(r)
		}
		inApp(t, nethttp.Config{Credentials: credentials, Public: []string{"/{$}", "/identify", "/public/staff", "/public/twice"}}, func(a *app) {
			staff := a.guard.RequireRole("staff")
			a.handle("GET /identify", who, a.guard.Identify)
			a.handle("GET /staff", who, staff)
			a.handle("GET /public/staff", who, staff)
			a.handle("GET /public/twice", who, a.guard.Identify, staff, a.guard.RequireLive)
			b := a.client(fetch).LogIn("ada")
			c.arrange(a, b)
			rec := b.Send(c.method, c.path, "")
			if rec.Code != c.want || called != c.called {
				a.Errorf("%s: %d, called %d times; want %d, %d", c.name, rec.Code, called, c.want, c.called)
			}
			if c.called > 0 && (rec.Body.String() != "ada" || cookiesOf(rec) != "login") {
				a.Errorf("%s: the handler sees %q, cookies %q; want a session of ada", c.name, rec.Body, cookiesOf(rec))
			}
		})
	}
}

func TestCredentials_AreIgnoredIfNotConfigured(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		for name, want := range map[string]int{"page": http.StatusSeeOther, "program": http.StatusUnauthorized} {
			rec := a.client(kinds[name]).Send("GET", "/account", "", "Authorization", "Basic YWRhOnJpZ2h0")
			if rec.Code != want || cookiesOf(rec) != "" {
				a.Errorf("%s: %d, cookies %q; want %d and none", name, rec.Code, cookiesOf(rec), want)
			}
		}
	})
}

// A program that keeps no cookies logs in with every request. Whatever its Login
// says, these logins do not count against Config.MaxSessions. They have a limit of their
// own.
func TestCredentials_EndNoOtherSessionOfTheUser(t *testing.T) {
	inApp(t, nethttp.Config{Credentials: adasCredentials}, func(a *app) {
		b := a.client(pageLoad).LogIn("ada")
		const logins = 30 // more than Config.MaxSessions allows
		for range logins {
			time.Sleep(time.Second) // so that the browser's session is the oldest
			if rec := a.client(fetch).Send("GET", "/account", ""); rec.Code != http.StatusOK {
				a.Fatalf("a program: %d", rec.Code)
			}
		}
		if n := len(a.LiveSessions(a)); n != 20+1 {
			a.Errorf("%d sessions are live; want the browser's and 20 of programs", n)
		}
		expire()
		if rec := b.Send("GET", "/account", ""); rec.Code != http.StatusOK || rec.Body.String() != "ada" {
			a.Errorf("the browser's session: %d %q", rec.Code, rec.Body)
		}
	})
}

// A program that keeps no cookies has one session, not one for each request. Its
// credentials are verified each time all the same.
func TestCredentials_RequestsWithoutCookiesShareASession(t *testing.T) {
	password, verified := "right", 0
	verify := func(_ context.Context, user, given string) (session.Login, error) {
		verified++
		if given != password {
			return session.Login{}, fmt.Errorf("%w: wrong password", session.ErrUnauthenticated)
		}
		return session.Login{UserID: user}, nil
	}
	inApp(t, nethttp.Config{Credentials: nethttp.BasicAuth(verify)}, func(a *app) {
		send := func(method string) (status int, cookies string) {
			rec := a.client(program).Send(method, "/account", "", "Authorization", "Basic YWRhOnJpZ2h0")
			return rec.Code, cookiesOf(rec)
		}
		for i := range 50 {
			status, cookies := send([]string{"GET", "POST"}[i%2])
			if want := map[bool]string{true: "login"}[i == 0]; status != 200 || cookies != want {
				a.Fatalf("request %d: %d, cookies %q; want 200, %q", i+1, status, cookies, want)
			}
		}
		if n := len(a.LiveSessions(a)); n != 1 || verified != 50 || a.Store.Calls("Create") != 1 {
			a.Errorf("50 requests: %d sessions, %d rows, verified %d times; want 1, 1, 50", n, a.Store.Calls("Create"), verified)
		}
		password = "changed"
		if status, _ := send("GET"); status != 401 {
			a.Errorf("after the password was changed: %d; want 401", status)
		}
	})
}

// The other fields of the Login that Credentials returns apply unchanged.
func TestCredentials_ReturnedLoginApplies(t *testing.T) {
	for _, c := range []struct {
		name   string
		login  session.Login
		want   int
		user   string
		maxAge int // of the refresh cookie, in seconds
		ip     string
	}{
		{"a user", session.Login{UserID: "ada"}, 200, "ada", 1800, "192.0.2.1"},
		{"another user", session.Login{UserID: "grace"}, 200, "grace", 1800, "192.0.2.1"},
		{"Remember", session.Login{UserID: "ada", Remember: true}, 200, "ada", 30 * 24 * 3600, "192.0.2.1"},
		{"an address", session.Login{UserID: "ada", IP: "198.51.100.7"}, 200, "ada", 1800, "198.51.100.7"},
		{"the user's epoch", session.Login{UserID: "ada", Epoch: 3}, 200, "ada", 1800, "192.0.2.1"},
		{"an older epoch", session.Login{UserID: "ada", Epoch: 2}, 403, "", 0, ""},
		{"no user", session.Login{}, 403, "", 0, ""},
	} {
		inApp(t, nethttp.Config{Credentials: func(*http.Request) (session.Login, error) { return c.login, nil }}, func(a *app) {
			a.Users.SetUser("ada", store.User{Epoch: 3})
			rec := a.client(fetch).Send("GET", "/account", "")
			cookies := rec.Result().Cookies()
			if rec.Code != c.want || c.user == "" && len(cookies) != 0 {
				a.Errorf("%s: %d, cookies %v; want %d", c.name, rec.Code, cookies, c.want)
			}
			if c.user == "" {
				return
			}
			if rec.Body.String() != c.user || cookiesOf(rec) != "login" || cookies[1].MaxAge != c.maxAge {
				a.Errorf("%s: the handler sees %q, cookies %v; want %q, and a refresh cookie for %d s", c.name, rec.Body, cookies, c.user, c.maxAge)
			}
			list, err := a.Sessions.List(a.Context(), c.user, "")
			if err != nil || len(list) != 1 || list[0].IP != c.ip {
				a.Errorf("%s: devices %+v, %v; want one from %s", c.name, list, err, c.ip)
			}
		})
	}
}

// A request with the cookies of a revoked session also carries credentials. Whether they
// are right or wrong, they get the request as it is, and a refusal deletes no refresh cookie.
func TestCredentials_AreAskedAfterARevokedSession(t *testing.T) {
	for _, c := range []struct {
		name    string
		login   session.Login
		err     error
		status  int
		cookies string
	}{
		{"right", session.Login{UserID: "grace"}, nil, 200, "login"},
		{"none", session.Login{}, session.ErrUnauthenticated, 401, "access"},
		{"wrong", session.Login{UserID: "grace"}, fmt.Errorf("%w: wrong password", session.ErrUnauthenticated), 401, "access"},
		{"cannot be checked", session.Login{UserID: "grace"}, errNoDirectory, 503, ""},
		{"of a disabled user", session.Login{UserID: "gone"}, nil, 403, ""},
		{"of a user who is known to be disabled", session.Login{}, session.ErrUserDisabled, 403, ""},
		{"of a user who does not fit into a cookie", session.Login{UserID: "big"}, nil, 500, ""},
	} {
		for _, kind := range []guardtest.Kind{fetch, viaHTMX, {}} {
			var got *http.Request
			credentials := func(r *http.Request) (session.Login, error) { got = r; return c.login, c.err }
			inApp(t, nethttp.Config{Credentials: credentials}, func(a *app) {
				a.Users.SetUser("gone", store.User{Disabled: true})
				a.Users.SetUser("big", store.User{Attrs: map[string]string{"x": strings.Repeat("y", 5000)}})
				b := a.client(pageLoad).LogIn("ada")
				a.end()
				rec := b.As(kind).Send("POST", "/account", "", "Authorization", "Bearer token")
				if rec.Code != c.status || cookiesOf(rec) != c.cookies {
					a.Errorf("%s, %v: %d, cookies %q; want %d, %q", c.name, kind, rec.Code, cookiesOf(rec), c.status, c.cookies)
				}
				if got == nil || got.Header.Get("Authorization") != "Bearer token" || got.Method != "POST" {
					a.Errorf("%s, %v: Credentials got %+v; want the request", c.name, kind, got)
				}
			})
		}
	}
}

// A browser adds credentials to a request by itself: after a link to
// http://mallory:pw@app.test/, it sends Mallory's, and every page that it then loads would
// be Mallory's.
func TestCredentials_LogNobodyInWhoDidNotSendThemOnPurpose(t *testing.T) {
	partner := http.NewCrossOriginProtection()
	if err := partner.AddTrustedOrigin("https://partner.test"); err != nil {
		t.Fatal(err)
	}
	const html = "text/html,application/xhtml+xml,*/*;q=0.8"
	for _, c := range []struct {
		name    string
		kind    guardtest.Kind
		trusted *http.CrossOriginProtection
		taken   bool
	}{
		{"curl", guardtest.Kind{"Accept": "*/*"}, nil, true},
		{"a program without headers", guardtest.Kind{}, nil, true},
		{"fetch of a page of this app", fetch, nil, true},
		{"htmx", viaHTMX, nil, true},
		{"a program that names its site", guardtest.Kind{"Origin": "https://app.test"}, nil, true},
		{"a link on another site", guardtest.Kind{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"}, nil, false},
		{"a link on a sibling host", guardtest.Kind{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-site"}, nil, false},
		{"a link in a mail", guardtest.Kind{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}, nil, false},
		{"a link of this app", pageLoad, nil, false},
		{"a link, in an old browser", guardtest.Kind{"Accept": html}, nil, false},
		{"an image on another site", guardtest.Kind{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}, nil, false},
		{"an image on a sibling host", guardtest.Kind{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"}, nil, false},
		{"fetch of another site", guardtest.Kind{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"}, nil, false},
		{"fetch of another site, in an old browser", guardtest.Kind{"Origin": "https://evil.test"}, nil, false},
		{"fetch of another site, which is trusted", guardtest.Kind{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site", "Origin": "https://partner.test"}, partner, true},
		{"a prefetch", guardtest.Kind{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Sec-Purpose": "prefetch"}, nil, false},
	} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			called := 0
			credentials := func(r *http.Request) (session.Login, error) { called++; return adasCredentials(r) }
			inApp(t, nethttp.Config{Credentials: credentials, CrossOrigin: c.trusted}, func(a *app) {
				before := a.Store.Calls()
				rec := a.client(c.kind).Send(method, "/account", "", "Authorization", "Basic bWFsbG9yeTpwdw==")
				if got := called == 1 && rec.Code == 200 && cookiesOf(rec) == "login"; got != c.taken {
					a.Errorf("%s, %s: %d, cookies %q, called %d times; want them taken: %v", c.name, method, rec.Code, cookiesOf(rec), called, c.taken)
				}
				if n := a.Store.Calls() - before; !c.taken && (called != 0 || n != 0 || cookiesOf(rec) != "") {
					a.Errorf("%s, %s: called %d times, %d statements, cookies %q; want none", c.name, method, called, n, cookiesOf(rec))
				}
			})
		}
	}
}

var errNoDirectory = errors.New("the directory does not answer")
