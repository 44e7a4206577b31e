package middleware_test

import (
	"context"
	"database/sql"
	"errors"
	"log"
	"net/http"
	"os"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/labstack/echo/v4"

	sessionmw "github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// must ends a start that cannot succeed.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// users stands for what an app has: rows with a password hash, and the epoch
// that was read together with it.
var users interface {
	Verify(email, password string) (user struct {
		ID    string
		Epoch uint64
	}, err error)
}

var loginPage, admin, form, change echo.HandlerFunc

// The whole of what an app adds. Its users table needs the columns
// session_epoch, disabled and roles; sqlstore.Config gives them other names.
func Example() {
	ctx := context.Background()
	e := echo.New()
	db := must(sql.Open("mysql", os.Getenv("DSN")))

	keys := must(session.ParseKeys(os.Getenv("SESSION_KEYS")))
	store := must(sqlstore.New(db, sqlstore.Config{}))
	if err := store.Migrate(ctx); err != nil { // creates the kit's two tables, checks yours
		log.Fatal(err)
	}
	sessions := must(session.New(keys, store, session.Config{}))
	guard := must(sessionmw.New(sessions, sessionmw.Config{Public: []string{"/", "/static*"}}))
	go sessions.Run(ctx) // revocations reach this node in about a second; dead rows go

	e.Use(guard.Protect) // the one line: all but the login page and what is public
	e.GET("/login", loginPage)
	e.POST("/login", func(c echo.Context) error {
		user, err := users.Verify(c.FormValue("email"), c.FormValue("password"))
		if err != nil {
			return echo.NewHTTPError(http.StatusUnauthorized, "wrong e-mail or password")
		}
		if err := guard.Issue(c, session.Login{UserID: user.ID, Epoch: user.Epoch}); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, guard.ReturnTo(c, "/"))
	})
	e.POST("/logout", guard.Logout)
	e.GET("/admin", admin, guard.RequireRole("admin"))
	e.GET("/password", form, guard.RequireRecentLogin(5*time.Minute))
	e.POST("/password", change, guard.RequireRecentLogin(5*time.Minute))
}

// What a handler sees.
func ExampleGuard_Identify() {
	_ = func(c echo.Context) error {
		s, ok := session.FromContext(c.Request().Context())
		if !ok {
			return c.String(http.StatusOK, "Hello, stranger")
		}
		return c.String(http.StatusOK, "Hello, "+s.Attrs["name"])
	}
}

// Roles on a cookie are up to AccessTTL old. Where that is too old, ask the store.
func ExampleGuard_RequireRole() {
	var sessions *session.Manager
	_ = func(c echo.Context) error {
		s, _ := session.FromContext(c.Request().Context())
		if err := sessions.Check(c.Request().Context(), s); errors.Is(err, session.ErrUnauthenticated) {
			return echo.ErrUnauthorized
		} else if err != nil {
			return echo.ErrServiceUnavailable
		}
		return c.NoContent(http.StatusNoContent) // pay, delete, publish
	}
}
