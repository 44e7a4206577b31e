package echov5_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/labstack/echo/v5"

	"github.com/sessionkit/sessionkit/middleware/echov5"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// newExample is an app on echo v5. Its Manager comes from session.New, with sqlstore.New.
func newExample(sessions *session.Manager) *echo.Echo {
	guard, err := echov5.New(sessions, echov5.Config{Public: []string{"/", "/static*"}})
	if err != nil {
		panic(err)
	}
	e := echo.New()
	e.Use(guard.Protect) // the one line: all but the login page and what is public
	e.POST("/login", func(c *echo.Context) error {
		// The password was checked.
		if err := guard.Issue(c, session.Login{UserID: c.FormValue("user")}); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, guard.ReturnTo(c, "/account"))
	})
	e.POST("/logout", guard.Logout)
	e.GET("/account", func(c *echo.Context) error {
		s, _ := session.FromContext(c.Request().Context())
		return c.String(http.StatusOK, "hello, "+s.UserID)
	})
	e.GET("/admin", func(c *echo.Context) error { return c.String(http.StatusOK, "admin page") }, guard.RequireRole("admin"))
	return e
}

// An app on echo v5, as a browser sees it.
func Example() {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"ada": {}})
	b := sessiontest.NewBrowser(newExample(kit.Sessions))
	show := func(answer *http.Response) { fmt.Printf("%d %q\n", answer.StatusCode, answer.Header.Get("Location")) }
	show(b.Get("/account"))
	show(b.PostForm("/login?next=%2Faccount", url.Values{"user": {"ada"}}))
	show(b.Get("/account"))
	show(b.Get("/admin"))
	show(b.PostForm("/logout", nil))
	show(b.Get("/account"))
	// Output:
	// 303 "/login?next=%2Faccount"
	// 303 "/account"
	// 200 ""
	// 403 ""
	// 303 "/login"
	// 303 "/login?next=%2Faccount"
}

// A test of a handler needs no login page: LoginAs puts a session into the request.
func Example_sessiontest() {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"grace": {Roles: []string{"admin"}}})
	r := httptest.NewRequest(http.MethodGet, "/admin", nil)
	sessiontest.LoginAs(t, kit.Sessions, r, "grace")
	answer := httptest.NewRecorder()
	newExample(kit.Sessions).ServeHTTP(answer, r)
	fmt.Println(answer.Code, answer.Body)
	// Output: 200 admin page
}

// t takes the place of a test's *testing.T in an example.
var t exampleT

type exampleT struct{ testing.TB }

func (exampleT) Helper()                           {}
func (exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
