package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// bare is what all else is compared with: echo, and a page that looks at no
// cookie. It is sent one all the same, as long as sessionkit's two together.
var bare = &site{name: "bare echo", build: func(context.Context, string) (*echo.Echo, error) {
	return routes(echo.New(), anybody, setNothing), nil
}}

// empty is the least that a middleware can do.
var empty = &site{name: "an empty middleware", build: func(context.Context, string) (*echo.Echo, error) {
	e := echo.New()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error { return next(c) }
	})
	return routes(e, anybody, setNothing), nil
}}

func anybody(echo.Context) (string, []string) { return userID(0), roles }

func setNothing(c echo.Context, _ string) error {
	c.SetCookie(&http.Cookie{Name: "session", Value: strings.Repeat("x", 450)})
	return nil
}
