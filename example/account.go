package main

import (
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

// devices lists the user's sessions. There is one for each browser.
func (a *app) devices(c echo.Context) error {
	list, err := a.sessions.List(c.Request().Context(), current(c).UserID, "")
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, "devices", "Devices", list)
}

// revokeDevice ends one session, if it is the user's own.
func (a *app) revokeDevice(c echo.Context) error {
	err := a.sessions.Revoke(c.Request().Context(), current(c).UserID, c.FormValue("id"))
	if errors.Is(err, session.ErrNotFound) {
		return redirect(c, "/devices", "device-gone")
	}
	if err != nil {
		return err
	}
	return redirect(c, "/devices", "device")
}

func (a *app) revokeOtherDevices(c echo.Context) error {
	s := current(c)
	if err := a.sessions.RevokeUser(c.Request().Context(), s.UserID, s.ID); err != nil {
		return err
	}
	return redirect(c, "/devices", "others")
}

const minPassword = 12 // characters

// accountForm is what the account page shows.
type accountForm struct{ CurrentError, NewError string }

func (a *app) account(c echo.Context) error {
	return render(c, http.StatusOK, "account", "Account", accountForm{})
}

// changePassword ends all other sessions of the user.
func (a *app) changePassword(c echo.Context) error {
	ctx, password := c.Request().Context(), c.FormValue("new")
	if utf8.RuneCountInString(password) < minPassword || len(password) > maxPassword {
		fault := fmt.Sprintf("Use at least %d characters, and at most %d.", minPassword, maxPassword)
		return render(c, http.StatusUnprocessableEntity, "account", "Account", accountForm{NewError: fault})
	}
	u, err := a.passwords.check(ctx, current(c).Attrs["email"], c.FormValue("current"), c.RealIP())
	if throttled, ok := errors.AsType[throttledError](err); ok {
		return render(c, http.StatusTooManyRequests, "account", "Account", accountForm{CurrentError: waitText(c, throttled)})
	}
	var epoch uint64
	if err == nil {
		epoch, err = a.users.setPassword(ctx, u, password)
	}
	if errors.Is(err, errWrongPassword) {
		return render(c, http.StatusUnprocessableEntity, "account", "Account", accountForm{CurrentError: "This is not your current password."})
	}
	if err != nil {
		return err
	}

	if err := a.guard.PasswordChanged(c, epoch); err != nil {
		return err
	}
	return redirect(c, "/account", "password")
}
