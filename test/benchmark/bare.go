package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// bare is the baseline of all comparisons: echo with a page that reads no cookie. The
// client still sends a cookie, which is as long as the two of sessionkit together.
var bare = &site{name: "bare echo", build: func(context.Context, string) (*echo.Echo, error) {
	return routes(echo.New(), anyUser, setNothing), nil
}}

// empty is echo with a middleware that does nothing.
var empty = &site{name: "an empty middleware", build: func(context.Context, string) (*echo.Echo, error) {
	e := echo.New()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error { return next(c) }
	})
	return routes(e, anyUser, setNothing), nil
}}

func anyUser(echo.Context) (string, []string) { return userID(0), roles }

func setNothing(c echo.Context, _ string) error {
	c.SetCookie(&http.Cookie{Name: "session", Value: strings.Repeat("x", 450)})
	return nil
}
