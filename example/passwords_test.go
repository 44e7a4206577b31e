package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func testPasswords(t *testing.T) *passwords {
	t.Helper()
	p, err := newPasswords(testUsers(t), true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSuccessesAreNotThrottled(t *testing.T) {
	p := testPasswords(t)
	for range perAccount + 1 {
		if _, err := p.check(t.Context(), ada, adaPassword, "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnknownUsersAndWrongPasswordsAreTheSame(t *testing.T) {
	p := testPasswords(t)
	for name, attempt := range map[string][2]string{
		"wrong password":  {ada, "nope"},
		"unknown user":    {"nobody@example.com", adaPassword},
		"no e-mail":       {"", ""},
		"absurd e-mail":   {strings.Repeat("a", 300), "x"},
		"absurd password": {ada, strings.Repeat("x", maxPassword+1)},
	} {
		if _, err := p.check(t.Context(), attempt[0], attempt[1], "192.0.2.1"); err != errWrongPassword {
			t.Errorf("%s: error %v; want errWrongPassword", name, err)
		}
	}
}

// Not even a password that matches the dummy hash lets an unknown user in.
func TestTheDummyHashIsNobodysPassword(t *testing.T) {
	p := testPasswords(t)
	p.compare = func(_, hash string) (bool, error) { return hash == p.dummy, nil }
	if u, err := p.check(t.Context(), "nobody@example.com", "x", "192.0.2.1"); err != errWrongPassword {
		t.Errorf("user %+v, error %v; want errWrongPassword", u, err)
	}
}

// Many guesses at once must not all pass before the first of them has failed.
func TestParallelGuessesAreThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testPasswords(t)
		p.compare = func(_, _ string) (bool, error) { return false, nil }
		var wrong, throttled atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, err := p.check(t.Context(), ada, "guess", "192.0.2.1")
				if errors.Is(err, errWrongPassword) {
					wrong.Add(1)
				} else if _, ok := errors.AsType[throttledError](err); ok {
					throttled.Add(1)
				} else {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wrong.Load() != perAccount || throttled.Load() != 100-perAccount {
			t.Errorf("%d guesses were checked, %d throttled; want %d checked", wrong.Load(), throttled.Load(), perAccount)
		}
	})
}

// The right password is never throttled. So a client that sends it on hundreds of
// connections asks for hundreds of hashes.
func TestPasswords_OneClientDoesNotTakeAllTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testPasswords(t)
		adaRow, err := p.users.byEmail(t.Context(), ada)
		if err != nil {
			t.Fatal(err)
		}
		started, release := 0, make(chan struct{})
		p.compare = func(_, hash string) (bool, error) {
			if hash == adaRow.hash {
				started++ // one at a time, or the race detector reports it
				<-release
			}
			return true, nil
		}
		const connections = 500
		var flood sync.WaitGroup
		for range connections {
			flood.Go(func() {
				if _, err := p.check(t.Context(), ada, adaPassword, "192.0.2.1"); err != nil && !errors.Is(err, errUnavailable) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if started != 1 {
			t.Errorf("%d hashes for one account at once; want 1", started)
		}

		began := time.Now()
		for who, client := range map[string][2]string{
			"another account of the same network": {grace, "192.0.2.1"},
			"the same account elsewhere":          {grace, "198.51.100.1"},
		} {
			if _, err := p.check(t.Context(), client[0], gracePassword, client[1]); err != nil || time.Since(began) > 0 {
				t.Errorf("%s: error %v after %v; want a login at once", who, err, time.Since(began))
			}
		}
		close(release)
		flood.Wait()
		if started != connections {
			t.Errorf("%d of %d logins were checked in the end", started, connections)
		}
	})
}

func TestPasswords_NoTurnIsNoVerdict(t *testing.T) {
	p := testPasswords(t)
	for range cap(p.turns) {
		p.turns <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.check(ctx, ada, adaPassword, "192.0.2.1"); !errors.Is(err, errUnavailable) {
		t.Errorf("error %v; want errUnavailable", err)
	}
}

func TestThrottleSlowsDownAfterFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := &throttle{}
		const home = "192.0.2.1"
		for i := range perAccount {
			if wait := th.wait(ada, home); wait != 0 {
				t.Fatalf("after %d failures: wait %v; want none", i, wait)
			}
			th.failed(ada, home)
		}
		time.Sleep(time.Minute) // on the clock of the bubble
		if wait := th.wait(ada, home); wait != window-time.Minute {
			t.Errorf("after %d failures: wait %v; want the rest of the window, %v", perAccount, wait, window-time.Minute)
		}
		if wait := th.wait(ada, "192.0.2.2"); wait != 0 {
			t.Errorf("from elsewhere: wait %v; failures must not lock a user out everywhere", wait)
		}
		if wait := th.wait(grace, home); wait != 0 {
			t.Errorf("another account: wait %v; want none", wait)
		}
		time.Sleep(window - time.Minute)
		if wait := th.wait(ada, home); wait != 0 {
			t.Errorf("in the next window: wait %v; want none", wait)
		}
	})
}

func TestThrottleSlowsDownAnAddressThatTriesManyAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := &throttle{}
		for i := range perNetwork {
			// A customer can use every IPv6 address of a /64.
			email, ip := fmt.Sprintf("user%d@example.com", i), fmt.Sprintf("2001:db8::%x", i)
			if wait := th.wait(email, ip); wait != 0 {
				t.Fatalf("after %d failures: wait %v; want none", i, wait)
			}
			th.failed(email, ip)
		}
		if wait := th.wait("another@example.com", "2001:db8::ffff"); wait != window {
			t.Errorf("wait %v; want %v", wait, window)
		}
		if wait := th.wait("another@example.com", "2001:db8:0:1::1"); wait != 0 {
			t.Errorf("another network: wait %v; want none", wait)
		}
	})
}

func TestNetworkOf(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.1":        "192.0.2.1",
		"::ffff:192.0.2.1": "192.0.2.1",
		"2001:db8::1":      "2001:db8::/64",
		"fe80::1%eth0":     "fe80::/64",
		"":                 "invalid IP",
		"no address":       "invalid IP",
	} {
		if got := networkOf(ip); got != want {
			t.Errorf("networkOf(%q) = %q; want %q", ip, got, want)
		}
	}
}
