package sqlstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// If it were partly understood, such a row could let somebody in, or make an honest user
// look like a thief.
func TestStore_RowWithAWrongSizeIsAnError(t *testing.T) {
	const digest = "a digest is not 32 bytes long"
	for _, c := range []struct{ name, column, value, want string }{
		{"a short confirmed", "confirmed", "REPEAT('x', 31)", digest},
		{"a long confirmed", "confirmed", "REPEAT('x', 33)", digest},
		{"an empty confirmed", "confirmed", "''", digest},
		{"a short previous", "previous", "REPEAT('x', 31)", digest},
		{"a long previous", "previous", "REPEAT('x', 33)", digest},
		{"an empty previous", "previous", "''", digest},
		{"a short user id", "user_id", "LEFT(user_id, 15)", "a user_id has 15 bytes, but a UUID has 16"},
		{"a long user id", "user_id", "CONCAT(user_id, 'x')", "a user_id has 17 bytes, but a UUID has 16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, id := uuidApp(t)
			a.exec(t, "UPDATE sessions SET "+c.column+" = "+c.value)
			if snap, err := a.Find(t.Context(), id); err == nil || !strings.Contains(err.Error(), c.want) || snap.Record != nil {
				t.Errorf("Find: %+v, %v; want the error %q", snap.Record, err, c.want)
			}
			if c.column == "user_id" {
				return // List does not find it by this id
			}
			if list, err := a.List(t.Context(), adasUUID, store.ID{}, 100); err == nil || !strings.Contains(err.Error(), c.want) || list != nil {
				t.Errorf("List: %+v, %v; want the error %q", list, err, c.want)
			}
		})
	}
	for name, value := range map[string]string{"a short id": "LEFT(id, 15)", "a long id": "CONCAT(id, 'x')"} {
		t.Run(name, func(t *testing.T) {
			a, _ := uuidApp(t)
			const want = "a session id is not 16 bytes long"
			a.exec(t, "UPDATE sessions SET id = "+value)
			if list, err := a.List(t.Context(), adasUUID, store.ID{}, 100); err == nil || !strings.Contains(err.Error(), want) || list != nil {
				t.Errorf("List: %+v, %v; want the error %q", list, err, want)
			}
			if _, err := a.Reload(t.Context(), adasUUID, 1000); err != nil {
				t.Fatal(err)
			}
			if c, err := a.Changes(t.Context(), time.Hour, store.Cursor{}, 1000); err == nil || !strings.Contains(err.Error(), want) || c.Sessions != nil {
				t.Errorf("Changes: %+v, %v; want the error %q", c, err, want)
			}
		})
	}
}

const adasUUID = "41424344-4546-4748-494a-4b4c4d4e4f50"

// uuidApp is an app with a session whose columns accept bytes of any length.
func uuidApp(t *testing.T) (app, store.ID) {
	t.Helper()
	a := newApp(t, usersWithID("BINARY(16)"), sqlstore.Config{IDKind: sqlstore.UUID})
	a.exec(t, `ALTER TABLE sessions MODIFY id VARBINARY(99) NOT NULL, MODIFY user_id VARBINARY(99) NOT NULL,
		MODIFY confirmed VARBINARY(99) NOT NULL, MODIFY previous VARBINARY(99) NULL`)
	a.setUser(t, []byte("ABCDEFGHIJKLMNOP"), store.User{Epoch: 1})
	id := newID()
	if err := a.Create(t.Context(), store.NewSession{ID: id, UserID: adasUUID, Confirmed: newDigest(), Lifetime: time.Hour, RetainFor: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if snap, err := a.Find(t.Context(), id); err != nil || snap.Record == nil {
		t.Fatalf("found %v, %v", snap.Record, err)
	}
	return a, id
}
