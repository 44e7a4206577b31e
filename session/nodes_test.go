package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// With Run, each revocation reaches the other nodes within two seconds. Without Run, it
// does so within the lifetime of an access cookie.
func TestManager_OtherNodesLearnOfEachRevocation(t *testing.T) {
	for name, end := range map[string]func(w *twoNodes, b *sessiontest.Browser, s session.Session) error{
		"logout": func(w *twoNodes, b *sessiontest.Browser, _ session.Session) error { return w.here.logout(b) },
		"one device": func(w *twoNodes, _ *sessiontest.Browser, s session.Session) error {
			return w.here.Revoke(w.Context(), "1", s.ID)
		},
		"other devices": func(w *twoNodes, _ *sessiontest.Browser, _ session.Session) error {
			return w.here.RevokeUser(w.Context(), "1", store.ID{1}.String())
		},
		"one user": func(w *twoNodes, _ *sessiontest.Browser, _ session.Session) error {
			return w.here.RevokeUser(w.Context(), "1")
		},
		"all users": func(w *twoNodes, _ *sessiontest.Browser, _ session.Session) error {
			return w.here.RevokeAll(w.Context())
		},
		"a login over it": func(w *twoNodes, b *sessiontest.Browser, _ session.Session) error {
			w.here.login(b, session.Login{})
			return nil
		},
		"too many logins": func(w *twoNodes, _ *sessiontest.Browser, _ session.Session) error {
			for range 20 {
				time.Sleep(time.Second)
				w.here.login(newBrowser(), session.Login{})
			}
			return nil
		},
		"a ban, then": func(w *twoNodes, _ *sessiontest.Browser, _ session.Session) error {
			w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
			return w.here.RevokeUser(w.Context(), "1")
		},
	} {
		for _, runs := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, Run %v", name, runs), func(t *testing.T) {
				inTwoNodes(t, session.Config{}, func(w *twoNodes) {
					if runs {
						defer w.there.run()()
					}
					b := newBrowser()
					s := w.here.login(b, session.Login{})
					kept := b.CloneIgnoringExpiry()
					w.there.in(kept)
					if err := end(w, b, s); err != nil {
						w.Fatal(err)
					}
					if runs {
						time.Sleep(pollInterval)
					} else {
						w.there.in(kept) // this node does not know of the revocation yet
						time.Sleep(defaultAccessTTL)
					}
					w.there.out(kept)
				})
			})
		}
	}
}

// A request with a valid access cookie makes no store call. After a revocation, every
// node refuses the access cookie for the rest of its lifetime.
func TestManager_RevokedAccessCookieIsRefusedForItsWholeLife(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		defer w.there.run()()
		b := newBrowser()
		s := w.here.login(b, session.Login{})
		restored := accessOnly(b)
		w.there.in(restored)
		if err := w.here.Revoke(w.Context(), "1", s.ID); err != nil {
			w.Fatal(err)
		}
		for range 20 {
			time.Sleep(6 * time.Second)
			w.here.out(restored)
			w.there.out(restored)
		}
	})
}

// lateStore reports its revocations with a time of its own, as a database does that
// commits late or has another clock.
type lateStore struct {
	store.Store
	mu      sync.Mutex // guards stamped
	stamped map[store.ID]time.Time
}

func (s *lateStore) Changes(ctx context.Context, within time.Duration, after store.Cursor, limit int) (store.Changes, error) {
	changes, err := s.Store.Changes(ctx, within, after, limit)
	changes.Sessions = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, at := range s.stamped {
		if !at.Before(changes.Now.Add(-within)) {
			changes.Sessions = append(changes.Sessions, store.Change{ID: id, Revoked: true})
		}
	}
	return changes, err
}

// A revocation appears late in the polls if it was committed late, or by a server whose
// clock is behind. If the server's clock is ahead, it appears in many polls.
func TestManager_RevocationCommittedLateIsNotMissed(t *testing.T) {
	for _, stamped := range []time.Duration{-3 * time.Second, -20 * time.Second, -2 * time.Minute, time.Minute} {
		t.Run(stamped.String(), func(t *testing.T) {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				db := &lateStore{Store: w.users}
				n := w.node(db, session.Config{})
				defer n.run()()
				b := newBrowser()
				s := n.login(b, session.Login{})
				time.Sleep(40 * time.Second)
				thief := accessOnly(b)
				n.in(thief)
				if err := w.here.Revoke(w.Context(), "1", s.ID); err != nil {
					w.Fatal(err)
				}
				id, _ := store.ParseID(s.ID)
				db.mu.Lock()
				db.stamped = map[store.ID]time.Time{id: time.Now().Add(stamped)}
				db.mu.Unlock()
				time.Sleep(15*time.Second + pollInterval) // the polls that look far back are 15 seconds apart
				n.out(thief)
				if time.Now().After(s.ExpiresAt) {
					w.Error("the access cookie has run out by itself")
				}
			})
		})
	}
}

// The app can revoke one device, one user or everybody. Other sessions are not
// affected.
func TestManager_RevokesOnlyTheNamedSessions(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		phone, laptop, tv, other := newBrowser(), newBrowser(), newBrowser(), newBrowser()
		p, l := w.here.login(phone, session.Login{}), w.here.login(laptop, session.Login{})
		w.here.login(tv, session.Login{})
		w.here.login(other, session.Login{UserID: "2"})
		for _, step := range []struct {
			name    string
			do      func() error
			out, in []*sessiontest.Browser
		}{
			{"one device", func() error { return w.here.Revoke(w.Context(), "1", p.ID) },
				[]*sessiontest.Browser{phone}, []*sessiontest.Browser{laptop, tv, other}},
			{"the other devices", func() error { return w.here.RevokeUser(w.Context(), "1", l.ID) },
				[]*sessiontest.Browser{phone, tv}, []*sessiontest.Browser{laptop, other}},
			{"all users", func() error { return w.here.RevokeAll(w.Context()) },
				[]*sessiontest.Browser{phone, laptop, tv, other}, nil},
		} {
			if err := step.do(); err != nil {
				w.Fatalf("%s: %v", step.name, err)
			}
			for _, b := range step.out {
				w.here.out(b)
			}
			for _, b := range step.in {
				w.here.in(b)
			}
		}
		w.here.login(laptop, session.Login{}) // a later login is accepted
		w.here.in(laptop)
	})
}

// A ban or a changed password needs no call of the Manager: it acts at the next
// refresh, and RequireLive sees it at once.
func TestManager_BanActsAtTheNextRefresh(t *testing.T) {
	for name, u := range map[string]store.User{"disabled": {Epoch: 1, Disabled: true}, "epoch moved": {Epoch: 2}} {
		inTwoNodes(t, session.Config{}, func(w *twoNodes) {
			b := newBrowser()
			w.here.login(b, session.Login{})
			if err := requireLive(w.here.Manager, b); err != nil {
				w.Errorf("%s: RequireLive before: %v", name, err)
			}
			w.users.SetUser("1", u)
			w.here.in(b)
			if err := requireLive(w.here.Manager, b); !errors.Is(err, session.ErrUnauthenticated) {
				w.Errorf("%s: RequireLive after: %v", name, err)
			}
			time.Sleep(defaultAccessTTL)
			w.here.out(b)
		})
	}
}
