package store_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// Sessions end, rows expire and changes leave the poll window at the same microsecond
// as in an SQL database.
func TestMemory_TimesEndToTheMicrosecond(t *testing.T) {
	for name, c := range map[string]struct{ life, keep time.Duration }{
		"the lifetime ends first": {time.Hour, 2 * time.Hour},
		"the row goes first":      {2 * time.Hour, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := memory{store.NewMemory()}
				m.SetUser("1", store.User{Epoch: 1})
				n := store.NewSession{ID: store.ID{1}, UserID: "1", Lifetime: c.life, RetainFor: c.keep}
				if err := m.Create(t.Context(), n); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour - time.Microsecond)
				m.live(t, "a microsecond before the end", n.ID, true)
				time.Sleep(time.Microsecond)
				m.live(t, "at the end", n.ID, false)
				m.changed(t, "a microsecond after Reload", 0, 0)
				m.changed(t, "a microsecond after Reload", time.Microsecond, 1)
				time.Sleep(c.keep - time.Hour)
				m.prunes(t, "at the end of its row", 0)
				time.Sleep(time.Microsecond)
				m.prunes(t, "after the end of its row", 1)
			})
		})
	}
}

// A login of a device ends, and its row leaves, at the same microsecond as in an SQL database.
func TestMemory_DeviceLoginEndsToTheMicrosecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory{store.NewMemory()}
		n := store.NewDeviceLogin{ID: store.ID{1}, Network: "net", Lifetime: time.Hour}
		m.begins(t, "the first login", n, true)
		second := n
		second.ID, second.UserCode = store.ID{2}, store.Digest{2}
		time.Sleep(time.Hour - time.Microsecond)
		m.begins(t, "a microsecond before the end", second, false)
		m.polls(t, "a microsecond before the end", n.ID, true)
		time.Sleep(time.Microsecond)
		m.polls(t, "at the end", n.ID, false)
		if ok, err := m.DecideDeviceLogin(t.Context(), n.ID, store.Approved); ok || err != nil {
			t.Errorf("decided at the end: %v, %v", ok, err)
		}
		m.begins(t, "at the end", second, true)
		time.Sleep(store.RetainDeviceLogin)
		m.prunesDevices(t, "at the end of the retention", 0)
		time.Sleep(time.Microsecond)
		m.prunesDevices(t, "after the retention", 1)
	})
}

// In a microsecond a fast program asks more than once, and each question is another one.
func TestMemory_PollsOfOneMicrosecondDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory{store.NewMemory()}
		n := store.NewDeviceLogin{ID: store.ID{1}, Lifetime: time.Hour}
		m.begins(t, "a login", n, true)
		m.polls(t, "first", n.ID, true)
		now, first, _ := m.FindDeviceLogin(t.Context(), n.ID)
		m.polls(t, "at the same time", n.ID, true)
		_, second, _ := m.FindDeviceLogin(t.Context(), n.ID)
		if !first.PolledAt.Equal(now) || !second.PolledAt.Equal(now.Add(time.Microsecond)) {
			t.Errorf("at %v: polled at %v, then at %v", now, first.PolledAt, second.PolledAt)
		}
	})
}

type memory struct{ *store.Memory }

func (m memory) begins(t *testing.T, when string, n store.NewDeviceLogin, want bool) {
	t.Helper()
	if ok, err := m.CreateDeviceLogin(t.Context(), n, 1); ok != want || err != nil {
		t.Errorf("%s: CreateDeviceLogin returns %v, %v; want %v", when, ok, err, want)
	}
}

// polls records a poll of a login as it is found.
func (m memory) polls(t *testing.T, when string, id store.ID, want bool) {
	t.Helper()
	_, d, err := m.FindDeviceLogin(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := m.RecordPoll(t.Context(), id, d.PolledAt, time.Second); ok != want || err != nil {
		t.Errorf("%s: RecordPoll returns %v, %v; want %v", when, ok, err, want)
	}
}

func (m memory) prunesDevices(t *testing.T, when string, want int) {
	t.Helper()
	if n, err := m.PruneDeviceLogins(t.Context(), 10); n != want || err != nil {
		t.Errorf("%s: PruneDeviceLogins removed %d logins, %v; want %d", when, n, err, want)
	}
}

// live fails the test unless List and Reload agree that the session is live, or that it
// is over.
func (m memory) live(t *testing.T, when string, id store.ID, want bool) {
	t.Helper()
	list, err := m.List(t.Context(), "1", store.ID{}, 100)
	if got := slices.ContainsFunc(list, func(r store.Record) bool { return r.ID == id }); got != want || err != nil {
		t.Errorf("%s: listed: %v, %v; want %v", when, got, err, want)
	}
	before, err := m.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Reload(t.Context(), "1", 9); err != nil {
		t.Fatal(err)
	}
	after, err := m.Find(t.Context(), id)
	if got := after.Record.Reload > before.Record.Reload; got != want || err != nil {
		t.Errorf("%s: reloaded: %v, %v; want %v", when, got, err, want)
	}
}

func (m memory) changed(t *testing.T, when string, within time.Duration, want int) {
	t.Helper()
	if c, err := m.Changes(t.Context(), within, store.Cursor{}, 9); len(c.Sessions) != want || err != nil {
		t.Errorf("%s: %d changes within %v, %v; want %d", when, len(c.Sessions), within, err, want)
	}
}

func (m memory) prunes(t *testing.T, when string, want int) {
	t.Helper()
	if n, err := m.Prune(t.Context(), 10); n != want || err != nil {
		t.Errorf("%s: Prune removed %d rows, %v; want %d", when, n, err, want)
	}
}
