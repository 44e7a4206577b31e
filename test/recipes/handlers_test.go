package recipes

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// newApp returns the routes of an app behind its guard. It takes the Manager, so that tests can
// pass one that has its users in memory.
func newApp(sessions *session.Manager) (http.Handler, error) {
	guard, err := nethttp.New(sessions, nethttp.Config{})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /account", account)
	mux.Handle("GET /admin", guard.RequireRole("admin")(http.HandlerFunc(account)))
	mux.Handle("GET /password", guard.RequireRecentLogin(5*time.Minute)(http.HandlerFunc(account)))
	mux.Handle("GET /payments", guard.RequireMethod("otp")(http.HandlerFunc(account)))
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the login form") })
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("password") != "correct horse" { // in an app: its own check
			http.Error(w, "Wrong password.", http.StatusUnauthorized)
			return
		}
		if err := guard.Issue(w, r, session.Login{UserID: r.FormValue("user")}); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, guard.ReturnTo(r, "/account"), http.StatusSeeOther)
	})
	mux.HandleFunc("POST /logout", guard.Logout)
	return guard.Protect(mux), nil
}

func account(w http.ResponseWriter, r *http.Request) {
	s, _ := session.FromContext(r.Context())
	fmt.Fprintf(w, "Hello, %s.", s.UserID)
}

// newTestApp returns the app and what its tests control.
func newTestApp(t *testing.T) (http.Handler, *sessiontest.Kit) {
	t.Helper()
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{
		"ada":   {},
		"grace": {Roles: []string{"admin"}},
	})
	app, err := newApp(kit.Sessions)
	if err != nil {
		t.Fatal(err)
	}
	return app, kit
}

// A request of a user who is logged in.
func TestAccount_GreetsTheUser(t *testing.T) {
	app, kit := newTestApp(t)
	r := httptest.NewRequest(http.MethodGet, "/account", nil)
	sessiontest.LoginAs(t, kit.Sessions, r, "ada")
	answer := httptest.NewRecorder()
	app.ServeHTTP(answer, r)
	if got, want := answer.Body.String(), "Hello, ada."; answer.Code != http.StatusOK || got != want {
		t.Errorf("%d %q; want %q", answer.Code, got, want)
	}
}

// Each route admits whom it should. A program that is not logged in gets a 401.
func TestRoutes_AdmitWhomTheyShould(t *testing.T) {
	app, kit := newTestApp(t)
	for _, c := range []struct {
		path  string
		login session.Login
		want  int
	}{
		{"/account", session.Login{}, http.StatusUnauthorized},
		{"/admin", session.Login{UserID: "ada"}, http.StatusForbidden},
		{"/admin", session.Login{UserID: "grace"}, http.StatusOK},
		{"/payments", session.Login{UserID: "ada", Methods: []string{"pwd"}}, http.StatusUnauthorized},
		{"/payments", session.Login{UserID: "ada", Methods: []string{"pwd", "otp"}}, http.StatusOK},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		if c.login.UserID != "" {
			sessiontest.Login(t, kit.Sessions, r, c.login)
		}
		answer := httptest.NewRecorder()
		app.ServeHTTP(answer, r)
		if answer.Code != c.want {
			t.Errorf("%s for %+v: %d; want %d", c.path, c.login, answer.Code, c.want)
		}
	}
}

// A login of ten minutes ago is too old for the password page.
func TestPassword_AsksForANewLogin(t *testing.T) {
	app, kit := newTestApp(t)
	b := sessiontest.NewBrowser(app)
	s := b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
	if answer := b.Get("/password"); answer.StatusCode != http.StatusOK {
		t.Errorf("right after the login: %s", answer.Status)
	}
	kit.Store.AgeLogin(s.ID, 10*time.Minute)
	b.ExpireAccess() // the access cookie has the old time
	answer := b.Get("/password")
	if got, want := answer.Header.Get("Location"), "/login?next=%2Fpassword&reauth=1"; got != want {
		t.Errorf("ten minutes later: %s to %q; want %q", answer.Status, got, want)
	}
}

// When the access cookie has expired, the session is refreshed, and the page is served.
func TestAccount_AfterTheAccessCookieHasExpired(t *testing.T) {
	app, kit := newTestApp(t)
	b := sessiontest.NewBrowser(app)
	b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
	b.ExpireAccess()
	if answer := b.Get("/account"); answer.StatusCode != http.StatusOK {
		t.Errorf("after a refresh: %s", answer.Status)
	}
}

// A ban, and changed roles, take effect at the next refresh.
func TestAccount_OfABannedUser(t *testing.T) {
	app, kit := newTestApp(t)
	b := sessiontest.NewBrowser(app)
	b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
	kit.Users.SetUser("ada", store.User{Disabled: true})
	b.ExpireAccess()
	if answer := b.Get("/account"); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("%s; want 303", answer.Status)
	}
}

// The user has ended this session on another device.
func TestAccount_OfARevokedSession(t *testing.T) {
	app, kit := newTestApp(t)
	b := sessiontest.NewBrowser(app)
	s := b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
	sessiontest.Revoke(t, kit.Sessions, s)
	answer := b.Get("/account")
	if got, want := answer.Header.Get("Location"), "/login?next=%2Faccount"; got != want {
		t.Errorf("%s to %q; want %q", answer.Status, got, want)
	}
}

// While the database is down, access cookies are good, and nobody is logged out.
func TestAccount_InAnOutage(t *testing.T) {
	app, kit := newTestApp(t)
	b := sessiontest.NewBrowser(app)
	b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
	kit.Store.Fail(errors.New("connection refused"))
	if answer := b.Get("/account"); answer.StatusCode != http.StatusOK {
		t.Errorf("with an access cookie: %s", answer.Status)
	}
	b.ExpireAccess()
	answer := b.Get("/account")
	if answer.StatusCode != http.StatusServiceUnavailable || len(answer.Cookies()) != 0 {
		t.Errorf("without one: %s and the cookies %v; want 503 and none", answer.Status, answer.Cookies())
	}
}

// The Manager answers a refresh of the last second from memory, so a test lets it pass.
func TestAccount_InAnOutageRightAfterARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, kit := newTestApp(t)
		b := sessiontest.NewBrowser(app)
		b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
		b.ExpireAccess()
		b.Get("/account")
		kit.Store.Fail(errors.New("connection refused"))
		for _, want := range []int{http.StatusOK, http.StatusServiceUnavailable} {
			b.ExpireAccess()
			if answer := b.Get("/account"); answer.StatusCode != want {
				t.Errorf("%s; want %d", answer.Status, want)
			}
			time.Sleep(2 * time.Second)
		}
	})
}

// In a bubble of testing/synctest hours pass at once.
func TestSession_EndsHalfAnHourAfterTheLastRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, kit := newTestApp(t)
		b := sessiontest.NewBrowser(app)
		b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
		for range 10 {
			time.Sleep(29 * time.Minute)
			if answer := b.Get("/account"); answer.StatusCode != http.StatusOK {
				t.Fatalf("29 minutes after the last request: %s", answer.Status)
			}
		}
		time.Sleep(31 * time.Minute)
		if answer := b.Get("/account"); answer.StatusCode != http.StatusSeeOther {
			t.Errorf("31 minutes after it: %s", answer.Status)
		}
	})
}

// The whole way: the page, the login form, back to the page, and the logout. The requests go over
// a real connection with TLS.
func TestLogin_LeadsBackToThePage(t *testing.T) {
	app, _ := newTestApp(t)
	server := httptest.NewTLSServer(app)
	defer server.Close()
	b := sessiontest.NewServerBrowser(server)

	page := b.Get("/account").Header.Get("Location") // "/login?next=%2Faccount"
	answer := b.PostForm(page, url.Values{"user": {"ada"}, "password": {"correct horse"}})
	if got := answer.Header.Get("Location"); got != "/account" {
		t.Fatalf("the login: %s to %q", answer.Status, got)
	}
	if body, _ := io.ReadAll(b.Get("/account").Body); string(body) != "Hello, ada." {
		t.Errorf("the page says %q", body)
	}
	b.PostForm("/logout", nil)
	if answer := b.Get("/account"); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("after the logout: %s", answer.Status)
	}
}

// A form of another site changes nothing.
func TestLogout_OfAnotherSite(t *testing.T) {
	app, kit := newTestApp(t)
	b := sessiontest.NewBrowser(app)
	b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
	r := b.NewRequest(http.MethodPost, "/logout", nil)
	r.Header.Set("Origin", "https://evil.example")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if answer := b.Do(r); answer.StatusCode != http.StatusForbidden {
		t.Errorf("%s; want 403", answer.Status)
	}
}

// A handler alone, without a guard.
func TestAccount_Alone(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/account", nil)
	r = r.WithContext(session.Session{UserID: "ada"}.NewContext(r.Context()))
	answer := httptest.NewRecorder()
	account(answer, r)
	if got, want := answer.Body.String(), "Hello, ada."; got != want {
		t.Errorf("%q; want %q", got, want)
	}
}
