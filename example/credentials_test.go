package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

func testCredentials(t *testing.T) *credentials {
	t.Helper()
	users, passwords := testUsers(t)
	return &credentials{users: users, passwords: passwords, throttle: newThrottle()}
}

func TestSuccessesAreNotThrottled(t *testing.T) {
	c := testCredentials(t)
	for range 100 {
		if _, err := c.check(t.Context(), "ada@example.com", "ada-demo-password", "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnknownUsersAndWrongPasswordsAreTheSame(t *testing.T) {
	c := testCredentials(t)
	for name, attempt := range map[string][2]string{
		"wrong password":  {"ada@example.com", "nope"},
		"unknown user":    {"nobody@example.com", "ada-demo-password"},
		"no e-mail":       {"", ""},
		"absurd e-mail":   {strings.Repeat("a", 300), "x"},
		"absurd password": {"ada@example.com", strings.Repeat("x", maxPassword+1)},
	} {
		if _, err := c.check(t.Context(), attempt[0], attempt[1], "192.0.2.1"); err != errWrong {
			t.Errorf("%s: error %v; want errWrong", name, err)
		}
	}
}

func TestTheDummyHashIsNobodysPassword(t *testing.T) {
	h := newHasher(quickParams)
	if ok, err := h.matches("", ""); ok || err != nil {
		t.Errorf("matches with no hash: %t, %v; want false", ok, err)
	}
}

// Many guesses at once must not all pass before the first of them has failed.
func TestParallelGuessesAreThrottled(t *testing.T) {
	c := testCredentials(t)
	var mu sync.Mutex
	var wrong, throttled int
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			_, err := c.check(context.Background(), "ada@example.com", "guess", "192.0.2.1")
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, errWrong) {
				wrong++
			} else if _, ok := errors.AsType[throttledError](err); ok {
				throttled++
			} else {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most := 5 + cap(c.passwords.slots); wrong > most || throttled != 200-wrong {
		t.Errorf("%d guesses were checked, %d throttled; want %d checked at most", wrong, throttled, most)
	}
}

func TestABusyHasherIsNoVerdict(t *testing.T) {
	c := testCredentials(t)
	for range cap(c.passwords.slots) {
		c.passwords.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error)
	go func() {
		release, err := c.passwords.acquire(ctx)
		if err == nil {
			release()
		}
		cancelled <- err
	}()
	cancel()
	if err := <-cancelled; !errors.Is(err, errUnavailable) {
		t.Errorf("error %v; want errUnavailable", err)
	}
}
