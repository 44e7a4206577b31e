package sessiontest_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// times are all times that a store returns for one session.
func times(t *testing.T, s store.Store, id store.ID) (now []time.Time, record []time.Time) {
	t.Helper()
	snap, err := s.Find(t.Context(), id)
	if err != nil || snap.Record == nil {
		t.Fatalf("no row: %v", err)
	}
	changes, err := s.Changes(t.Context(), time.Hour, store.Cursor{}, 9)
	if err != nil {
		t.Fatal(err)
	}
	r := snap.Record
	return []time.Time{snap.Now, changes.Now}, []time.Time{r.ConfirmedAt, r.CreatedAt, r.AuthTime, r.EndsAt, r.RevokedAt}
}

func TestStore_SetClockMovesEveryTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := sessiontest.NewBrowser(nil).Login(t, w.sessions, session.Login{UserID: "1"})
		id, err := store.ParseID(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, revoked := range []bool{false, true} {
			wantNow, wantRecord := times(t, w.store, id)
			for _, offset := range []time.Duration{time.Hour, -24 * time.Hour, 0} {
				w.store.SetClock(offset)
				now, record := times(t, w.store, id)
				for i := range now {
					if !now[i].Equal(wantNow[i].Add(offset)) {
						t.Errorf("%v: now %d is %v; want %v", offset, i, now[i], wantNow[i].Add(offset))
					}
				}
				for i, got := range record {
					want := wantRecord[i].Add(offset)
					if wantRecord[i].IsZero() { // not revoked, whatever the clock
						want = time.Time{}
					}
					if !got.Equal(want) {
						t.Errorf("%v: time %d of the record is %v; want %v", offset, i, got, want)
					}
				}
				if revoked {
					continue
				}
				list, err := w.store.List(t.Context(), "1", store.ID{}, 100)
				if err != nil || len(list) != 1 || !list[0].CreatedAt.Equal(wantRecord[1].Add(offset)) {
					t.Errorf("%v: the list is %+v, %v", offset, list, err)
				}
			}
			if !revoked {
				sessiontest.Revoke(t, w.sessions, s)
			}
		}
		if now, _ := times(t, w.users, id); !now[0].Equal(time.Now()) {
			t.Errorf("the store behind it says %v", now[0])
		}
	})
}

// AgeLogin makes the login of one session older, which the next refresh sees.
func TestStore_AgeLoginMovesTheLoginOfOneSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b, other := sessiontest.NewBrowser(w.app), sessiontest.NewBrowser(w.app)
		s := b.Login(t, w.sessions, session.Login{UserID: "1"})
		others := other.Login(t, w.sessions, session.Login{UserID: "1"})
		recent := func(b *sessiontest.Browser) bool {
			v, err := w.sessions.Authenticate(b.NewRequest(http.MethodGet, "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			b.Receive(v.Cookies)
			if !v.Session().EndsAt.Equal(s.EndsAt) {
				t.Errorf("the session ends at %v; want %v", v.Session().EndsAt, s.EndsAt)
			}
			return v.Session().LoggedInWithin(5 * time.Minute)
		}
		for _, c := range []struct {
			older time.Duration
			want  bool
		}{{4 * time.Minute, true}, {time.Minute, false}} { // 5 minutes together
			w.store.AgeLogin(s.ID, c.older)
			time.Sleep(2 * time.Second) // so that the Manager asks again
			b.ExpireAccess()
			if got := recent(b); got != c.want {
				t.Errorf("aged by %v more: a login of the last 5 minutes: %v; want %v", c.older, got, c.want)
			}
		}
		other.ExpireAccess()
		if !recent(other) {
			t.Error("another session's login has aged")
		}
		list, err := w.sessions.List(t.Context(), "1", "")
		if err != nil || len(list) != 2 {
			t.Fatalf("list: %+v, %v", list, err)
		}
		for _, info := range list {
			want := others.AuthTime
			if info.ID == s.ID {
				want = s.AuthTime.Add(-5 * time.Minute)
			}
			if !info.AuthTime.Equal(want) {
				t.Errorf("the list says that %s logged in at %v; want %v", info.ID, info.AuthTime, want)
			}
		}
	})
}

// The Store changes its answers, not the rows of the store behind it.
func TestStore_ChangesNothingInTheStoreBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := sessiontest.NewBrowser(nil).Login(t, w.sessions, session.Login{UserID: "1"})
		id, _ := store.ParseID(s.ID)
		_, before := times(t, w.users, id)
		w.store.SetClock(time.Hour)
		w.store.AgeLogin(s.ID, time.Hour)
		for range 2 {
			if _, err := w.store.Find(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if _, err := w.store.List(t.Context(), "1", store.ID{}, 100); err != nil {
				t.Fatal(err)
			}
		}
		if _, after := times(t, w.users, id); len(after) != len(before) || !after[2].Equal(before[2]) || !after[1].Equal(before[1]) {
			t.Errorf("the row's times are %v; want %v", after, before)
		}
	})
}

func TestStore_OutageIsNeverALogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(3 * time.Second) // a probe may still wait
		w := newWorld(t)
		b := sessiontest.NewBrowser(w.app)
		b.Login(t, w.sessions, session.Login{UserID: "1"})
		b.ExpireAccess()
		for _, outage := range []func(){
			func() { w.store.Fail(errors.New("connection refused")) },
			func() { w.store.Delay(time.Hour) },
			func() { w.store.LoseAnswers(errors.New("connection reset")) },
		} {
			outage()
			if answer := b.Get("/"); answer.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("in the outage: %s", answer.Status)
			}
			w.store.Before(nil)
			w.store.After(nil)
			time.Sleep(7 * time.Second) // what the Manager has found out has grown old
			if answer := b.Get("/"); answer.StatusCode != http.StatusOK {
				t.Errorf("after it: %s", answer.Status)
			}
			b.ExpireAccess()
			time.Sleep(2 * time.Second) // so that the Manager asks again
		}
	})
}

// A time that the caller has from an answer means the same moment when it comes back.
func TestStore_SetClockMovesTimesThatComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, offset := range []time.Duration{time.Hour, -24 * time.Hour} {
			w.store.SetClock(offset)
			sessiontest.NewBrowser(nil).Login(t, w.sessions, session.Login{UserID: "1"})
			snap, err := w.store.Find(t.Context(), store.ID{})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			sessiontest.NewBrowser(nil).Login(t, w.sessions, session.Login{UserID: "1"})
			r := store.UserRevocation{UserID: "1", Before: snap.Now, Reason: store.ReasonRevoked, Limit: 9}
			for i, before := range []time.Time{snap.Now, {}} {
				r.Before = before
				if n, err := w.store.RevokeUser(t.Context(), r); n != 1 || err != nil {
					t.Errorf("%v: %d sessions from before %v were revoked, %v; want 1", offset, n, before, err)
				}
				all, err := w.store.Changes(t.Context(), 0, store.Cursor{}, 9)
				if err != nil || len(all.Sessions) != 1 || !all.Sessions[0].At.Equal(all.Now) {
					t.Fatalf("%v: %+v, %v; want a change of now", offset, all, err)
				}
				rest, err := w.store.Changes(t.Context(), 0, all.Sessions[0].Cursor(), 9)
				if err != nil || len(rest.Sessions) != 0 {
					t.Errorf("%v: %+v follows the last change, %v", offset, rest, err)
				}
				if i == 0 {
					time.Sleep(time.Second)
				}
			}
			time.Sleep(time.Second)
		}
	})
}

func TestStore_SetClockMovesTheTimeThatASessionGoesOnFrom(t *testing.T) {
	w := newWorld(t)
	w.store.SetClock(time.Hour)
	began := time.Now().Add(30 * time.Minute).Truncate(time.Microsecond)
	n := store.NewSession{ID: store.ID{1}, UserID: "1", CreatedAt: began, Lifetime: time.Hour, RetainFor: time.Hour}
	if err := w.store.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	for offset, want := range map[time.Duration]time.Time{time.Hour: began, 0: began.Add(-time.Hour)} {
		w.store.SetClock(offset)
		if snap, err := w.store.Find(t.Context(), n.ID); err != nil || !snap.Record.CreatedAt.Equal(want) {
			t.Errorf("%v: %+v, %v; want a session that began at %v", offset, snap.Record, err, want)
		}
	}
}
