package main

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"
)

// adminRow is a user with the number of their sessions.
type adminRow struct {
	user
	Sessions int
	Self     bool
	Admin    bool
}

// usersShown bounds the admin's page, and with it the statements it costs: one
// for each user.
const usersShown = 50

func (a *app) admin(c echo.Context) error {
	ctx := c.Request().Context()
	users, err := a.users.list(ctx, usersShown)
	if err != nil {
		return err
	}
	rows := make([]adminRow, 0, len(users))
	for _, u := range users {
		list, err := a.sessions.List(ctx, u.SessionUser())
		if err != nil {
			return unavailable(err)
		}
		rows = append(rows, adminRow{
			user:     u,
			Sessions: len(list),
			Self:     u.SessionUser() == current(c).UserID,
			Admin:    slices.Contains(u.Roles, roleAdmin),
		})
	}
	usual, unusual := tell(a.sessions.Stats())
	return render(c, http.StatusOK, "admin", "Users", struct {
		Users          []adminRow
		Usual, Unusual []told
		Started        time.Time
	}{rows, usual, unusual, a.started})
}

// ban disables the user first: whoever logs in between the two steps is refused.
// The sessions would end by themselves at their next refresh; RevokeUser makes
// that about a second.
func (a *app) ban(c echo.Context) error {
	id := c.FormValue("user")
	if id == current(c).UserID {
		return redirectDone(c, "/admin", "not-self")
	}
	err := a.users.setDisabled(c.Request().Context(), id, true)
	if err == nil {
		err = a.revokeSessions(c, id)
	}
	return answerAdmin(c, err, "banned")
}

func (a *app) unban(c echo.Context) error {
	err := a.users.setDisabled(c.Request().Context(), c.FormValue("user"), false)
	return answerAdmin(c, err, "unbanned")
}

// changeRole changes the row, and then has each of the user's devices ask for it
// at its next request: nobody is logged out. Without Reload a role that was taken
// away would still open doors until the access cookie runs out.
func (a *app) changeRole(c echo.Context) error {
	ctx, id, role := c.Request().Context(), c.FormValue("user"), c.FormValue("role")
	if role != roleUser && role != roleAdmin {
		return echo.ErrBadRequest
	}
	if id == current(c).UserID {
		return redirectDone(c, "/admin", "not-self-role")
	}
	err := a.users.setRole(ctx, id, role)
	if err == nil {
		if err = a.sessions.Reload(ctx, id); err != nil {
			err = unavailable(err) // the row is changed: sending the form again is right
		}
	}
	return answerAdmin(c, err, "role-"+role)
}

func (a *app) revokeUser(c echo.Context) error {
	return answerAdmin(c, a.revokeSessions(c, c.FormValue("user")), "revoked")
}

// revokeEverybody ends the admin's own session too, so it leads to the page that
// needs none.
func (a *app) revokeEverybody(c echo.Context) error {
	if err := a.sessions.RevokeAll(c.Request().Context()); err != nil {
		return unavailable(err)
	}
	return redirectDone(c, "/", "everybody")
}

func (a *app) revokeSessions(c echo.Context, id string) error {
	if _, err := parseUserID(id); err != nil {
		return err
	}
	if err := a.sessions.RevokeUser(c.Request().Context(), id); err != nil {
		return unavailable(err)
	}
	return nil
}

func answerAdmin(c echo.Context, err error, done string) error {
	if errors.Is(err, errNoUser) {
		return redirectDone(c, "/admin", "no-user")
	}
	if err != nil {
		return err
	}
	return redirectDone(c, "/admin", done)
}
