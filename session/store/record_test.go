package store_test

import (
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// The tests of the store contract cover both conditions only for rows that are not
// revoked.
func TestRecord_RevokedRowAcceptsNoTicket(t *testing.T) {
	row := store.Record{Generation: 3, Confirmed: store.Digest{3}, Previous: store.Digest{2}}
	child := store.PresentedTicket{Generation: 4, Digest: store.Digest{4}, Parent: store.Digest{3}}
	old := store.PresentedTicket{Generation: 2, Digest: store.Digest{2}, Parent: store.Digest{1}}
	if !row.CanConfirm(child) || row.CanConfirm(old) || row.IsReuse(child) || !row.IsReuse(old) {
		t.Errorf("a live row takes the child: %v, the old ticket: %v; supersedes them: %v, %v; want true, false, false, true",
			row.CanConfirm(child), row.CanConfirm(old), row.IsReuse(child), row.IsReuse(old))
	}
	row.RevokedAt = time.Unix(1, 0)
	if row.CanConfirm(child) || row.CanConfirm(old) || row.IsReuse(child) || row.IsReuse(old) {
		t.Errorf("a revoked row takes the child: %v, the old ticket: %v; supersedes them: %v, %v; want none",
			row.CanConfirm(child), row.CanConfirm(old), row.IsReuse(child), row.IsReuse(old))
	}
}

// A LateAt after now was recorded by the faster clock of a database that has been
// replaced. It must neither count nor prevent that later ones are recorded.
func TestRecord_LateAtAfterNowDoesNotCount(t *testing.T) {
	now := time.Unix(10_000, 0)
	p := store.PresentedTicket{Digest: store.Digest{1}, LateAfter: time.Minute}
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		name              string
		confirmed, lateAt time.Time
		want              bool
	}{
		{"long after the confirmation", ago(61 * time.Second), time.Time{}, true},
		{"a minute after the confirmation", ago(time.Minute), time.Time{}, false},
		{"long after the last one", ago(time.Hour), ago(61 * time.Second), true},
		{"a minute after the last one", ago(time.Hour), ago(time.Minute), false},
		{"now", ago(time.Hour), now, false},
		{"the last one is after now", ago(time.Hour), now.Add(time.Microsecond), true},
		{"the confirmation is after now", now.Add(time.Hour), time.Time{}, false},
	} {
		row := store.Record{Confirmed: store.Digest{1}, ConfirmedAt: c.confirmed, LateAt: c.lateAt}
		if got := row.IsLate(p, now); got != c.want {
			t.Errorf("%s: late: %v; want %v", c.name, got, c.want)
		}
	}
}

func TestRecord_LastSeenIsTheLatestPresentation(t *testing.T) {
	at := func(minute int) time.Time { return time.Unix(int64(60*minute), 0) }
	for _, c := range []struct {
		row  store.Record
		want time.Time
	}{
		{store.Record{ConfirmedAt: at(1)}, at(1)},
		{store.Record{ConfirmedAt: at(1), LateAt: at(3)}, at(3)},
		{store.Record{ConfirmedAt: at(1), LateAt: at(3), LateBefore: at(2)}, at(3)},
		{store.Record{ConfirmedAt: at(4), LateAt: at(3)}, at(4)}, // the clock was set back
	} {
		if got := c.row.LastSeenAt(); !got.Equal(c.want) {
			t.Errorf("%+v: last seen at %v; want %v", c.row, got, c.want)
		}
	}
}

// Stores of other authors declare their columns by these bounds. They never shrink, and grow
// only with an upgrade of every schema.
func TestFacts_HaveTheBoundsOfTheSchemas(t *testing.T) {
	got := [...]int{store.MaxMethods, store.MaxActor, store.MaxExternalID, store.MaxClient, store.MaxData}
	if want := [...]int{255, 255, 255, 255, 1024}; got != want {
		t.Errorf("the bounds are %v; want %v", got, want)
	}
}
