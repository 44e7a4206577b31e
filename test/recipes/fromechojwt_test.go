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
	"github.com/sessionkit/sessionkit/session/store"
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
			err := guard.Err(c)
			if !ok || session.IsPrefetch(c.Request()) || err != nil && !errors.Is(err, session.ErrUnauthenticated) {
				return next(c)
			}
			if err != nil { // no session
				err = guard.Issue(c, login)
			}
			if err != nil && !errors.Is(err, session.ErrUserDisabled) {
				return guard.WriteError(c, err) // the store does not answer: the token stays
			}
			endEchoJWT(c) // also beside a session, and after a refusal: the user is disabled, or has a new password
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
	type beginLogin func(c echo.Context, userID string, epoch uint64) error
	begin := func(c echo.Context, userID string, epoch uint64) error {
		c.SetCookie(&http.Cookie{Name: "token", Value: newToken(t, key, userID, epoch), Path: "/", Secure: true, HttpOnly: true})
		return nil
	}
	user := func(c echo.Context) (string, error) {
		if found, ok := session.FromContext(c.Request().Context()); ok {
			return found.UserID, nil
		}
		if login, ok := loginOfEchoJWT(c); ok {
			return login.UserID, nil
		}
		return "", guard.Err(c)
	}
	pages := func(begin, renew beginLogin, logout echo.HandlerFunc, use ...echo.MiddlewareFunc) http.Handler {
		e := echo.New()
		e.Use(use...)
		e.GET("/login", func(c echo.Context) error { return c.String(http.StatusOK, "the login form") })
		e.POST("/login", func(c echo.Context) error {
			if err := begin(c, c.FormValue("user"), epochOf(c.FormValue("epoch"))); err != nil {
				return guard.WriteError(c, err)
			}
			return c.Redirect(http.StatusSeeOther, guard.ReturnTo(c, "/orders"))
		})
		e.POST("/logout", logout)
		e.POST("/password", func(c echo.Context) error {
			userID, err := user(c)
			if err != nil {
				return guard.WriteError(c, err)
			}
			epoch := epochOf(c.FormValue("epoch"))
			s.Users.SetUser(userID, store.User{Epoch: epoch})
			if err := renew(c, userID, epoch); err != nil {
				return guard.WriteError(c, err)
			}
			return c.NoContent(http.StatusOK)
		})
		e.POST("/code", func(c echo.Context) error {
			if err := guard.StepUp(c, "otp"); err != nil {
				return guard.WriteError(c, err)
			}
			return c.NoContent(http.StatusOK)
		})
		e.Match([]string{"GET", "POST"}, "/orders", func(c echo.Context) error {
			userID, err := user(c)
			if err != nil {
				return guard.WriteError(c, err)
			}
			return c.String(http.StatusOK, c.Request().Method+" of "+userID+": "+c.FormValue("item"))
		})
		return e
	}
	logoutBefore := func(c echo.Context) error {
		endEchoJWT(c)
		return c.Redirect(http.StatusSeeOther, "/login")
	}
	logoutBoth := func(c echo.Context) error {
		endEchoJWT(c)
		return guard.Logout(c)
	}
	beginBefore := func(c echo.Context, userID string, _ uint64) error { return begin(c, userID, 0) }
	beginBoth := func(c echo.Context, userID string, epoch uint64) error {
		verdict, err := s.Sessions.Logout(c.Request()) // a browser never has two users
		if err != nil {
			return err
		}
		verdict.SetCookies(c.Response())
		return begin(c, userID, epoch)
	}
	beginMoving := func(c echo.Context, userID string, epoch uint64) error {
		if err := guard.Issue(c, session.Login{UserID: userID, Epoch: epoch, Methods: []string{"pwd"}}); err != nil {
			return err
		}
		endEchoJWT(c)
		return nil
	}
	renewMoved := func(c echo.Context, _ string, epoch uint64) error { return guard.PasswordChanged(c, epoch) }
	s.original = pages(beginBefore, beginBefore, logoutBefore, acceptJWT(key))
	s.both = pages(beginBoth, beginBoth, logoutBoth, guard.Identify, acceptJWT(key))
	s.moving = pages(beginMoving, beginMoving, logoutBoth, guard.Identify, acceptJWT(key), moveEchoJWT(guard), guard.Protect)
	s.moved = pages(beginMoving, renewMoved, guard.Logout, guard.Protect)
	return s
}

func TestMoveOver_FromEchoJWT(t *testing.T) { testMoveOver(t, newEchoShop) }
