package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/store/storetest"
)

func TestMemory_PassesTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Backend { return backend() })
}

// What is optional is skipped for a store without it.
func TestContract_HoldsForAStoreThatHasNothingOptional(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Backend {
		b := backend()
		b.Store = struct{ store.Store }{b.Store}
		return b
	})
}

func backend() storetest.Backend {
	users := store.NewMemory()
	return storetest.Backend{
		Store:      users,
		SetUser:    func(_ *testing.T, id string, u store.User) { users.SetUser(id, u) },
		RemoveUser: func(_ *testing.T, id string) { users.DeleteUser(id) },

		LoseRevokeAll: func(*testing.T) { users.LoseRevokeAll() },
		ExpiresAt:     func(_ *testing.T, id store.ID) time.Time { return users.ExpiresAt(id) },

		Alice: "1",
		Bob:   "2",
	}
}

func TestMemory_RestoreDropsChangesAfterTheBackup(t *testing.T) {
	rows := store.NewMemory()
	rows.SetUser("1", store.User{Epoch: 1})
	kept := store.NewSession{ID: store.ID{1}, UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour}
	if err := rows.Create(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	device := store.NewDeviceLogin{ID: store.ID{1}, Lifetime: time.Hour}
	if ok, err := rows.CreateDeviceLogin(t.Context(), device, 9); !ok || err != nil {
		t.Fatal(ok, err)
	}
	backup := rows.Backup()
	lost := kept
	lost.ID = store.ID{2}
	_, revokeErr := rows.Revoke(t.Context(), kept.ID, "1", store.ReasonRevoked)
	if err := errors.Join(revokeErr, rows.Create(t.Context(), lost), rows.RevokeAll(t.Context())); err != nil {
		t.Fatal(err)
	}
	rows.SetUser("2", store.User{Epoch: 1})
	decide := func() {
		if ok, err := rows.DecideDeviceLogin(t.Context(), device.ID, store.Approved); !ok || err != nil {
			t.Errorf("the login of a device is not as in the backup: %v, %v", ok, err)
		}
	}
	decide()
	rows.Restore(backup)
	decide()

	list, err := rows.List(t.Context(), "1", store.ID{}, 100)
	if err != nil || len(list) != 1 || list[0].ID != kept.ID {
		t.Errorf("live sessions after the restore: %v, %v; want the first one", list, err)
	}
	if err := rows.Create(t.Context(), store.NewSession{ID: store.ID{3}, UserID: "2"}); !errors.Is(err, store.ErrUserDisabled) {
		t.Errorf("a user who was added after the backup: %v; want ErrUserDisabled", err)
	}
	if _, err := rows.Revoke(t.Context(), kept.ID, "1", store.ReasonRevoked); err != nil {
		t.Fatal(err)
	}
	rows.Restore(backup)
	if list, _ := rows.List(t.Context(), "1", store.ID{}, 100); len(list) != 1 {
		t.Error("a change after the restore has changed the backup")
	}
	decide()
}

// What a caller does with a Record changes no row.
func TestMemory_ReturnsCopies(t *testing.T) {
	m := store.NewMemory()
	m.SetUser("1", store.User{Epoch: 1})
	n := store.NewSession{ID: store.ID{1}, UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour}
	n.Methods, n.Data = []string{"pwd"}, map[string]string{"tenant": "1"}
	if err := m.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	n.Methods[0], n.Data["tenant"] = "changed", "changed"
	for range 2 {
		list, err := m.List(t.Context(), "1", store.ID{}, 9)
		snap, found := m.Find(t.Context(), n.ID)
		if err != nil || found != nil || len(list) != 1 {
			t.Fatal(list, err, found)
		}
		for _, row := range []*store.Record{snap.Record, &list[0]} {
			if row.Methods[0] != "pwd" || row.Data["tenant"] != "1" {
				t.Errorf("the row has changed: %q, %q", row.Methods, row.Data)
			}
			row.Methods[0], row.Data["tenant"] = "changed", "changed"
		}
	}
	device := store.NewDeviceLogin{ID: store.ID{1}, Client: "cli", Lifetime: time.Hour}
	if ok, err := m.CreateDeviceLogin(t.Context(), device, 9); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for range 2 {
		_, byID, _ := m.FindDeviceLogin(t.Context(), device.ID)
		_, byCode, _ := m.FindUserCode(t.Context(), device.UserCode)
		for _, d := range []*store.DeviceLogin{byID, byCode} {
			if d.Client != "cli" {
				t.Errorf("the login has changed: %q", d.Client)
			}
			d.Client = "changed"
		}
	}
}
