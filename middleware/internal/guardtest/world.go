package guardtest

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// Key is the master key of every World.
const Key = "b3Xr1vGmU0n1n0kqYw0m6j5l9g1s5o9yJ8y0kXo0Zkc="

// ErrDown is what a store returns that does not answer.
var ErrDown = errors.New("connection refused")

// World is what a guard needs: a Manager, and a store that counts its calls and
// fails on demand. The store has the users ada, with the role staff, and grace, with
// the role admin.
type World struct {
	Users    *store.Memory
	Store    *sessiontest.Store // stands before Users
	Sessions *session.Manager
	Events   *EventLog
}

// NewWorld returns a World without sessions.
func NewWorld(t testing.TB) *World {
	t.Helper()
	return NewWorldWith(t, session.Config{})
}

// NewWorldWith returns a World whose Manager has another configuration.
func NewWorldWith(t testing.TB, cfg session.Config) *World {
	t.Helper()
	w := &World{Users: store.NewMemory(), Events: &EventLog{}}
	w.Users.SetUser("ada", store.User{Roles: []string{"staff"}})
	w.Users.SetUser("grace", store.User{Roles: []string{"admin"}})
	w.Store = sessiontest.NewStore(w.Users)
	cfg.OnEvent, cfg.MayImpersonate = w.Events.handler(), adminsMay
	w.Sessions = newManager(t, w.Store, cfg)
	return w
}

// adminsMay lets admins impersonate everybody.
func adminsMay(_ *http.Request, actor session.Session, _ string) error {
	if actor.HasRole("admin") {
		return nil
	}
	return session.ErrUserDisabled
}

// NewManager returns another Manager with the keys of every World: another node, or the
// same one after a restart.
func NewManager(t testing.TB, s store.Store) *session.Manager {
	t.Helper()
	return newManager(t, s, session.Config{})
}

func newManager(t testing.TB, s store.Store, cfg session.Config) *session.Manager {
	t.Helper()
	keys, err := session.ParseKeys(Key)
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := session.New(keys, s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return sessions
}

// LiveSessions returns the ids of the live sessions of ada and grace.
func (w *World) LiveSessions(t testing.TB) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	for _, user := range []string{"ada", "grace"} {
		list, err := w.Sessions.List(t.Context(), user, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range list {
			ids[info.ID] = true
		}
	}
	return ids
}

// SessionOf returns the id of the session that a client's cookies name, or "".
func (w *World) SessionOf(c *Client) string {
	v, err := w.Sessions.Authenticate(c.NewRequest(http.MethodGet, "/", nil))
	if err != nil {
		return ""
	}
	return v.Session().ID
}

// EventLog is a text log of a Manager's events. It is safe for concurrent use.
type EventLog struct {
	mu    sync.Mutex // guards what follows
	text  bytes.Buffer
	count int
}

func (l *EventLog) handler() func(session.Event) {
	log := session.LogEvents(slog.New(slog.NewTextHandler(&l.text, &slog.HandlerOptions{Level: slog.LevelDebug})))
	return func(e session.Event) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.count++
		log(e)
	}
}

// String returns the text of the log.
func (l *EventLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Count returns how many events there were.
func (l *EventLog) Count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}
