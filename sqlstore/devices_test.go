package sqlstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// device adds a device login of the network net, which has at most limit of them.
func (a app) device(t *testing.T, lifetime time.Duration, limit int) (n store.NewDeviceLogin, added bool) {
	t.Helper()
	n = store.NewDeviceLogin{ID: newID(), UserCode: newDigest(), Network: "net", Lifetime: lifetime, Interval: time.Second}
	added, err := a.CreateDeviceLogin(t.Context(), n, limit)
	if err != nil {
		t.Fatal(err)
	}
	return n, added
}

func TestStore_DeviceLoginEndsToTheMicrosecond(t *testing.T) {
	a := newClockApp(t)
	n, _ := a.device(t, time.Hour, 1)
	undecided, _ := a.device(t, time.Hour, 2)
	changes := func(when string, want bool) {
		t.Helper()
		_, d, err := a.FindDeviceLogin(t.Context(), n.ID)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := a.RecordPoll(t.Context(), n.ID, d.PolledAt, time.Second); ok != want || err != nil {
			t.Errorf("%s: RecordPoll returns %v, %v; want %v", when, ok, err, want)
		}
		if ok, err := a.DecideDeviceLogin(t.Context(), n.ID, store.Approved); ok != want || err != nil {
			t.Errorf("%s: DecideDeviceLogin returns %v, %v; want %v", when, ok, err, want)
		}
		n = undecided
	}
	a.setClock(t, noon.Add(time.Hour-time.Microsecond))
	changes("a microsecond before the end", true)
	if _, added := a.device(t, time.Hour, 2); added {
		t.Error("a microsecond before the end: a third login of a network was added; want at most 2")
	}
	a.setClock(t, noon.Add(time.Hour))
	changes("at the end", false)
	if _, added := a.device(t, time.Hour, 1); !added {
		t.Error("at the end: no login of the network was added")
	}
	prunes := func(when string, want int) {
		t.Helper()
		if got, err := a.PruneDeviceLogins(t.Context(), 10); got != want || err != nil {
			t.Errorf("%s: PruneDeviceLogins removed %d logins, %v; want %d", when, got, err, want)
		}
	}
	a.setClock(t, noon.Add(time.Hour+store.RetainDeviceLogin))
	prunes("at the end of the retention", 0)
	a.setClock(t, noon.Add(time.Hour+store.RetainDeviceLogin+time.Microsecond))
	prunes("after the retention", 2)
}

// Two polls at the same time of the database's clock have different times.
func TestStore_PollsOfOneMicrosecondDiffer(t *testing.T) {
	a := newClockApp(t)
	n, _ := a.device(t, time.Hour, 1)
	last := time.Time{}
	for poll, want := range []time.Time{noon, noon.Add(time.Microsecond), noon} {
		if ok, err := a.RecordPoll(t.Context(), n.ID, last, time.Second); !ok || err != nil {
			t.Fatalf("poll %d: %v, %v", poll, ok, err)
		}
		now, d, err := a.FindDeviceLogin(t.Context(), n.ID)
		if err != nil || !now.Equal(noon) || !d.PolledAt.Equal(want) {
			t.Fatalf("poll %d: at %v the login is %+v, %v; want it polled at %v", poll, now, d, err, want)
		}
		if ok, err := a.RecordPoll(t.Context(), n.ID, last, time.Second); ok || err != nil {
			t.Errorf("poll %d again: %v, %v", poll, ok, err)
		}
		last = d.PolledAt
	}
}

// What another program has written is an error, and no login.
func TestStore_DeviceLoginWithAWrongSizeIsAnError(t *testing.T) {
	for column, want := range map[string]string{"id": "a session id is not 16 bytes long", "user_code": errDigest, "confirmed": errDigest, "live": errDigest} {
		a := newApp(t, integerUsers, sqlstore.Config{})
		n, _ := a.device(t, time.Hour, 1)
		a.exec(t, "ALTER TABLE sessions_devices MODIFY "+column+" VARBINARY(99) NOT NULL")
		a.exec(t, "UPDATE sessions_devices SET "+column+" = LEFT("+column+", 15)")
		find := func() (*store.DeviceLogin, error) {
			_, d, err := a.FindDeviceLogin(t.Context(), n.ID)
			return d, err
		}
		if column == "id" {
			find = func() (*store.DeviceLogin, error) {
				_, d, err := a.FindUserCode(t.Context(), n.UserCode)
				return d, err
			}
		}
		if d, err := find(); d != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want the error %q", column, d, err, want)
		}
	}
}

const errDigest = "a digest is not 32 bytes long"

// A node that has counted before another one's login was there adds its own: one more than
// the limit, and no error.
func TestStore_CreateDeviceLoginCountsWithoutLocks(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	tx, err := a.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	first, second := newID(), newDigest()
	if _, err := tx.ExecContext(t.Context(), `INSERT INTO sessions_devices (id, user_code, confirmed, live, client, user_agent, ip, network, created_at, ends_at, poll_interval)
		VALUES (?, ?, ?, ?, '', '', '', 'net', 1, 9e15, 1)`, first[:], second[:], second[:], second[:]); err != nil {
		t.Fatal(err)
	}
	if _, added := a.device(t, time.Hour, 1); !added {
		t.Error("a login that is not committed counts")
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, added := a.device(t, time.Hour, 2); added {
		t.Error("a third login was added; want at most 2")
	}
}
