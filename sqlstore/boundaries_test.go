package sqlstore_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// noon is the time on the database's clock at which the sessions of these tests begin.
var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// newClockApp is an app with user 1, whose database clock shows noon.
func newClockApp(t *testing.T) clockApp {
	t.Helper()
	a := clockApp{newApp(t, integerUsers, sqlstore.Config{})}
	a.db.SetMaxOpenConns(1)
	a.setUser(t, 1, store.User{Epoch: 1})
	a.setClock(t, noon)
	return a
}

// begin creates a session of user 1.
func (a clockApp) begin(t *testing.T, lifetime, retain time.Duration) store.NewSession {
	t.Helper()
	n := store.NewSession{ID: newID(), UserID: "1", Confirmed: newDigest(), Lifetime: lifetime, RetainFor: retain}
	if err := a.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (a clockApp) row(t *testing.T, id store.ID) store.Record {
	t.Helper()
	snap, err := a.Find(t.Context(), id)
	if err != nil || snap.Record == nil {
		t.Fatalf("found %v, %v", snap.Record, err)
	}
	return *snap.Record
}

// wantLive fails unless List and Reload treat the session as live, or as ended if want
// is false.
func (a clockApp) wantLive(t *testing.T, when string, id store.ID, want bool) {
	t.Helper()
	list, err := a.List(t.Context(), "1", store.ID{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.ContainsFunc(list, func(r store.Record) bool { return r.ID == id }); got != want {
		t.Errorf("%s: listed: %v; want %v", when, got, want)
	}
	before := a.row(t, id).Reload
	if _, err := a.Reload(t.Context(), "1", 1000); err != nil {
		t.Fatal(err)
	}
	if got := a.row(t, id).Reload > before; got != want {
		t.Errorf("%s: reloaded: %v; want %v", when, got, want)
	}
}

func (a clockApp) wantPruned(t *testing.T, when string, want int) {
	t.Helper()
	if n, err := a.Prune(t.Context(), 10); n != want || err != nil {
		t.Errorf("%s: Prune removed %d rows, %v; want %d", when, n, err, want)
	}
}

func TestStore_SessionEndsToTheMicrosecond(t *testing.T) {
	for name, c := range map[string]struct{ lifetime, retain time.Duration }{
		"by its lifetime": {time.Hour, 2 * time.Hour},
		"by its row":      {2 * time.Hour, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			a := newClockApp(t)
			n := a.begin(t, c.lifetime, c.retain)
			a.setClock(t, noon.Add(time.Hour-time.Microsecond))
			a.wantLive(t, "a microsecond before", n.ID, true)
			a.setClock(t, noon.Add(time.Hour))
			a.wantLive(t, "at the end", n.ID, false)
		})
	}
}

func TestStore_RowIsRetainedToTheMicrosecond(t *testing.T) {
	a := newClockApp(t)
	n := a.begin(t, 12*time.Hour, time.Hour)
	a.setClock(t, noon.Add(time.Hour))
	a.wantPruned(t, "at the end of the first retention", 0)
	if ok, err := a.Confirm(t.Context(), store.PresentedTicket{ID: n.ID, Generation: 1, Digest: newDigest(), Parent: n.Confirmed, RetainFor: 2 * time.Hour}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if got := a.row(t, n.ID).ConfirmedAt; !got.Equal(noon.Add(time.Hour)) {
		t.Errorf("confirmed at %v; want %v", got, noon.Add(time.Hour))
	}
	a.setClock(t, noon.Add(3*time.Hour-time.Microsecond))
	a.wantLive(t, "before the end of the second retention", n.ID, true)
	a.setClock(t, noon.Add(3*time.Hour))
	a.wantLive(t, "at the end of the second retention", n.ID, false)
	a.wantPruned(t, "at the end of the second retention", 0)
	a.setClock(t, noon.Add(3*time.Hour+time.Microsecond))
	a.wantPruned(t, "after the second retention", 1)
}

func TestStore_ChangesShowsAChangeToTheMicrosecond(t *testing.T) {
	a := newClockApp(t)
	reused := a.begin(t, 12*time.Hour, 12*time.Hour)
	revoked := a.begin(t, 12*time.Hour, 12*time.Hour)
	ofUser := a.begin(t, 12*time.Hour, 12*time.Hour)
	reloaded := a.begin(t, 12*time.Hour, 12*time.Hour)
	ids := []store.ID{reused.ID, revoked.ID, ofUser.ID, reloaded.ID}
	at := noon.Add(time.Minute)
	a.setClock(t, at)
	if ok, err := a.RevokeReused(t.Context(), store.PresentedTicket{ID: reused.ID, Digest: newDigest()}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := a.Revoke(t.Context(), revoked.ID, "", store.ReasonLogout); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := a.RevokeUser(t.Context(), store.UserRevocation{UserID: "1", Except: []store.ID{reloaded.ID}, Reason: store.ReasonRevoked, Limit: 1000}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Reload(t.Context(), "1", 1000); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids[:3] {
		if got := a.row(t, id).RevokedAt; !got.Equal(at) {
			t.Errorf("revoked at %v; want %v", got, at)
		}
	}
	for _, c := range []struct{ ago, within time.Duration }{
		{0, 0}, {0, time.Second}, {time.Microsecond, 0}, {time.Second, time.Second}, {time.Second + time.Microsecond, time.Second},
		{time.Hour, time.Hour}, {time.Hour + time.Microsecond, time.Hour},
	} {
		a.setClock(t, at.Add(c.ago))
		changes, err := a.Changes(t.Context(), c.within, store.Cursor{}, 1000)
		if err != nil || !changes.Now.Equal(at.Add(c.ago)) {
			t.Fatalf("the clock shows %v, %v; want %v", changes.Now, err, at.Add(c.ago))
		}
		for i, id := range ids {
			shown := slices.ContainsFunc(changes.Sessions, func(change store.Change) bool { return change.ID == id })
			if want := c.ago <= c.within; shown != want {
				t.Errorf("change %d, %v ago: shown: %v; asked for those within %v", i, c.ago, shown, c.within)
			}
		}
	}
}

// Every node must find the same session to be the oldest one.
func TestStore_ListSortsLoginsOfTheSameMomentByID(t *testing.T) {
	a := newClockApp(t)
	for range 8 {
		a.begin(t, time.Hour, time.Hour)
	}
	list, err := a.List(t.Context(), "1", store.ID{}, 100)
	if err != nil || len(list) != 8 {
		t.Fatalf("listed %d, %v", len(list), err)
	}
	if !slices.IsSortedFunc(list, func(a, b store.Record) int { return bytes.Compare(b.ID[:], a.ID[:]) }) {
		t.Errorf("listed %v; want the highest id first", list)
	}
}

func TestStore_RecordLateCountsToTheMicrosecond(t *testing.T) {
	a := newClockApp(t)
	n := a.begin(t, 12*time.Hour, 12*time.Hour)
	p := store.PresentedTicket{ID: n.ID, Digest: n.Confirmed, LateAfter: time.Minute}
	first, second := noon.Add(time.Minute+time.Microsecond), noon.Add(2*time.Minute+2*time.Microsecond)
	back := noon.Add(90 * time.Second)
	for _, c := range []struct {
		now            time.Time
		want           bool
		lateAt, before time.Time
	}{
		{noon.Add(time.Minute), false, time.Time{}, time.Time{}},
		{first, true, first, time.Time{}},
		{second.Add(-time.Microsecond), false, first, time.Time{}},
		{second, true, second, first},
		{back, true, back, time.Time{}}, // the clock was set back: the last one is after now
		{back.Add(-time.Hour), false, back, time.Time{}},
	} {
		a.setClock(t, c.now)
		ok, err := a.RecordLate(t.Context(), p)
		row := a.row(t, n.ID)
		if ok != c.want || err != nil || !row.LateAt.Equal(c.lateAt) || !row.LateBefore.Equal(c.before) {
			t.Errorf("at %v: got %v, %v, late at %v and %v; want %v, at %v and %v",
				c.now, ok, err, row.LateAt, row.LateBefore, c.want, c.lateAt, c.before)
		}
	}
}
