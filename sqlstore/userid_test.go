package sqlstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/store/storetest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// usersWithID is the users table with another type of id.
func usersWithID(definition string) string {
	return strings.Replace(integerUsers, "id BIGINT UNSIGNED AUTO_INCREMENT", "id "+definition, 1)
}

func TestStore_KeepsTheContractForEveryTypeOfUserID(t *testing.T) {
	suite(t, "each type of user id")
	bytes := func(text string) any {
		b := make([]byte, 0, 16)
		var high byte
		digits := strings.ReplaceAll(strings.ToLower(text), "-", "")
		for i := range len(digits) {
			digit := byte(strings.IndexByte("0123456789abcdef", digits[i]))
			if i%2 == 0 {
				high = digit << 4
			} else {
				b = append(b, high|digit)
			}
		}
		return b
	}
	same := func(text string) any { return text }
	for _, c := range []struct {
		name, id           string
		kind               sqlstore.IDKind
		key                func(string) any
		alice, bob, nobody string
	}{
		{"signed", "BIGINT", sqlstore.Integer, same, "0", "9223372036854775807", "9223372036854775808"},
		{"narrow", "INT UNSIGNED", sqlstore.Integer, same, "1", "4294967295", "01"},
		{"small and signed", "SMALLINT", sqlstore.Integer, same, "1", "32767", "+1"},
		{"uuid", "BINARY(16)", sqlstore.UUID, bytes, "0190b5a8-7c1e-7b1a-8c6f-3d2f1e0a9b00", "00000000-0000-0000-0000-0000000000ff", "0190B5A8-7C1E-7B1A-8C6F-3D2F1E0A9B00"},
		{"text", "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", sqlstore.Text, same, "alice", "Alice", "alice "},
		{"text with a collation that ignores case", "VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", sqlstore.Text, same, "älice", "bob", "ALICE"},
		{"text in another character set", "VARCHAR(64) CHARACTER SET latin1", sqlstore.Text, same, "älice", "bob", "Bob"},
		{"fixed text", "CHAR(26) CHARACTER SET ascii", sqlstore.Text, same, "01JD000000000000000000000A", "01JD000000000000000000000B", "01jd000000000000000000000a"},
		{"binary text", "VARBINARY(64)", sqlstore.Text, same, "alice", "ALICE", "Alice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) storetest.Backend {
				a := newApp(t, usersWithID(c.id+" NOT NULL"), sqlstore.Config{IDKind: c.kind, Attrs: map[string]string{"name": "name"}},
					"interpolateParams=true", "sql_mode=%27STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO%27")
				return storetest.Backend{
					Store:      a.Store,
					SetUser:    func(t *testing.T, id string, u store.User) { a.setUser(t, c.key(id), u) },
					RemoveUser: func(t *testing.T, id string) { a.exec(t, "DELETE FROM users WHERE id = ?", c.key(id)) },

					LoseRevokeAll: a.loseRevokeAll,
					ExpiresAt:     a.expiresAt,

					Alice: c.alice, Bob: c.bob, Nobody: c.nobody,
				}
			})
		})
	}
}

func TestStore_AcceptsOneSpellingOfEachUserID(t *testing.T) {
	for _, c := range []struct {
		name, users string
		kind        sqlstore.IDKind
		key         any
		good        string
		bad         []string
	}{
		{"integer", integerUsers, sqlstore.Integer, 1, "1", []string{
			"", "0", "01", "+1", "-1", " 1", "1 ", "1.0", "1e0", "0x1", "١", "18446744073709551616", "1'", "1 OR 1=1", "true",
		}},
		{"uuid", usersWithID("BINARY(16)"), sqlstore.UUID, []byte("ABCDEFGHIJKLMNOP"), "41424344-4546-4748-494a-4b4c4d4e4f50", []string{
			"", "ABCDEFGHIJKLMNOP", "4142434445464748494a4b4c4d4e4f50", "41424344-4546-4748-494A-4B4C4D4E4F50",
			"{41424344-4546-4748-494a-4b4c4d4e4f50}", "41424344-4546-4748-494a-4b4c4d4e4f5", "41424344-4546-4748-494a-4b4c4d4e4f5g",
			"41424344-4546-4748-494a04b4c4d4e4f50",
		}},
		{"text", usersWithID("VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"), sqlstore.Text, "strasse", "strasse", []string{
			"", "Strasse", "STRASSE", "straße", "strasse ", " strasse", "strasse\x00", "strásse", "strass%", "0",
			"strasse\xff", strings.Repeat("s", 256),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newApp(t, c.users, sqlstore.Config{IDKind: c.kind})
			a.setUser(t, c.key, store.User{})
			login := func(userID string) (store.ID, error) {
				n := store.NewSession{ID: newID(), UserID: userID, Lifetime: time.Hour, RetainFor: time.Hour}
				return n.ID, a.Create(t.Context(), n)
			}
			id, err := login(c.good)
			if err != nil {
				t.Fatal(err)
			}
			for _, userID := range c.bad {
				if _, err := login(userID); !errors.Is(err, session.ErrUserDisabled) {
					t.Errorf("login as %q: %v; want ErrUserDisabled", userID, err)
				}
				if list, err := a.List(t.Context(), userID, store.ID{}, 100); err != nil || len(list) != 0 {
					t.Errorf("%q has the sessions %v, %v; want none", userID, list, err)
				}
				if list, err := a.Newest(t.Context(), userID, false, 100); err != nil || len(list) != 0 {
					t.Errorf("the newest sessions of %q are %v, %v; want none", userID, list, err)
				}
				if userID != "" { // which means any user in Revoke
					if did, err := a.Revoke(t.Context(), id, userID, store.ReasonRevoked); did || err != nil {
						t.Errorf("%q revoked the session of another user: %v, %v", userID, did, err)
					}
				}
				if n, err := a.Reload(t.Context(), userID, 1000); n != 0 || err != nil {
					t.Errorf("%q reloaded %d sessions, %v; want none", userID, n, err)
				}
				if n, err := a.RevokeUser(t.Context(), store.UserRevocation{UserID: userID, Reason: store.ReasonRevoked, Limit: 1000}); n != 0 || err != nil {
					t.Errorf("%q revoked %d sessions, %v; want none", userID, n, err)
				}
			}
			snap, err := a.Find(t.Context(), id)
			if err != nil || !snap.Record.RevokedAt.IsZero() || snap.Record.Reload != 0 || snap.Record.UserID != c.good {
				t.Errorf("the session of %q became %+v, %v", c.good, snap.Record, err)
			}
		})
	}
}

// An app may change the case of a text id. Its database may find the ids equal; a
// session does not.
func TestStore_SessionOfARenamedUserIsOver(t *testing.T) {
	a := newApp(t, usersWithID("VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"), sqlstore.Config{IDKind: sqlstore.Text})
	a.setUser(t, "bob", store.User{})
	id := newID()
	if err := a.Create(t.Context(), store.NewSession{ID: id, UserID: "bob", Lifetime: time.Hour, RetainFor: time.Hour}); err != nil {
		t.Fatal(err)
	}
	a.exec(t, "UPDATE users SET id = 'BOB'")
	if snap, err := a.Find(t.Context(), id); err != nil || !snap.Record.User.Disabled {
		t.Errorf("found %+v, %v; want a disabled user", snap.Record, err)
	}
}

// No IDKind reads MariaDB's type UUID. The error of Migrate has the statement that adds
// a text column, with which it works.
func TestMigrate_NamesTheColumnThatMariaDBsUUIDNeeds(t *testing.T) {
	db := openDSN(t, dbtest.Database(t))
	a := app{db: db}
	var version string
	if err := db.QueryRowContext(t.Context(), "SELECT VERSION()").Scan(&version); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(version, "MariaDB") {
		t.Skipf("%s has no type UUID", version)
	}
	a.exec(t, strings.Replace(integerUsers, "BIGINT UNSIGNED AUTO_INCREMENT", "UUID", 1))
	for kind := range sqlstore.Text + 1 {
		err := newStore(t, db, sqlstore.Config{IDKind: kind}).Migrate(t.Context())
		if err == nil {
			t.Fatalf("%v: Migrate succeeded", kind)
		}
		_, remedy, _ := strings.Cut(err.Error(), "run\n\t")
		remedy, then, _ := strings.Cut(remedy, "\n")
		if !strings.Contains(then, "set Config.ID to that column, and Config.IDKind to sqlstore.Text") {
			t.Errorf("%v: %v", kind, err)
		}
		if kind == sqlstore.Text {
			a.exec(t, remedy)
		}
	}
	kept := newStore(t, db, sqlstore.Config{ID: "id_text", IDKind: sqlstore.Text})
	if err := kept.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const ada = "0190b5a8-7c1e-7b1a-8c6f-3d2f1e0a9b8c"
	a.exec(t, "INSERT INTO users (id) VALUES ('"+ada+"')")
	n := store.NewSession{ID: newID(), UserID: ada, Confirmed: newDigest(), Lifetime: time.Hour, RetainFor: time.Hour}
	if err := kept.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if snap, err := kept.Find(t.Context(), n.ID); err != nil || snap.Record.UserID != ada || snap.Record.User.Disabled {
		t.Errorf("%+v, %v", snap.Record, err)
	}
}

func TestMigrate_RefusesAnIDOfNoIDKind(t *testing.T) {
	db := openDSN(t, dbtest.Database(t))
	app{db: db}.exec(t, strings.Replace(integerUsers, "BIGINT UNSIGNED AUTO_INCREMENT", "DATE", 1))
	if err := newStore(t, db, sqlstore.Config{}).Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "is date, which is no Integer: set Config.ID to a column of") {
		t.Error(err)
	}
}
