package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
)

// hashParams are the minimum that OWASP recommends for argon2id: about 30 ms.
var hashParams = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

const maxPassword = 1024 // bytes: limits the work that a stranger can cause

var errWrongPassword = errors.New("no user has this e-mail address and this password")

// throttledError says that there were too many failed logins.
type throttledError struct{ wait time.Duration }

func (e throttledError) Error() string {
	return fmt.Sprintf("too many failed logins: wait %v", e.wait)
}

// passwords checks the password of a user.
type passwords struct {
	users    *userTable
	throttle *throttle
	demo     bool // the passwords of the demo users are accepted; they are public
	// Only a few at a time: a hash takes a processor and 19 MiB of memory, and
	// everybody can ask for one.
	turns chan struct{}
	// One at a time per account and network, so that one client does not take all
	// turns, however many connections it has. The queue is chosen by a hash.
	queues [1024]chan struct{}
	seed   maphash.Seed
	// The hash of a random password stands in for that of an unknown user.
	dummy   string
	compare func(password, hash string) (bool, error) // tests count the calls
}

func newPasswords(users *userTable, demo bool) (*passwords, error) {
	dummy, err := argon2id.CreateHash(rand.Text(), hashParams)
	p := &passwords{users: users, throttle: &throttle{}, demo: demo, dummy: dummy, compare: argon2id.ComparePasswordAndHash}
	p.turns, p.seed = make(chan struct{}, max(2, min(4, runtime.GOMAXPROCS(0)))), maphash.MakeSeed()
	for i := range p.queues {
		p.queues[i] = make(chan struct{}, 1)
	}
	return p, err
}

// check returns the user who has this e-mail address and this password. Otherwise the
// error is errWrongPassword, a throttledError, or one that Is errUnavailable.
//
// It does not tell who has an account: an unknown user and a wrong password give the
// same error after the same work, and the throttle counts both. Whether the user is
// disabled is left to Guard.Issue, which runs after the right password only.
func (p *passwords) check(ctx context.Context, email, password, ip string) (user, error) {
	email, valid := normalEmail(email)
	if !valid {
		email = "" // no user has it; the rest is the same
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	queue := p.queues[maphash.String(p.seed, networkOf(ip)+" "+email)%uint64(len(p.queues))]
	for _, limit := range []chan struct{}{queue, p.turns} {
		select {
		case limit <- struct{}{}:
			defer func() { <-limit }()
		case <-ctx.Done():
			return user{}, unavailable(ctx.Err())
		}
	}
	// After the turn: else many parallel guesses pass before the first failure counts.
	if wait := p.throttle.wait(email, ip); wait > 0 {
		return user{}, throttledError{wait}
	}
	u, err := p.users.byEmail(ctx, email)
	if err != nil && !errors.Is(err, errNoUser) {
		return user{}, err
	}
	ok, err := p.compare(password, cmp.Or(u.hash, p.dummy))
	if err != nil {
		return user{}, fmt.Errorf("users.password_hash of user %s: %w", u.ID, err)
	}
	public := slices.ContainsFunc(demoUsers, func(d demoUser) bool { return d.Password == password })
	if !ok || u.hash == "" || len(password) > maxPassword || public && !p.demo {
		p.throttle.failed(email, ip)
		return user{}, errWrongPassword
	}
	return u, nil
}

const (
	window     = 5 * time.Minute
	perAccount = 5  // failures in a window
	perNetwork = 50 // the same
)

// throttle limits failed logins. It has two limits: one per account and network, so
// that nobody can lock a user out from elsewhere; and one per network, against a few
// guesses on each of many accounts. All counters start again in each window. Each
// failure costs a hash, which limits how many counters one window can have.
type throttle struct {
	mu       sync.Mutex // guards what follows
	ends     time.Time  // of the current window
	failures map[string]int
}

// wait returns how long this address must wait before it may try this account.
func (t *throttle) wait(email, ip string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); !now.Before(t.ends) {
		t.ends, t.failures = now.Add(window), map[string]int{}
	}
	network := networkOf(ip)
	if t.failures[network+" "+email] < perAccount && t.failures[network] < perNetwork {
		return 0
	}
	return time.Until(t.ends)
}

// failed counts a failure. Call wait before it.
func (t *throttle) failed(email, ip string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	network := networkOf(ip)
	t.failures[network+" "+email]++
	t.failures[network]++
}

// networkOf returns what counts as one client: an IPv4 address, or the /64 of an IPv6
// address, because each customer has 2^64 of those.
func networkOf(ip string) string {
	addr, _ := netip.ParseAddr(ip) // on an error the zero Addr, which is one network too
	addr = addr.Unmap()
	if addr.Is6() {
		network, _ := addr.Prefix(64) // no error: an IPv6 address has 128 bits
		return network.String()
	}
	return addr.String()
}
