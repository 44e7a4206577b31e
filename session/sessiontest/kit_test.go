package sessiontest_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// Login passes the facts of the session on, and the store has the roles.
func TestLogin_PutsASessionWithItsFactsIntoTheRequest(t *testing.T) {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"ada": {Roles: []string{"admin"}}, "grace": {}})
	r := httptest.NewRequest(http.MethodGet, "https://app.test/", nil)
	sessiontest.LoginAs(t, kit.Sessions, r, "grace")
	login := session.Login{UserID: "ada", Methods: []string{"pwd", "otp"}, Data: map[string]string{"tenant": "7"}}
	s := sessiontest.Login(t, kit.Sessions, r, login)
	v, err := kit.Sessions.Authenticate(r)
	if err != nil {
		t.Fatal(err)
	}
	got := v.Session()
	if got.ID != s.ID || got.UserID != "ada" || !got.HasRole("admin") || !reflect.DeepEqual(got.Methods, login.Methods) || !reflect.DeepEqual(got.Data, login.Data) {
		t.Errorf("the request's session is %+v; want that of the Login", got)
	}
	if n := len(r.Cookies()); n != 3 {
		t.Errorf("%d cookies; want the 3 of one session", n)
	}
}

// The parts of a Kit belong together, and each Kit has its own key.
func TestNew_MakesAManagerOfItsOwn(t *testing.T) {
	users := map[string]store.User{"ada": {}}
	kit, other := sessiontest.New(t, session.Config{}, users), sessiontest.New(t, session.Config{}, users)
	r := httptest.NewRequest(http.MethodGet, "https://app.test/", nil)
	sessiontest.LoginAs(t, kit.Sessions, r, "ada")
	if kit.Store.Calls("Create") != 1 || kit.Store.Unwrap() != store.Store(kit.Users) {
		t.Errorf("%d calls of Create; the store is not that of the Manager", kit.Store.Calls("Create"))
	}
	if _, err := other.Sessions.Authenticate(r); !errors.Is(err, session.ErrUnauthenticated) {
		t.Errorf("another Kit says %v; want ErrUnauthenticated", err)
	}
	kit.Users.SetUser("ada", store.User{Disabled: true})
	sessiontest.ExpireAccess(r)
	if _, err := kit.Sessions.Authenticate(r); !errors.Is(err, session.ErrUnauthenticated) {
		t.Errorf("a disabled user: %v", err)
	}
}

// What a helper says in a failing test names the remedy.
func TestHelpers_SayWhatToDo(t *testing.T) {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"grace": {Epoch: 2}, "banned": {Disabled: true}})
	request := func() *http.Request { return httptest.NewRequest(http.MethodGet, "/", nil) }
	for name, c := range map[string]struct {
		do   func(t testing.TB)
		want string
	}{
		"an unknown user": {func(t testing.TB) { sessiontest.LoginAs(t, kit.Sessions, request(), "ada") }, "Kit.Users.SetUser"},
		"in a browser":    {func(t testing.TB) { sessiontest.NewBrowser(nil).Login(t, kit.Sessions, session.Login{UserID: "ada"}) }, "Kit.Users.SetUser"},
		"a banned user":   {func(t testing.TB) { sessiontest.LoginAs(t, kit.Sessions, request(), "banned") }, "before the ban"},
		"an old epoch": {func(t testing.TB) {
			sessiontest.Login(t, kit.Sessions, request(), session.Login{UserID: "grace", Epoch: 1})
		}, "leave Login.Epoch at 0"},
		"a store that is down": {func(t testing.TB) {
			kit.Store.Fail(errors.New("down"))
			defer kit.Store.Fail(nil)
			sessiontest.LoginAs(t, kit.Sessions, request(), "grace")
		}, "Store.Fail(nil)"},
		"no tokens": {func(t testing.TB) {
			sessiontest.LoginWithToken(t, kit.Sessions, request(), session.Login{UserID: "grace"})
		}, "Config.TokenTTL is 0: set it"},
		"an unknown session":  {func(t testing.TB) { sessiontest.Revoke(t, kit.Sessions, session.Session{UserID: "grace"}) }, "that Login has returned"},
		"a faulty Config":     {func(t testing.TB) { sessiontest.New(t, session.Config{App: "a b"}, nil) }, "App"},
		"a browser of no app": {func(testing.TB) { sessiontest.NewBrowser(nil).Get("/") }, "give NewBrowser a handler"},
		"a misspelt call":     {func(testing.TB) { kit.Store.Fail(errors.New("down"), "Find", "Confrim") }, `no method "Confrim": use Changes, Confirm, `},
	} {
		func() {
			tb := &failingTB{TB: t}
			defer func() {
				said := tb.fatal
				if panicked := recover(); panicked != (stopped{}) { // there is no test to fail
					said = fmt.Sprint(panicked)
				}
				if !strings.Contains(said, c.want) || strings.Contains(said, "SetUser") != strings.Contains(c.want, "SetUser") {
					t.Errorf("%s: it says %q; want a word of %s", name, said, c.want)
				}
			}()
			c.do(tb)
		}()
	}
}

// A browser of a TLS server keeps the Secure cookies, and its requests arrive over a real
// connection.
func TestNewServerBrowser_KeepsALoginOverTLS(t *testing.T) {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"ada": {}})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := kit.Sessions.Authenticate(r)
		v.SetCookies(w)
		_, hijacks := w.(http.Hijacker)
		fmt.Fprint(w, r.URL, " ", r.TLS != nil, err == nil && v.Session().UserID == "ada", hijacks)
	}))
	defer server.Close()
	b := sessiontest.NewServerBrowser(server)
	if got := bodyOf(t, b.Get("/a?b=1")); got != "/a?b=1 true false true" {
		t.Errorf("before the login: %q", got)
	}
	b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
	b.ExpireAccess()
	for range 2 {
		if got := bodyOf(t, b.Get("/")); got != "/ true true true" {
			t.Errorf("after the login: %q", got)
		}
	}
}
