package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/sessionkit/sessionkit/session"
)

const roleAdmin = "admin"

// person is a row of the list of users.
type person struct {
	ID, Name, Email string
	Admin           bool
}

func (t userTable) people(ctx context.Context, where string, args ...any) (found []person, err error) {
	err = t.db.each(ctx, func(row *sql.Rows) error {
		var p person
		var text []byte
		if err := row.Scan(&p.ID, &p.Name, &p.Email, &text); err != nil {
			return err
		}
		var roles []string
		err := json.Unmarshal(text, &roles)
		p.Admin = slices.Contains(roles, roleAdmin)
		found = append(found, p)
		return err
	}, `SELECT id, name, email, roles FROM users `+where, args...)
	return found, err
}

// mayImpersonate is Config.MayImpersonate: administrators act as users, and not as each other.
// Otherwise one could hide behind the name of another. The actor's roles are those of the row.
func (a *app) mayImpersonate(r *http.Request, actor session.Session, userID string) error {
	if !actor.HasRole(roleAdmin) {
		return session.ErrUserDisabled
	}
	found, err := a.users.people(r.Context(), `WHERE id = ?`, number(userID))
	if err != nil {
		return err
	}
	if len(found) == 0 || found[0].Admin {
		return session.ErrUserDisabled
	}
	return nil
}

// people lists the first users.
func (a *app) people(w http.ResponseWriter, r *http.Request) error {
	found, err := a.users.people(r.Context(), `ORDER BY id LIMIT 50`)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, "people", "People", found)
}

// act begins a session of the user, in which the administrator acts. Issue asks mayImpersonate.
// The administrator's own session goes on behind it.
func (a *app) act(w http.ResponseWriter, r *http.Request) error {
	admin, userID := current(r), r.FormValue("user")
	if userID == admin.UserID { // Issue would call this a fault of the app
		http.Error(w, "You are this user.", http.StatusForbidden)
		return nil
	}
	tenant, err := a.tenants.choose(r.Context(), userID, "")
	if err != nil {
		return err
	}
	err = a.guard.Issue(w, r, session.Login{
		UserID: userID,
		Actor:  admin.UserID,
		Data:   map[string]string{"tenant": tenant, "actor_name": admin.Attrs["name"]}, // for the banner in layout.html
	})
	if err != nil {
		return err
	}
	return redirect(w, r, "/notes", "acting")
}

// stopActing leads back to the administrator's own session.
func (a *app) stopActing(w http.ResponseWriter, r *http.Request) error {
	if err := a.guard.StopImpersonating(w, r); err != nil {
		return err
	}
	return redirect(w, r, "/people", "stopped")
}
