package session_test

import (
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/storetest"
)

func TestMemoryStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		store := session.NewMemoryStore()
		return storetest.Backend{
			Store:      store,
			SetUser:    func(_ *testing.T, id string, u session.User) { store.SetUser(id, u) },
			RemoveUser: func(_ *testing.T, id string) { store.DeleteUser(id) },
			Alice:      "1",
			Bob:        "2",
		}
	})
}
