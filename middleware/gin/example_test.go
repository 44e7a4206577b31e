package gin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/gin-gonic/gin"

	sessiongin "github.com/sessionkit/sessionkit/middleware/gin"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// newExample is an app on gin. Its Manager comes from session.New, with sqlstore.New.
func newExample(sessions *session.Manager) *gin.Engine {
	engine := gin.New()
	guard, err := sessiongin.New(sessions, sessiongin.Config{Engine: engine, Public: []string{"/", "/static/*filepath"}})
	if err != nil {
		panic(err)
	}
	engine.Use(guard.Protect) // the one line: all but the login page and what is public
	engine.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "home") })
	engine.POST("/login", func(c *gin.Context) {
		// The password was checked.
		if err := guard.Issue(c, session.Login{UserID: c.PostForm("user")}); err != nil {
			guard.WriteError(c, err)
			return
		}
		c.Redirect(http.StatusSeeOther, guard.ReturnTo(c, "/account"))
	})
	engine.POST("/logout", guard.Logout)
	engine.Static("/static", ".")
	engine.GET("/account", func(c *gin.Context) {
		s, _ := session.FromContext(c.Request.Context())
		c.String(http.StatusOK, "hello, %s", s.UserID)
	})
	engine.GET("/admin", guard.RequireRole("admin"), func(c *gin.Context) { c.String(http.StatusOK, "admin page") })
	return engine
}

// An app on gin, as a browser sees it.
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
