package sqlstore_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

func TestStore_RolesAreAListOrAJSONArrayOnly(t *testing.T) {
	for value, want := range map[string][]string{
		"":                           nil,
		"  ":                         nil,
		"null":                       nil, // of a JSON column
		"[]":                         nil,
		"admin":                      {"admin"},
		"admin,staff":                {"admin", "staff"},
		" admin , staff ":            {"admin", "staff"},
		`["admin"]`:                  {"admin"},
		` ["admin", "with, comma"] `: {"admin", "with, comma"},
		`["\u00fc"]`:                 {"ü"},
	} {
		if got, err := sqlstore.ParseRoles(value); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v; want %q", value, got, err, want)
		}
	}
	for _, value := range []string{
		",", "admin,", ",admin", "a,,b", `["admin"`, `["admin"] x`, `["admin", null]`, `[""]`, "[1]", `[["admin"]]`, "[admin]",
		`{"admin":true}`, `"admin"`, "admin\nstaff", "'admin'", "{admin,staff}", "admin]",
	} {
		if got, err := sqlstore.ParseRoles(value); err == nil {
			t.Errorf("%q was read as %q; want an error", value, got)
		}
	}
}

// login creates a session of user 1 and returns what Find reads of it.
func (a app) login(t *testing.T) *store.Record {
	t.Helper()
	id := newID()
	if err := a.Create(t.Context(), store.NewSession{ID: id, UserID: "1", Confirmed: newDigest(), Lifetime: time.Hour, RetainFor: time.Hour}); err != nil {
		t.Fatal(err)
	}
	snap, err := a.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return snap.Record
}

func TestStore_ReadsTheUserThroughExpressions(t *testing.T) {
	const users = `CREATE TABLE users (id INT PRIMARY KEY, first VARCHAR(50), last VARCHAR(50), born DATE NULL,
		deleted_at DATETIME(6) NULL, status ENUM('active', 'banned') NOT NULL DEFAULT 'active',
		points DECIMAL(10,2) NULL, secret VARBINARY(20) NULL)`
	for _, param := range []string{"parseTime=true", "interpolateParams=true"} {
		a := app{db: open(t, param)}
		a.exec(t, "CREATE TABLE user_roles (user_id INT, name VARCHAR(50))")
		a.exec(t, users)
		a.Store = newStore(t, a.db, sqlstore.Config{
			Epoch:    "(0)",
			Disabled: "(u.deleted_at IS NOT NULL) OR (u.status = 'banned')",
			Roles:    "(SELECT GROUP_CONCAT(r.name ORDER BY r.name) FROM user_roles r WHERE r.user_id = u.id)",
			Attrs: map[string]string{
				"name": "(CONCAT(u.first, ' ', u.last))", "born": "born", "points": "points", "none": "(CONVERT(u.secret USING utf8mb4))", "empty": "('')",
			},
		})
		if err := a.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.exec(t, "INSERT INTO users (id, first, last, born, points) VALUES (1, 'Änne', 'O''Hara', '1980-02-29', 1.5)")
		rec := a.login(t)
		if want := map[string]string{"name": "Änne O'Hara", "born": "1980-02-29", "points": "1.50", "empty": ""}; !maps.Equal(rec.User.Attrs, want) {
			t.Errorf("attributes %q; want %q", rec.User.Attrs, want)
		}
		if rec.User.Roles != nil || rec.User.Disabled || rec.User.Epoch != 0 {
			t.Errorf("user = %+v", rec.User)
		}
		a.exec(t, "INSERT INTO user_roles VALUES (1, 'staff'), (1, 'admin'), (2, 'root')")
		if rec := a.login(t); !slices.Equal(rec.User.Roles, []string{"admin", "staff"}) {
			t.Errorf("roles %q", rec.User.Roles)
		}
		for _, change := range []string{"deleted_at = UTC_TIMESTAMP(6)", "deleted_at = NULL, status = 'banned'"} {
			a.exec(t, "UPDATE users SET "+change)
			if snap, err := a.Find(t.Context(), rec.ID); err != nil || !snap.Record.User.Disabled {
				t.Errorf("%s: the user is not disabled: %+v, %v", change, snap.Record.User, err)
			}
		}
	}
}

func TestStore_ReadsRolesFromAJSONColumn(t *testing.T) {
	a := newApp(t, strings.Replace(integerUsers, "roles VARCHAR(255) NOT NULL DEFAULT ''", "roles JSON NULL", 1), sqlstore.Config{})
	a.exec(t, "INSERT INTO users (id) VALUES (1)")
	for value, want := range map[any][]string{nil: nil, `["admin", "ü"]`: {"admin", "ü"}, "null": nil, "[]": nil} {
		a.exec(t, "UPDATE users SET roles = ?", value)
		if rec := a.login(t); !slices.Equal(rec.User.Roles, want) {
			t.Errorf("%v: roles %q; want %q", value, rec.User.Roles, want)
		}
	}
	a.exec(t, "UPDATE users SET roles = ?", `{"admin": true}`)
	id := newID()
	if err := a.Create(t.Context(), store.NewSession{ID: id, UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Find(t.Context(), id); err == nil || !strings.Contains(err.Error(), "Config.Roles") {
		t.Errorf("roles as a JSON object: %v; want an error that names Config.Roles", err)
	}
}

// MySQL and MariaDB cut what GROUP_CONCAT returns at group_concat_max_len, some also what
// JSON_ARRAYAGG returns. The expression that Config recommends never yields half of a
// role's name.
func TestStore_RecommendedRolesExpressionIsCompleteOrAnError(t *testing.T) {
	a := app{db: open(t)}
	a.db.SetMaxOpenConns(1)
	a.exec(t, "CREATE TABLE user_roles (user_id BIGINT UNSIGNED, name VARCHAR(50))")
	a.exec(t, "INSERT INTO user_roles VALUES (1, 'admin-readonly'), (1, 'staff')")
	a.exec(t, integerUsers)
	a.exec(t, "INSERT INTO users (id) VALUES (1), (2)")
	a.Store = newStore(t, a.db, sqlstore.Config{
		Roles: "(SELECT CONCAT('[', GROUP_CONCAT(JSON_QUOTE(r.name)), ']') FROM user_roles r WHERE r.user_id = u.id)",
	})
	if err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := a.login(t).ID
	complete, cut := 0, 0
	for length := 4; length <= 40; length++ {
		a.exec(t, "SET SESSION group_concat_max_len = "+strconv.Itoa(length))
		snap, err := a.Find(t.Context(), id)
		if err != nil {
			cut++
			continue
		}
		complete++
		for _, role := range snap.Record.User.Roles { // one may be missing
			if role != "admin-readonly" && role != "staff" {
				t.Errorf("with a length of %d the user has the role %q", length, role)
			}
		}
	}
	if complete == 0 || cut == 0 {
		t.Errorf("%d complete answers and %d errors; want some of both", complete, cut)
	}
	none := store.NewSession{ID: newID(), UserID: "2", Lifetime: time.Hour, RetainFor: time.Hour}
	if err := a.Create(t.Context(), none); err != nil {
		t.Fatal(err)
	}
	if snap, err := a.Find(t.Context(), none.ID); err != nil || snap.Record.User.Roles != nil {
		t.Errorf("a user without roles: %+v, %v", snap.Record, err)
	}
}

func TestStore_ReadsDisabledFromBooleansNumbersAndTimes(t *testing.T) {
	for _, c := range []struct{ definition, disabled, enabled string }{
		{"TINYINT(1) NULL", "1", "NULL"},
		{"BIT(1) NOT NULL", "b'1'", "b'0'"},
		{"INT NOT NULL", "-1", "0"},
		{"DATETIME(6) NULL", "UTC_TIMESTAMP(6)", "NULL"},
		{"TIMESTAMP NULL", "CURRENT_TIMESTAMP", "NULL"},
		{"BIGINT NULL", "1700000000", "NULL"},
	} {
		a := newApp(t, strings.Replace(integerUsers, "disabled BOOLEAN NOT NULL DEFAULT FALSE", "disabled "+c.definition, 1), sqlstore.Config{})
		a.exec(t, "INSERT INTO users (id, disabled) VALUES (1, "+c.enabled+")")
		rec := a.login(t)
		if rec.User.Disabled {
			t.Errorf("%s: %s is disabled", c.definition, c.enabled)
		}
		a.exec(t, "UPDATE users SET disabled = "+c.disabled)
		if snap, err := a.Find(t.Context(), rec.ID); err != nil || !snap.Record.User.Disabled {
			t.Errorf("%s: %s is not disabled: %v", c.definition, c.disabled, err)
		}
		if err := a.Create(t.Context(), store.NewSession{ID: newID(), UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour}); err == nil {
			t.Errorf("%s: %s may log in", c.definition, c.disabled)
		}
	}
}

// NULL + 1 is NULL: raising such an epoch would end no session.
func TestStore_EpochThatIsNullIsAnError(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.exec(t, "ALTER TABLE users MODIFY session_epoch BIGINT NULL") // which Migrate would refuse
	a.exec(t, "INSERT INTO users (id, session_epoch) VALUES (1, 3)")
	rec := a.login(t)
	a.exec(t, "UPDATE users SET session_epoch = NULL")
	if _, err := a.Find(t.Context(), rec.ID); err == nil || !strings.Contains(err.Error(), "Config.Epoch") {
		t.Errorf("Find: %v; want an error that names Config.Epoch", err)
	}
	if err := a.Create(t.Context(), store.NewSession{ID: newID(), UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour}); err == nil {
		t.Error("Create: a user without an epoch may log in")
	}
}

// A browser may send any User-Agent.
func TestStore_AcceptsEveryUserAgent(t *testing.T) {
	for _, params := range [][]string{
		{"charset=utf8mb4"}, {"charset=utf8mb4", "interpolateParams=true"}, {"collation=utf8mb4_bin"},
	} {
		a := newApp(t, integerUsers, sqlstore.Config{}, params...)
		a.setUser(t, 1, store.User{})
		for _, agent := range []string{"", "Mozilla/5.0", "🦊 'quoted' \"\\", strings.Repeat("🦊", 63), strings.Repeat("ü", 127)} {
			n := store.NewSession{ID: newID(), UserID: "1", Confirmed: newDigest(), Lifetime: time.Hour, RetainFor: time.Hour, UserAgent: agent, IP: "2001:db8::1"}
			if err := a.Create(t.Context(), n); err != nil {
				t.Errorf("%s: %q: %v", params, agent, err)
				continue
			}
			snap, err := a.Find(t.Context(), n.ID)
			if err != nil || snap.Record.UserAgent != agent || snap.Record.Confirmed != n.Confirmed {
				t.Errorf("%s: %q became %+v, %v", params, agent, snap.Record, err)
			}
		}
	}
}
