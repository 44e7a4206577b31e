package sessiontest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/store/storetest"
)

// A Store without hooks behaves like the store behind it.
func TestStore_PassesTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		users := store.NewMemory()
		return storetest.Backend{
			Store:         sessiontest.NewStore(users),
			SetUser:       func(_ *testing.T, id string, u store.User) { users.SetUser(id, u) },
			RemoveUser:    func(_ *testing.T, id string) { users.DeleteUser(id) },
			LoseRevokeAll: func(*testing.T) { users.LoseRevokeAll() },
			ExpiresAt:     func(_ *testing.T, id store.ID) time.Time { return users.ExpiresAt(id) },
			Alice:         "1",
			Bob:           "2",
		}
	})
}

var sessionOne = store.ID{1}

// methods are the methods of store.Store, each with a call that succeeds.
var methods = map[string]func(ctx context.Context, s store.Store) error{
	"Create": func(ctx context.Context, s store.Store) error {
		return s.Create(ctx, store.NewSession{ID: sessionOne, UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour})
	},
	"Find": func(ctx context.Context, s store.Store) error { _, err := s.Find(ctx, sessionOne); return err },
	"Confirm": func(ctx context.Context, s store.Store) error {
		_, err := s.Confirm(ctx, store.PresentedTicket{ID: sessionOne, Generation: 5})
		return err
	},
	"RecordLate": func(ctx context.Context, s store.Store) error {
		_, err := s.RecordLate(ctx, store.PresentedTicket{ID: sessionOne})
		return err
	},
	"RevokeReused": func(ctx context.Context, s store.Store) error {
		_, err := s.RevokeReused(ctx, store.PresentedTicket{ID: sessionOne})
		return err
	},
	"Revoke": func(ctx context.Context, s store.Store) error {
		_, err := s.Revoke(ctx, sessionOne, "1", store.ReasonLogout)
		return err
	},
	"RevokeUser": func(ctx context.Context, s store.Store) error {
		_, err := s.RevokeUser(ctx, store.UserRevocation{UserID: "1", Reason: store.ReasonRevoked, Limit: 9})
		return err
	},
	"RevokeAll":  func(ctx context.Context, s store.Store) error { return s.RevokeAll(ctx) },
	"RefreshAll": func(ctx context.Context, s store.Store) error { return s.RefreshAll(ctx) },
	"Update": func(ctx context.Context, s store.Store) error {
		_, err := s.Update(ctx, store.ID{1}, nil)
		return err
	},
	"Reload": func(ctx context.Context, s store.Store) error { _, err := s.Reload(ctx, "1", 9); return err },
	"List": func(ctx context.Context, s store.Store) error {
		_, err := s.List(ctx, "1", store.ID{}, 100)
		return err
	},
	"Newest": func(ctx context.Context, s store.Store) error { _, err := s.Newest(ctx, "1", false, 100); return err },
	"Changes": func(ctx context.Context, s store.Store) error {
		_, err := s.Changes(ctx, time.Hour, store.Cursor{}, 9)
		return err
	},
	"Prune": func(ctx context.Context, s store.Store) error { _, err := s.Prune(ctx, 1); return err },
}

// reached is a store that records which methods are called.
type reached struct {
	store.Store // nil: each method that a test calls is below
	calls       []string
}

func (s *reached) saw(method string) { s.calls = append(s.calls, method) }

func (s *reached) Create(context.Context, store.NewSession) error { s.saw("Create"); return nil }
func (s *reached) Find(context.Context, store.ID) (store.Snapshot, error) {
	s.saw("Find")
	return store.Snapshot{}, nil
}
func (s *reached) Confirm(context.Context, store.PresentedTicket) (bool, error) {
	s.saw("Confirm")
	return true, nil
}
func (s *reached) RecordLate(context.Context, store.PresentedTicket) (bool, error) {
	s.saw("RecordLate")
	return true, nil
}
func (s *reached) RevokeReused(context.Context, store.PresentedTicket) (bool, error) {
	s.saw("RevokeReused")
	return true, nil
}
func (s *reached) Revoke(context.Context, store.ID, string, store.Reason) (bool, error) {
	s.saw("Revoke")
	return true, nil
}
func (s *reached) RevokeUser(context.Context, store.UserRevocation) (int, error) {
	s.saw("RevokeUser")
	return 0, nil
}
func (s *reached) RevokeAll(context.Context) error { s.saw("RevokeAll"); return nil }
func (s *reached) Update(context.Context, store.ID, map[string]string) (bool, error) {
	s.saw("Update")
	return true, nil
}
func (s *reached) RefreshAll(context.Context) error { s.saw("RefreshAll"); return nil }
func (s *reached) Reload(context.Context, string, int) (int, error) {
	s.saw("Reload")
	return 0, nil
}
func (s *reached) List(context.Context, string, store.ID, int) ([]store.Record, error) {
	s.saw("List")
	return nil, nil
}
func (s *reached) Newest(context.Context, string, bool, int) ([]store.Record, error) {
	s.saw("Newest")
	return nil, nil
}
func (s *reached) Changes(context.Context, time.Duration, store.Cursor, int) (store.Changes, error) {
	s.saw("Changes")
	return store.Changes{}, nil
}
func (s *reached) Prune(context.Context, int) (int, error) { s.saw("Prune"); return 1, nil }

var errBroken = errors.New("broken")

// other returns a method that is not the one given.
func other(method string) string {
	if method == "Prune" {
		return "List"
	}
	return "Prune"
}

// A name that no call has would let each test pass.
func TestStore_PanicsAtANameThatIsNoMethod(t *testing.T) {
	for name, do := range map[string]func(s *sessiontest.Store){
		"Calls":       func(s *sessiontest.Store) { s.Calls("Find", "Fnd") },
		"Fail":        func(s *sessiontest.Store) { s.Fail(errBroken, "Fnd") },
		"LoseAnswers": func(s *sessiontest.Store) { s.LoseAnswers(errBroken, "Fnd") },
		"Delay":       func(s *sessiontest.Store) { s.Delay(time.Second, "Fnd") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s takes the name Fnd", name)
				}
			}()
			do(sessiontest.NewStore(store.NewMemory()))
		}()
	}
	s := sessiontest.NewStore(store.NewMemory())
	for method := range methods {
		s.Calls(method, "FindAndConfirm", "RecordPoll")
	}
}

// Each method is counted and calls both hooks with its own name.
func TestStore_EachMethodIsCountedAndHooked(t *testing.T) {
	for method, do := range methods {
		inner := &reached{}
		s := sessiontest.NewStore(inner)
		var order []string
		ctx := context.WithValue(t.Context(), &order, "mine")
		hook := func(which string) sessiontest.Hook {
			return func(ctx context.Context, name string) error {
				order = append(order, fmt.Sprint(which, " ", name, " ", ctx.Value(&order), " ", len(inner.calls)))
				return nil
			}
		}
		s.Before(hook("before"))
		s.After(hook("after"))
		if err := do(ctx, s); err != nil {
			t.Errorf("%s: %v", method, err)
		}
		if want := []string{"before " + method + " mine 0", "after " + method + " mine 1"}; !slices.Equal(order, want) {
			t.Errorf("%s: the hooks were called as %q; want %q", method, order, want)
		}
		if !slices.Equal(inner.calls, []string{method}) {
			t.Errorf("%s reached the store as %v", method, inner.calls)
		}
		s.Before(nil)
		s.After(nil)
		if err := do(ctx, s); err != nil || len(order) != 2 {
			t.Errorf("%s without hooks: %v, %q", method, err, order)
		}
		if s.Calls() != 2 || s.Calls(method) != 2 || s.Calls(other(method), method) != 2 || s.Calls(other(method)) != 0 {
			t.Errorf("%s: %d calls, %d of it, %d of another; want 2, 2 and 0", method, s.Calls(), s.Calls(method), s.Calls(other(method)))
		}
	}
}

// Fail prevents the call. LoseAnswers lets the store do its work.
func TestStore_FailsBeforeOrAfterTheWork(t *testing.T) {
	for method, do := range methods {
		for _, c := range []struct {
			name    string
			tell    func(s *sessiontest.Store, err error)
			err     error
			reached bool
		}{
			{"Fail", func(s *sessiontest.Store, err error) { s.Fail(err) }, errBroken, false},
			{"Fail of it", func(s *sessiontest.Store, err error) { s.Fail(err, other(method), method) }, errBroken, false},
			{"Fail of another", func(s *sessiontest.Store, err error) { s.Fail(err, other(method)) }, nil, true},
			{"LoseAnswers", func(s *sessiontest.Store, err error) { s.LoseAnswers(err) }, errBroken, true},
			{"LoseAnswers of it", func(s *sessiontest.Store, err error) { s.LoseAnswers(err, method) }, errBroken, true},
			{"LoseAnswers of another", func(s *sessiontest.Store, err error) { s.LoseAnswers(err, other(method)) }, nil, true},
		} {
			inner := &reached{}
			s := sessiontest.NewStore(inner)
			c.tell(s, errBroken)
			if err := do(t.Context(), s); err != c.err || (len(inner.calls) == 1) != c.reached || s.Calls(method) != 1 {
				t.Errorf("%s, %s: got %v, reached %v, %d calls", method, c.name, err, inner.calls, s.Calls(method))
			}
			c.tell(s, nil)
			if err := do(t.Context(), s); err != nil {
				t.Errorf("%s, after %s(nil): %v", method, c.name, err)
			}
		}
	}
}

// A lost answer contains no result. An error of the store itself is returned unchanged.
func TestStore_LostAnswerCarriesNoResult(t *testing.T) {
	s := sessiontest.NewStore(&reached{})
	s.LoseAnswers(errBroken)
	if n, err := s.Prune(t.Context(), 1); n != 0 || err != errBroken {
		t.Errorf("got %d, %v", n, err)
	}
	s.LoseAnswers(nil)
	if n, err := s.Prune(t.Context(), 1); n != 1 || err != nil {
		t.Errorf("an answer that was not lost: got %d, %v", n, err)
	}
	users := store.NewMemory()
	s = sessiontest.NewStore(users)
	s.LoseAnswers(errBroken)
	if err := s.Create(t.Context(), store.NewSession{UserID: "nobody"}); !errors.Is(err, session.ErrUserDisabled) {
		t.Errorf("got %v; want the store's error", err)
	}
}

func TestStore_PassesOnTheStoresErrors(t *testing.T) {
	for method, do := range methods {
		inner := sessiontest.NewStore(&reached{})
		inner.Fail(errBroken)
		if err := do(t.Context(), sessiontest.NewStore(inner)); err != errBroken {
			t.Errorf("%s: got %v; want the error of the store behind it", method, err)
		}
	}
}

func TestStore_DelayEndsWithTheContext(t *testing.T) {
	for method, do := range methods {
		synctest.Test(t, func(t *testing.T) {
			inner := &reached{}
			s := sessiontest.NewStore(inner)
			took := func(ctx context.Context) (time.Duration, error) {
				start := time.Now()
				err := do(ctx, s)
				return time.Since(start), err
			}
			for name, tell := range map[string]func(d time.Duration){
				"all": func(d time.Duration) { s.Delay(d) },
				"it":  func(d time.Duration) { s.Delay(d, other(method), method) },
			} {
				inner.calls = nil
				tell(time.Minute)
				if d, err := took(t.Context()); d != time.Minute || err != nil || len(inner.calls) != 1 {
					t.Errorf("%s, %s: %v after %v, reached %v", method, name, err, d, inner.calls)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				if d, err := took(ctx); d != time.Second || err != context.DeadlineExceeded || len(inner.calls) != 1 {
					t.Errorf("%s, %s, for a second: %v after %v, reached %v", method, name, err, d, inner.calls)
				}
				cancel()
				tell(0)
				if d, err := took(t.Context()); d != 0 || err != nil {
					t.Errorf("%s, %s, no more: %v after %v", method, name, err, d)
				}
			}
			s.Delay(time.Minute, other(method))
			if d, err := took(t.Context()); d != 0 || err != nil {
				t.Errorf("%s, a delay of another: %v after %v", method, err, d)
			}
		})
	}
}

// The Manager probes a store that does not answer. Probes are not caused by a request.
func TestStore_ProbesAreHookedButNotCounted(t *testing.T) {
	inner := &reached{}
	s := sessiontest.NewStore(inner)
	hooked := 0
	s.Before(func(context.Context, string) error { hooked++; return nil })
	if _, err := s.Find(t.Context(), store.ID{}); err != nil || hooked != 1 || len(inner.calls) != 1 || s.Calls() != 0 {
		t.Errorf("a probe: %v, %d times hooked, reached %v, %d calls", err, hooked, inner.calls, s.Calls())
	}
}

func TestStore_IsSafeForConcurrentUse(t *testing.T) {
	users := store.NewMemory()
	users.SetUser("1", store.User{})
	s := sessiontest.NewStore(users)
	var all sync.WaitGroup
	for _, do := range methods {
		all.Go(func() {
			for i := range 50 {
				_ = do(t.Context(), s)
				s.Fail(nil)
				s.LoseAnswers(nil)
				s.SetClock(time.Duration(i))
				s.AgeLogin(sessionOne.String(), time.Duration(i))
				s.Calls()
			}
		})
	}
	all.Wait()
	if n := s.Calls(); n != 50*len(methods) {
		t.Errorf("%d calls; want %d", n, 50*len(methods))
	}
}
