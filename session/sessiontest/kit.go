package sessiontest

import (
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// Kit is what the tests of an app's handlers need: a Manager whose users are in memory.
type Kit struct {
	Sessions *session.Manager // for the app's guard
	Users    *store.Memory    // bans users, or changes their roles: SetUser
	Store    *Store           // stands before Users: counts calls, fails, ages logins
}

// New returns a Kit with a key of its own. users are by id. If a user has no Epoch, the login
// need not pass one. The test fails if the Config is faulty.
func New(t testing.TB, cfg session.Config, users map[string]store.User) *Kit {
	t.Helper()
	kit := &Kit{Users: store.NewMemory()}
	for id, user := range users {
		kit.Users.SetUser(id, user)
	}
	kit.Store = NewStore(kit.Users)
	keys, err := session.ParseKeys(session.GenerateKey())
	if err == nil {
		kit.Sessions, err = session.New(keys, kit.Store, cfg)
	}
	if err != nil {
		t.Fatalf("sessiontest: the Manager cannot be made: %v", err)
	}
	return kit
}
