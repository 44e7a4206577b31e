package main

import (
	"context"
	"crypto/rand"
	"encoding/gob"
	"net/http"

	"github.com/gorilla/sessions"
	contrib "github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"
)

func init() { gob.Register([]string{}) }

// gorillaStore signs and encrypts its cookie, and uses its default serializer, gob.
func gorillaStore() sessions.Store {
	mac, enc := make([]byte, 64), make([]byte, 32)
	rand.Read(mac)
	rand.Read(enc)
	return sessions.NewCookieStore(mac, enc)
}

var gorilla = &site{name: "gorilla/sessions, cookie store", build: func(context.Context, string) (*echo.Echo, error) {
	store := gorillaStore()
	e := echo.New()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if s, err := store.Get(c.Request(), "session"); (err != nil || s.IsNew) && !onLogin(c) {
				return echo.ErrUnauthorized
			}
			return next(c)
		}
	})
	return withSessions(e, func(c echo.Context) (*sessions.Session, error) { return store.Get(c.Request(), "session") }), nil
}}

var echoContrib = &site{name: "echo-contrib session, cookie store", build: func(context.Context, string) (*echo.Echo, error) {
	e := echo.New()
	e.Use(contrib.Middleware(gorillaStore()))
	return withSessions(e, func(c echo.Context) (*sessions.Session, error) { return contrib.Get("session", c) }), nil
}}

func withSessions(e *echo.Echo, get func(echo.Context) (*sessions.Session, error)) *echo.Echo {
	who := func(c echo.Context) (string, []string) {
		s, err := get(c)
		if err != nil {
			return "", nil
		}
		user, _ := s.Values["user"].(string)
		has, _ := s.Values["roles"].([]string)
		return user, has
	}
	login := func(c echo.Context, user string) error {
		s, err := get(c)
		if err != nil {
			return err
		}
		s.Options.Secure, s.Options.HttpOnly, s.Options.SameSite = true, true, http.SameSiteLaxMode
		s.Values["user"], s.Values["roles"] = user, roles
		return s.Save(c.Request(), c.Response())
	}
	return routes(e, who, login)
}
