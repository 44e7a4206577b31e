package middleware_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// The rules are those of nethttp. On echo, each call must also reach the rest of the chain.
func TestGuard_StepUpAndUpdateChangeTheSessionOfTheAnswer(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		facts := func(c echo.Context) error {
			s, _ := session.FromContext(c.Request().Context())
			return c.String(http.StatusOK, fmt.Sprint(s.Methods, s.Data))
		}
		a.echo.GET("/vault", facts, a.guard.RequireMethod("otp", "hwk"))
		a.echo.POST("/second", func(c echo.Context) error {
			if err := a.guard.StepUp(c, c.FormValue("method")); err != nil {
				return err
			}
			return facts(c)
		})
		a.echo.POST("/tenant", func(c echo.Context) error {
			if err := a.guard.Update(c, map[string]string{"tenant": c.FormValue("id")}); err != nil {
				return err
			}
			return facts(c)
		})
		b := a.client(pageLoad)
		for _, path := range []string{"/second", "/tenant"} {
			if rec := b.Send("POST", path, "method=otp&id=2"); rec.Code != 303 {
				a.Errorf("%s without a session: %d; want 303", path, rec.Code)
			}
		}
		b.LogIn("ada")
		if rec := b.Send("GET", "/vault", ""); rec.Code != 303 || rec.Header().Get("Location") != "/login?method=otp%2Chwk&next=%2Fvault&reauth=1" {
			a.Errorf("without the method: %d to %q", rec.Code, rec.Header().Get("Location"))
		}
		for _, c := range []struct{ method, path, body, want string }{
			{"POST", "/second", "method=hwk", "[hwk] map[]"},
			{"GET", "/vault", "", "[hwk] map[]"},
			{"POST", "/tenant", "id=7", "[hwk] map[tenant:7]"},
			{"GET", "/vault", "", "[hwk] map[tenant:7]"},
		} {
			if rec := b.Send(c.method, c.path, c.body); rec.Code != 200 || rec.Body.String() != c.want {
				a.Errorf("%s %s: %d %q; want %q", c.method, c.path, rec.Code, rec.Body, c.want)
			}
		}
		time.Sleep(3 * time.Minute)
		if rec := b.Send("GET", "/vault", ""); rec.Body.String() != "[hwk] map[tenant:7]" {
			a.Errorf("after a refresh: %d %q", rec.Code, rec.Body)
		}
	})
}

func TestGuard_StopImpersonatingLeadsBack(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		who := func(c echo.Context) error {
			s, _ := session.FromContext(c.Request().Context())
			return c.String(http.StatusOK, s.UserID+" by "+s.Actor)
		}
		a.echo.GET("/who", who)
		a.echo.POST("/act-as", func(c echo.Context) error {
			if err := a.guard.Issue(c, session.Login{UserID: "ada", Actor: "grace"}); err != nil {
				return err
			}
			return who(c)
		})
		a.echo.POST("/stop", func(c echo.Context) error {
			if err := a.guard.StopImpersonating(c); err != nil {
				return err
			}
			return who(c)
		})
		b := a.client(pageLoad)
		if rec := b.Send("POST", "/stop", ""); rec.Code != 303 {
			a.Errorf("without a session: %d; want 303", rec.Code)
		}
		b.LogIn("grace")
		for _, c := range []struct{ method, path, want string }{
			{"POST", "/act-as", "ada by grace"},
			{"GET", "/who", "ada by grace"},
			{"POST", "/stop", "grace by "},
			{"GET", "/who", "grace by "},
		} {
			if rec := b.Send(c.method, c.path, ""); rec.Body.String() != c.want {
				a.Errorf("%s: %d %q; want %q", c.path, rec.Code, rec.Body, c.want)
			}
		}
	})
}

// An answer that has begun can carry no cookies.
func TestGuard_StepUpAndUpdateRefuseAnAnswerThatHasBegun(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		var errs []error
		a.echo.POST("/late", func(c echo.Context) error {
			c.Response().WriteHeader(http.StatusOK)
			errs = append(errs, a.guard.StepUp(c, "otp"), a.guard.Update(c, map[string]string{"tenant": "7"}), a.guard.StopImpersonating(c))
			return nil
		})
		b := a.client(pageLoad).LogIn("ada")
		b.Send("POST", "/late", "")
		if len(errs) != 3 || errs[0] == nil || errs[1] == nil || errs[2] == nil {
			a.Errorf("the errors are %v; want three", errs)
		}
		list, err := a.Sessions.List(a.Context(), "ada", "")
		if err != nil || len(list) != 1 || len(list[0].Methods) != 0 || len(list[0].Data) != 0 {
			a.Errorf("the sessions are now %+v, %v", list, err)
		}
	})
}
