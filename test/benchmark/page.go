package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
)

// roles are the roles of every user. A user id has 26 characters, like a ULID.
var roles = []string{"reader", "editor", "billing"}

func userID(n int) string { return fmt.Sprintf("01K5Q8ZT4X9M7WV3B2RC%06d", n) }

// A site is a small app with a login and a page for users who are logged in. Sites
// differ only in the way in which they authenticate a request.
type site struct {
	name string

	// params are the DSN parameters of the site's database. A site with nil has no
	// database.
	params []string

	build func(ctx context.Context, dsn string) (*echo.Echo, error)
}

// routes adds the two routes of a site. The middleware must be installed before.
func routes(e *echo.Echo, who func(echo.Context) (string, []string), login func(echo.Context, string) error) *echo.Echo {
	e.GET("/", func(c echo.Context) error {
		user, has := who(c)
		if user == "" || len(has) != len(roles) {
			return echo.ErrUnauthorized
		}
		return c.String(http.StatusOK, user)
	})
	e.POST("/login", func(c echo.Context) error {
		if err := login(c, c.QueryParam("user")); err != nil {
			return err
		}
		return c.NoContent(http.StatusNoContent)
	})
	return e
}

// onLogin reports whether a request is for the login. Middleware that requires a
// session must let it pass.
func onLogin(c echo.Context) bool { return c.Path() == "/login" }
