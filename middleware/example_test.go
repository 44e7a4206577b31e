package middleware_test

import (
	"context"
	"database/sql"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/labstack/echo/v4"

	sessionmw "github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// must ends the program if the app cannot start.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// users takes the place of the app's own code: Verify checks the password, and returns the epoch
// of the same row.
var users interface {
	Verify(email, password string) (user struct {
		ID    string
		Epoch uint64
	}, err error)
}

var loginPage, admin, form, change echo.HandlerFunc

// This is all that an app adds. Its users table needs the columns session_epoch, disabled
// and roles, or others that sqlstore.Config names.
func Example() {
	ctx := context.Background()
	e := echo.New()
	db := must(sql.Open("mysql", os.Getenv("DSN")))

	keys := must(session.ParseKeys(os.Getenv("SESSION_KEYS")))
	store := must(sqlstore.New(db, sqlstore.Config{}))
	if err := store.Migrate(ctx); err != nil { // creates the kit's three tables, checks yours
		log.Fatal(err)
	}
	sessions := must(session.New(keys, store, session.Config{OnEvent: session.LogEvents(slog.Default())}))
	guard := must(sessionmw.New(sessions, sessionmw.Config{Public: []string{"/", "/static*"}}))
	go sessions.Run(ctx) // learns of revocations on other nodes, removes dead rows

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

// A handler reads the session from the context of the request.
func ExampleGuard_Identify() {
	_ = func(c echo.Context) error {
		s, ok := session.FromContext(c.Request().Context())
		if !ok {
			return c.String(http.StatusOK, "Hello, stranger")
		}
		return c.String(http.StatusOK, "Hello, "+s.Attrs["name"])
	}
}

// The roles in an access cookie are up to AccessTTL old. Where that is too old, ask the
// store: for each request of a route, or for some.
func ExampleGuard_RequireLive() {
	var guard *sessionmw.Guard
	e := echo.New()
	e.POST("/users/delete", change, guard.RequireRole("admin"), guard.RequireLive)
	e.POST("/pay", func(c echo.Context) error {
		if c.FormValue("amount") == "1" {
			return change(c)
		}
		return guard.RequireLive(change)(c)
	})
}
