package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

// accountForm is what the account page shows.
type accountForm struct {
	CurrentError string
	NewError     string
	MinLength    int
}

// minPassword is in characters.
const minPassword = 12

func (a *app) account(c echo.Context) error {
	return showAccount(c, http.StatusOK, accountForm{})
}

func showAccount(c echo.Context, status int, form accountForm) error {
	form.MinLength = minPassword
	return render(c, status, "account", "Account", form)
}

// changePassword ends every session of the user's but the browser's that sent
// the form, which gets a new one.
func (a *app) changePassword(c echo.Context) error {
	ctx := c.Request().Context()
	currentPassword, newPassword := c.FormValue("current"), c.FormValue("new")
	if fault := faultIn(newPassword, currentPassword); fault != "" {
		return showAccount(c, http.StatusUnprocessableEntity, accountForm{NewError: fault})
	}

	known, err := a.users.byID(ctx, current(c).UserID)
	if err != nil {
		return err
	}
	checked, err := a.credentials.check(ctx, known.Email, currentPassword, c.RealIP())
	if throttled, ok := errors.AsType[throttledError](err); ok {
		setRetryAfter(c, throttled.wait)
		return showAccount(c, http.StatusTooManyRequests, accountForm{
			CurrentError: "Too many failed attempts. Wait " + waitText(throttled.wait) + ", then try again."})
	}
	if errors.Is(err, errWrong) {
		return showAccount(c, http.StatusUnprocessableEntity, accountForm{CurrentError: "This is not your current password."})
	}
	if err != nil {
		return err
	}
	hash, err := a.credentials.passwords.hash(ctx, newPassword)
	if err != nil {
		return err
	}
	epoch, err := a.users.setPassword(ctx, checked.ID, checked.hash, hash)
	if errors.Is(err, errPasswordMoved) {
		return showAccount(c, http.StatusUnprocessableEntity, accountForm{
			CurrentError: "Your password was changed elsewhere just now. Use the new one."})
	}
	if err != nil {
		return err
	}

	// The new epoch has already ended all sessions, as each of them will learn
	// at its next refresh. This tells them now.
	if err := a.sessions.RevokeUser(ctx, checked.SessionUser()); err != nil {
		slog.Warn("the old sessions end at their next refresh only", "user", checked.ID, "error", err)
	}
	if err := a.guard.Issue(c, session.Login{UserID: checked.SessionUser(), Epoch: epoch}); err != nil {
		return err
	}
	return redirectDone(c, "/account", "password")
}

// faultIn says what is wrong with a new password, or nothing.
func faultIn(password, old string) string {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return fmt.Sprintf("Use at least %d characters. A few words in a row are good.", minPassword)
	case len(password) > maxPassword:
		return fmt.Sprintf("Use at most %d characters.", maxPassword)
	case password == old:
		return "This is the password you have. Choose another."
	}
	return ""
}
