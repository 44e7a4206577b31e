package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

// loginForm is what the login page shows.
type loginForm struct {
	Email    string
	Next     string // the page to return to, unchecked: Guard.ReturnTo checks it on use
	Remember bool
	Error    string
	Demo     []demoUser
}

func (a *app) loginPage(c echo.Context) error {
	return a.showLogin(c, http.StatusOK, loginForm{Next: c.QueryParam("next")})
}

func (a *app) showLogin(c echo.Context, status int, form loginForm) error {
	title := "Log in"
	if s, ok := session.FromContext(c.Request().Context()); ok { // RequireRecentLogin has sent the user here
		title = "Confirm your password"
		form.Email = cmp.Or(form.Email, s.Attrs["email"])
	} else {
		form.Demo = a.demoUsers
	}
	return render(c, status, "login", title, form)
}

func (a *app) login(c echo.Context) error {
	form := loginForm{Email: c.FormValue("email"), Next: c.FormValue("next"), Remember: c.FormValue("remember") != ""}
	u, err := a.passwords.check(c.Request().Context(), form.Email, c.FormValue("password"), c.RealIP())
	if throttled, ok := errors.AsType[throttledError](err); ok {
		form.Error = waitText(c, throttled)
		return a.showLogin(c, http.StatusTooManyRequests, form)
	}
	if errors.Is(err, errWrongPassword) {
		form.Error = "The e-mail address or the password is wrong."
		return a.showLogin(c, http.StatusUnauthorized, form)
	}
	if err != nil {
		return err
	}

	err = a.guard.Issue(c, session.Login{UserID: u.ID, Epoch: u.epoch, Remember: form.Remember})
	if errors.Is(err, session.ErrUserDisabled) { // only who knows the password sees this
		form.Error = "This account is disabled. Ask an administrator."
		return a.showLogin(c, http.StatusForbidden, form)
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, a.guard.ReturnTo(c, "/"))
}

// waitText returns how long to wait, for the page, and sets Retry-After to the same.
func waitText(c echo.Context, throttled throttledError) string {
	c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(throttled.wait.Seconds()))))
	return fmt.Sprintf("There were too many failed attempts. Wait %d min, then try again.", int(math.Ceil(throttled.wait.Minutes())))
}
