package main

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

// loginForm is what the login page shows.
type loginForm struct {
	Email    string
	Next     string // carried through as it came; guard.ReturnTo judges it when it is used
	Remember bool
	Error    string
	Reauth   bool // somebody is logged in, and is asked for the password again
	Demo     bool
}

func (a *app) loginPage(c echo.Context) error {
	form := loginForm{Next: c.QueryParam("next")}
	return a.showLogin(c, http.StatusOK, form)
}

func (a *app) showLogin(c echo.Context, status int, form loginForm) error {
	form.Demo = a.showDemo
	title := "Log in"
	if s, ok := session.FromContext(c.Request().Context()); ok {
		form.Reauth = true
		title = "Confirm your password"
		if form.Email == "" {
			form.Email = s.Attrs["email"]
		}
	}
	return render(c, status, "login", title, form)
}

func (a *app) login(c echo.Context) error {
	form := loginForm{
		Email:    shortenEmail(c.FormValue("email")),
		Next:     c.FormValue("next"),
		Remember: c.FormValue("remember") != "",
	}
	found, err := a.credentials.check(c.Request().Context(), c.FormValue("email"), c.FormValue("password"), c.RealIP())
	if throttled, ok := errors.AsType[throttledError](err); ok {
		setRetryAfter(c, throttled.wait)
		form.Error = "Too many failed attempts. Wait " + waitText(throttled.wait) + ", then try again."
		return a.showLogin(c, http.StatusTooManyRequests, form)
	}
	if errors.Is(err, errWrong) {
		form.Error = "That e-mail and password do not belong together. Check both and try again."
		return a.showLogin(c, http.StatusUnauthorized, form)
	}
	if err != nil {
		return err
	}

	err = a.guard.Issue(c, session.Login{UserID: found.SessionUser(), Remember: form.Remember, Epoch: found.epoch})
	if refusal, ok := errors.AsType[*echo.HTTPError](err); ok && refusal.Code == http.StatusForbidden {
		// Only who knows the password learns this.
		form.Error = "This account may not log in at the moment. Ask an administrator."
		return a.showLogin(c, http.StatusForbidden, form)
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, a.guard.ReturnTo(c, "/"))
}

// shortenEmail keeps what was typed for the next try, unless it was no address
// at all.
func shortenEmail(text string) string {
	if len(text) > maxEmail {
		return ""
	}
	return text
}
