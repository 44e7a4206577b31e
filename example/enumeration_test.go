package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
)

// outcome is everything that an answer to a login tells, except when it was sent.
func outcome(got answer) string {
	header := got.Header.Clone()
	header.Del("Date")
	if wait := header.Get("Retry-After"); wait != "" {
		// It counts down during the test.
		seconds, err := strconv.Atoi(wait)
		header.Set("Retry-After", fmt.Sprint(err == nil && seconds > 200 && seconds <= 300))
	}
	return fmt.Sprintf("%d, %d bytes, %v", got.StatusCode, len(got.body), header)
}

// An attacker who tries passwords does not learn who has an account: neither from the
// answer, nor from the work that the server does for it.
func TestALoginTellsNobodyWhoThereIs(t *testing.T) {
	a, server := testServer(t)
	var hashes atomic.Int64
	a.passwords.compare = func(password, hash string) (bool, error) {
		hashes.Add(1)
		return argon2id.ComparePasswordAndHash(password, hash)
	}
	// These hashes protect nothing, but the test needs hundreds of them.
	quick := &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	hash, err := argon2id.CreateHash("a password that is right", quick)
	if err != nil {
		t.Fatal(err)
	}
	if a.passwords.dummy, err = argon2id.CreateHash("nobody knows it", quick); err != nil {
		t.Fatal(err)
	}
	for _, email := range []string{"tim@example.com", "ben@example.com"} {
		if _, err := a.users.exec(t.Context(), `INSERT INTO users (email, password_hash, name) VALUES (?, ?, ?)`, email, hash, "Somebody"); err != nil {
			t.Fatal(err)
		}
	}
	ben, err := a.users.byEmail(t.Context(), "ben@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.users.setDisabled(t.Context(), ben.ID, true); err != nil {
		t.Fatal(err)
	}
	kinds := []struct{ name, email, password string }{
		{"wrong password", "tim@example.com", "a password that is wrong"},
		{"unknown user", "eve@example.com", "a password that is wrong"},
		{"unknown user, somebody's password", "eve@example.com", "a password that is right"},
		{"disabled user", "ben@example.com", "a password that is wrong"},
	}
	b := newBrowser(t, server)
	try := func(email, password string) (string, int64, time.Duration) {
		before, began := hashes.Load(), time.Now()
		got := b.post("/login", "email", email, "password", password)
		return outcome(got), hashes.Load() - before, time.Since(began)
	}

	// Without the throttle: the same answer, and one hash each.
	const tries = 100
	first, _, _ := try(kinds[0].email, kinds[0].password)
	took := make([][]time.Duration, len(kinds))
	for range tries {
		for i, kind := range kinds {
			a.passwords.throttle = &throttle{}
			got, n, d := try(kind.email, kind.password)
			if got != first || n != 1 {
				t.Fatalf("%s: %d hashes, and\n%s\nwant one, and\n%s", kind.name, n, got, first)
			}
			took[i] = append(took[i], d)
		}
	}
	for i, kind := range kinds {
		slices.Sort(took[i])
		t.Logf("%s: median %v", kind.name, took[i][tries/2])
	}

	// With it, the right password gets the same answer too.
	kinds = append(kinds, struct{ name, email, password string }{"right password", "tim@example.com", "a password that is right"})
	for _, kind := range kinds[:4] {
		for range perAccount {
			try(kind.email, kind.password)
		}
	}
	first, _, _ = try(kinds[0].email, kinds[0].password)
	for _, kind := range kinds {
		got, n, _ := try(kind.email, kind.password)
		if got != first || n != 0 {
			t.Errorf("throttled, %s: %d hashes, and\n%s\nwant none, and\n%s", kind.name, n, got, first)
		}
	}
	t.Logf("%d tries of 4 kinds: one answer, one hash each; throttled: %d kinds, one answer, no hash", tries*4, len(kinds))
	b.post("/login", "email", "tim@example.com", "password", "a password that is right").shows(t, http.StatusTooManyRequests)
}
