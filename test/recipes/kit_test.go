package recipes

import (
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// newSessions returns a Manager with the default configuration and a key of its own.
func newSessions(t *testing.T, users store.Store) *session.Manager {
	t.Helper()
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := session.New(keys, users, session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return sessions
}
