package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	sessionmw "github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// exampleT takes the place of a test's *testing.T in an example.
type exampleT struct{ testing.TB }

func (exampleT) Helper()                           {}
func (exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// A test of routes behind a guard needs no database and no login page: LoginAs adds the
// cookies of a session to the request.
func Example_sessiontest() {
	var t exampleT
	users := store.NewMemory()
	users.SetUser("1", store.User{Epoch: 1, Roles: []string{"admin"}})
	users.SetUser("2", store.User{Epoch: 1})
	keys := must(session.ParseKeys(session.GenerateKey()))
	sessions := must(session.New(keys, users, session.Config{}))
	guard := must(sessionmw.New(sessions, sessionmw.Config{}))

	e := echo.New()
	e.Use(guard.Protect)
	e.GET("/admin", func(c echo.Context) error {
		s, _ := session.FromContext(c.Request().Context())
		return c.String(http.StatusOK, "hello, user "+s.UserID)
	}, guard.RequireRole("admin"), guard.RequireLive)

	for _, userID := range []string{"", "1", "2"} {
		r := httptest.NewRequest(http.MethodGet, "/admin", nil)
		r.Header.Set("Accept", "text/html")
		if userID != "" {
			sessiontest.LoginAs(t, sessions, r, userID)
		}
		answer := httptest.NewRecorder()
		e.ServeHTTP(answer, r)
		switch answer.Code {
		case http.StatusOK:
			fmt.Println(answer.Code, answer.Body)
		default:
			fmt.Println(answer.Code, answer.Header().Get("Location"))
		}
	}
	// Output:
	// 303 /login?next=%2Fadmin
	// 200 hello, user 1
	// 403
}
