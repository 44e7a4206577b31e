package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
)

// Everybody has the same roles, and an id of 26 characters, as a ULID has.
var roles = []string{"reader", "editor", "billing"}

func userID(n int) string { return fmt.Sprintf("01K5Q8ZT4X9M7WV3B2RC%06d", n) }

// A site is a small app with a page for users who are logged in, and a login.
// Sites differ in how they know whose request it is, and in nothing else.
type site struct {
	name string

	// params are for the DSN of the database that the site wants: nil, none.
	params []string

	build func(ctx context.Context, dsn string) (*echo.Echo, error)
}

// routes adds the two routes to a site whose middleware is in place.
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

// onLogin says which requests are for the login, for middleware that would
// refuse them.
func onLogin(c echo.Context) bool { return c.Path() == "/login" }
