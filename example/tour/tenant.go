package main

import (
	"context"
	"database/sql"
	"maps"
	"net/http"
	"slices"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// A user may belong to several tenants, and works for one of them at a time. Each session
// knows its own: two browsers of a user can work for two tenants.

// tenantsOfUser is for sqlstore.Config.Attrs: each page can show the list without a statement.
var tenantsOfUser = map[sqlstore.Dialect]string{
	sqlstore.SQLite:     "(SELECT group_concat(m.tenant ORDER BY m.tenant) FROM members m WHERE m.user_id = u.id)",
	sqlstore.MySQL:      "(SELECT group_concat(m.tenant ORDER BY m.tenant) FROM members m WHERE m.user_id = u.id)",
	sqlstore.PostgreSQL: "(SELECT string_agg(m.tenant, ',' ORDER BY m.tenant) FROM members m WHERE m.user_id = u.id)",
}

var demoNotes = map[string][]string{
	"north": {"The lighthouse needs paint.", "Order more rope."},
	"south": {"The vineyard opens in May."},
}

type tenantTable struct{ db database }

// prepare adds what the demo users find.
func (t tenantTable) prepare(ctx context.Context) error {
	for _, u := range demoUsers {
		for _, tenant := range u.tenants {
			err := t.db.add(ctx, "members", "tenant", `(user_id, tenant) SELECT id, ? FROM users WHERE email = ?`, tenant, u.email)
			if err != nil {
				return err
			}
		}
	}
	for tenant, notes := range demoNotes {
		for _, note := range notes {
			if err := t.db.add(ctx, "notes", "note", `(tenant, note) VALUES (?, ?)`, tenant, note); err != nil {
				return err
			}
		}
	}
	return nil
}

// choose returns the wanted tenant if the user belongs to it, else the user's first. Empty: the
// user belongs to none.
func (t tenantTable) choose(ctx context.Context, userID, wanted string) (tenant string, err error) {
	var found []string
	err = t.db.each(ctx, func(row *sql.Rows) error {
		err := row.Scan(&tenant)
		found = append(found, tenant)
		return err
	}, `SELECT tenant FROM members WHERE user_id = ? ORDER BY tenant`, number(userID))
	switch {
	case err != nil || len(found) == 0:
		return "", err
	case slices.Contains(found, wanted):
		return wanted, nil
	}
	return found[0], nil
}

// notes returns what a tenant has, for a member. A session may still name a tenant that the
// user has left: so the statement asks again.
func (t tenantTable) notes(ctx context.Context, userID, tenant string) (notes []string, err error) {
	err = t.db.each(ctx, func(row *sql.Rows) error {
		var note string
		err := row.Scan(&note)
		notes = append(notes, note)
		return err
	}, `SELECT n.note FROM notes n JOIN members m ON m.tenant = n.tenant WHERE m.user_id = ? AND m.tenant = ? ORDER BY n.note`, number(userID), tenant)
	return notes, err
}

func (a *app) notes(w http.ResponseWriter, r *http.Request) error {
	s := current(r)
	notes, err := a.tenants.notes(r.Context(), s.UserID, s.Data["tenant"])
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, "notes", "Notes", notes)
}

// switchTenant changes the tenant of this session. Update replaces all data, so the others are
// copied.
func (a *app) switchTenant(w http.ResponseWriter, r *http.Request) error {
	s, wanted := current(r), r.FormValue("tenant")
	tenant, err := a.tenants.choose(r.Context(), s.UserID, wanted)
	if err != nil {
		return err
	}
	if tenant != wanted {
		http.Error(w, "You do not belong to this tenant.", http.StatusForbidden)
		return nil
	}
	data := map[string]string{}
	maps.Copy(data, s.Data)
	data["tenant"] = tenant
	if err := a.guard.Update(w, r, data); err != nil {
		return err
	}
	return redirect(w, r, "/notes", "tenant")
}
