package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"
)

// claims are parsed into a struct, which is faster in echo-jwt than a map.
type claims struct {
	Roles []string `json:"roles"`
	jwt.RegisteredClaims
}

var echoJWT = &site{name: "echo-jwt, HS256", build: func(context.Context, string) (*echo.Echo, error) {
	key := make([]byte, 32)
	rand.Read(key)
	e := echo.New()
	e.Use(echojwt.WithConfig(echojwt.Config{
		Skipper:       onLogin,
		SigningKey:    key,
		TokenLookup:   "cookie:access",
		NewClaimsFunc: func(echo.Context) jwt.Claims { return new(claims) },
	}))
	who := func(c echo.Context) (string, []string) {
		has := c.Get("user").(*jwt.Token).Claims.(*claims)
		return has.Subject, has.Roles
	}
	login := func(c echo.Context, user string) error {
		now := time.Now()
		value, err := jwt.NewWithClaims(jwt.SigningMethodHS256, &claims{roles, jwt.RegisteredClaims{
			ID: rand.Text(), Subject: user, IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
		}}).SignedString(key)
		if err != nil {
			return err
		}
		c.SetCookie(&http.Cookie{Name: "access", Value: value})
		return nil
	}
	return routes(e, who, login), nil
}}
