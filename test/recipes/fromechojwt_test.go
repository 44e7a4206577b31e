package recipes

import (
	"errors"
	"net/http"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"

	sessionmw "github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// acceptJWT puts a good token of the cookie into the context, under "user", as the middleware did
// that the app has had. It refuses nobody any more: the guard does.
func acceptJWT(key []byte) echo.MiddlewareFunc {
	return echojwt.WithConfig(echojwt.Config{
		SigningKey:             key,
		TokenLookup:            "cookie:token",
		NewClaimsFunc:          func(echo.Context) jwt.Claims { return new(claims) },
		ErrorHandler:           func(echo.Context, error) error { return nil },
		ContinueOnIgnoredError: true,
	})
}

// loginOfEchoJWT returns the user of the token that acceptJWT has verified.
func loginOfEchoJWT(c echo.Context) (session.Login, bool) {
	token, ok := c.Get("user").(*jwt.Token)
	if !ok {
		return session.Login{}, false
	}
	claims := token.Claims.(*claims)
	return session.Login{UserID: claims.Subject, Epoch: max(claims.Epoch, 1)}, claims.Subject != "" && claims.ExpiresAt != nil
}

func endEchoJWT(c echo.Context) {
	c.SetCookie(&http.Cookie{Name: "token", Path: "/", MaxAge: -1, Secure: true, HttpOnly: true})
}

// moveEchoJWT begins a session for each request that has a token and no session. Mount it behind
// guard.Identify and acceptJWT, and before guard.Protect.
func moveEchoJWT(guard *sessionmw.Guard) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			login, ok := loginOfEchoJWT(c)
			if !ok || session.IsPrefetch(c.Request()) || !errors.Is(guard.Err(c), session.ErrUnauthenticated) {
				return next(c)
			}
			err := guard.Issue(c, login)
			if err != nil && !errors.Is(err, session.ErrUserDisabled) {
				return guard.WriteError(c, err) // the store does not answer: the token stays
			}
			endEchoJWT(c) // also after a refusal: the user is disabled, or has a new password
			return next(c)
		}
	}
}

func newEchoShop(t *testing.T) *shop {
	s, key := newStore(t), newJWTKey()
	guard, err := sessionmw.New(s.Sessions, sessionmw.Config{})
	if err != nil {
		t.Fatal(err)
	}
	setToken := func(c echo.Context, epoch uint64) {
		c.SetCookie(&http.Cookie{Name: "token", Value: newToken(t, key, c.FormValue("user"), epoch), Path: "/", Secure: true, HttpOnly: true})
	}
	pages := func(login, logout echo.HandlerFunc, use ...echo.MiddlewareFunc) http.Handler {
		e := echo.New()
		e.Use(use...)
		e.GET("/login", func(c echo.Context) error { return c.String(http.StatusOK, "the login form") })
		e.POST("/login", login)
		e.POST("/logout", logout)
		e.Match([]string{"GET", "POST"}, "/orders", func(c echo.Context) error {
			userID := ""
			if found, ok := session.FromContext(c.Request().Context()); ok {
				userID = found.UserID
			} else if login, ok := loginOfEchoJWT(c); ok {
				userID = login.UserID
			} else {
				return c.Redirect(http.StatusSeeOther, "/login")
			}
			return c.String(http.StatusOK, c.Request().Method+" of "+userID+": "+c.FormValue("item"))
		})
		return e
	}
	logoutBoth := func(c echo.Context) error {
		endEchoJWT(c)
		return guard.Logout(c)
	}
	loginMoved := func(c echo.Context) error {
		if err := guard.Issue(c, session.Login{UserID: c.FormValue("user"), Epoch: 1, Methods: []string{"pwd"}}); err != nil {
			return err
		}
		endEchoJWT(c)
		return c.Redirect(http.StatusSeeOther, guard.ReturnTo(c, "/orders"))
	}
	loginBefore := func(c echo.Context) error {
		setToken(c, 0)
		return c.Redirect(http.StatusSeeOther, "/orders")
	}
	logoutBefore := func(c echo.Context) error {
		endEchoJWT(c)
		return c.Redirect(http.StatusSeeOther, "/login")
	}
	loginBoth := func(c echo.Context) error {
		verdict, err := s.Sessions.Logout(c.Request()) // a browser never has two users
		if err != nil {
			return guard.WriteError(c, err)
		}
		verdict.SetCookies(c.Response())
		epoch := uint64(1) // in an app: of the user's row
		if c.FormValue("epoch") != "" {
			epoch = 2
		}
		setToken(c, epoch)
		return c.Redirect(http.StatusSeeOther, "/orders")
	}
	s.original = pages(loginBefore, logoutBefore, acceptJWT(key))
	s.both = pages(loginBoth, logoutBoth, guard.Identify, acceptJWT(key))
	s.moving = pages(loginMoved, logoutBoth, guard.Identify, acceptJWT(key), moveEchoJWT(guard), guard.Protect)
	s.moved = pages(loginMoved, guard.Logout, guard.Protect)
	return s
}

func TestMoveOver_FromEchoJWT(t *testing.T) { testMoveOver(t, newEchoShop) }
