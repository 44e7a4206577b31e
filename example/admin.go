package main

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// admin lists the first users.
func (a *app) admin(c echo.Context) error {
	list, err := a.users.find(c.Request().Context(), `ORDER BY id LIMIT 50`)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, "admin", "Users", list)
}

// forUser returns a handler for a form that names a user.
func (a *app) forUser(do func(c echo.Context, id string) error, notice string) echo.HandlerFunc {
	return func(c echo.Context) error {
		u, err := a.users.byID(c.Request().Context(), c.FormValue("user"))
		if err != nil {
			return err
		}
		if err := do(c, u.ID); err != nil {
			return err
		}
		return redirect(c, "/admin", notice)
	}
}

var errSelf = echo.NewHTTPError(http.StatusConflict, "You cannot do this to yourself: you could not undo it.")

// ban disables the user first, so that a login between the two steps is refused.
// Without RevokeUser the sessions would end at their next refresh.
func (a *app) ban(c echo.Context, id string) error {
	if id == current(c).UserID {
		return errSelf
	}
	if err := a.users.setDisabled(c.Request().Context(), id, true); err != nil {
		return err
	}
	return a.revokeUser(c, id)
}

func (a *app) unban(c echo.Context, id string) error {
	return a.users.setDisabled(c.Request().Context(), id, false)
}

func (a *app) revokeUser(c echo.Context, id string) error {
	return a.sessions.RevokeUser(c.Request().Context(), id)
}

// changeRole changes the user's row. ForceRefresh then makes every device of the user
// read it at the next request. It logs nobody out. Without it, the old role would
// count until the access cookie has expired.
func (a *app) changeRole(c echo.Context, id string) error {
	roles, ok := map[string]string{"user": `[]`, roleAdmin: `["admin"]`}[c.FormValue("role")]
	if !ok {
		return echo.ErrBadRequest
	}
	if id == current(c).UserID {
		return errSelf
	}
	if err := a.users.setRoles(c.Request().Context(), id, roles); err != nil {
		return err
	}
	return a.sessions.ForceRefresh(c.Request().Context(), id)
}

// revokeEverybody also ends the administrator's own session, so it leads to the
// public page.
func (a *app) revokeEverybody(c echo.Context) error {
	if err := a.sessions.RevokeAll(c.Request().Context()); err != nil {
		return err
	}
	return redirect(c, "/", "everybody")
}
