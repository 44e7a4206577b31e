package sessiontest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// Store wraps another store.Store. It counts the calls, makes them fail or wait, and
// can change the times in the answers. It is safe for concurrent use. Make one with
// NewStore.
type Store struct {
	inner store.Store

	mu     sync.Mutex // guards what follows
	calls  map[string]int
	before Hook
	after  Hook
	clock  time.Duration
	aged   map[string]time.Duration // by session id
}

// A Hook is called with the context of a call and the name of its method of
// store.Store, such as "Find". A refresh on a store.OneStep, such as sqlstore.Store, calls
// "FindAndConfirm" in place of "Find". If it returns an error, the method returns that error.
// Concurrent calls run it concurrently.
type Hook func(ctx context.Context, method string) error

// NewStore returns a Store that passes every call to inner.
func NewStore(inner store.Store) *Store {
	return &Store{inner: inner, calls: map[string]int{}, aged: map[string]time.Duration{}}
}

// Unwrap returns the store behind this one. Two nodes whose Stores wrap the same one
// have the same sessions.
func (s *Store) Unwrap() store.Store { return s.inner }

// Calls returns how many calls there were of the methods named, such as "Find",
// or of all methods if none is named. The Manager's probes, which look for a
// session without an id, are not counted: no request caused them. Calls, Fail, LoseAnswers and
// Delay panic at a name that is no method of store.Store, store.OneStep,
// store.DeviceLogins or store.ClientForgetter: with a misspelt name a test could not fail.
func (s *Store) Calls(methods ...string) (n int) {
	mustExist(methods)
	s.mu.Lock()
	defer s.mu.Unlock()
	for method, calls := range s.calls {
		if applies(methods, method) {
			n += calls
		}
	}
	return n
}

// Before sets the hook that runs before each call. If it returns an error, the call
// does not reach the store. nil removes the hook.
func (s *Store) Before(hook Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = hook
}

// After sets the hook that runs after each call that the store answered without an
// error. If it returns an error, the store has done its work, but the answer is
// lost. nil removes the hook.
func (s *Store) After(hook Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = hook
}

// Fail makes each call of the named methods, or of all methods if none is named, return
// err without reaching the store: an outage. It replaces the hook of Before. A nil err removes
// it; a Manager that has given the store up finds it within a second, so let a test wait in a
// bubble of testing/synctest. Access cookies stay good, and a Manager answers a refresh cookie that it has seen within
// the last second from memory: expire the access cookie of a login that made no request since.
// To fail refreshes alone on any store, name both "Find" and "FindAndConfirm": see Hook.
func (s *Store) Fail(err error, methods ...string) {
	s.Before(failing(err, methods))
}

// LoseAnswers makes each call of the named methods, or of all methods if none is named,
// return err after the store has done its work. It replaces the hook of After. A nil
// err removes it.
func (s *Store) LoseAnswers(err error, methods ...string) {
	s.After(failing(err, methods))
}

// Delay makes each call of the named methods, or of all methods if none is named, wait
// for d or until its context is done; in the second case it returns the context's
// error. It replaces the hook of Before. A d of zero ends the delay.
func (s *Store) Delay(d time.Duration, methods ...string) {
	mustExist(methods)
	s.Before(func(ctx context.Context, method string) error {
		if !applies(methods, method) {
			return nil
		}
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// SetClock moves every time that the store returns by offset. A positive offset
// simulates a store whose clock is ahead, a negative one a store whose clock is behind.
func (s *Store) SetClock(offset time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = offset
}

// AgeLogin moves the login of a session back by d, for tests of RequireRecentLogin.
// Several calls add up. The access cookie keeps the old time: expire it, too, with
// ExpireAccess. In a bubble of testing/synctest, time.Sleep ages a login as well.
func (s *Store) AgeLogin(sessionID string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aged[sessionID] += d
}

func failing(err error, methods []string) Hook {
	mustExist(methods)
	return func(_ context.Context, method string) error {
		if applies(methods, method) {
			return err
		}
		return nil
	}
}

// methodNames are those of the calls that a Manager makes.
var methodNames = func() (names []string) {
	for _, contract := range []reflect.Type{reflect.TypeFor[store.Store](), reflect.TypeFor[store.OneStep](), reflect.TypeFor[store.DeviceLogins](), reflect.TypeFor[store.ClientForgetter]()} {
		for method := range contract.Methods() {
			names = append(names, method.Name)
		}
	}
	slices.Sort(names)
	return names
}()

func mustExist(methods []string) {
	for _, method := range methods {
		if !slices.Contains(methodNames, method) {
			panic(fmt.Sprintf("sessiontest: a store has no method %q: use %s", method, strings.Join(methodNames, ", ")))
		}
	}
}

func applies(methods []string, method string) bool {
	for _, m := range methods {
		if m == method {
			return true
		}
	}
	return len(methods) == 0
}

// call runs one method between the two hooks.
func call[T any](ctx context.Context, s *Store, method string, do func() (T, error)) (T, error) {
	s.mu.Lock()
	s.calls[method]++
	s.mu.Unlock()
	return intercept(ctx, s, method, do)
}

func intercept[T any](ctx context.Context, s *Store, method string, do func() (T, error)) (T, error) {
	s.mu.Lock()
	before, after := s.before, s.after
	s.mu.Unlock()
	var none T
	if before != nil {
		if err := before(ctx, method); err != nil {
			return none, err
		}
	}
	result, err := do()
	if after != nil && err == nil {
		if err := after(ctx, method); err != nil {
			return none, err
		}
	}
	return result, err
}
