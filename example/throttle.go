package main

import (
	"net/netip"
	"sync"
	"time"
)

// throttle slows down the guessing of passwords. It counts failures only:
// somebody who logs in rightly all day is never slowed.
//
// There are two limits. One for an account from an address, so that nobody can
// lock a user out by failing elsewhere; and one for an address, against a few
// guesses on each of many accounts.
type throttle struct {
	accounts  *limiter
	addresses *limiter
}

func newThrottle() *throttle {
	return &throttle{
		accounts:  newLimiter(5, 30*time.Second, 20_000),
		addresses: newLimiter(50, 10*time.Second, 20_000),
	}
}

// wait says how long this address must wait before it may try this account; 0: not at all.
func (t *throttle) wait(email, ip string) time.Duration {
	network := networkOf(ip)
	return max(t.accounts.wait(accountKey(email, network)), t.addresses.wait(network))
}

// failed counts a failure.
func (t *throttle) failed(email, ip string) {
	network := networkOf(ip)
	t.accounts.add(accountKey(email, network))
	t.addresses.add(network)
}

func accountKey(email, network string) string { return network + " " + email }

// networkOf is what one person is counted by: an IPv4 address, or the /64 of an
// IPv6 one, of which a customer has 2^64.
func networkOf(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return "unknown"
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return "unknown"
	}
	return prefix.String()
}

// limiter allows each key a burst of events, and one more per interval.
//
// It keeps one time for each key: the moment at which all its events are paid
// off (a leaky bucket, as GCRA writes it). A key that owes nothing need not be
// kept, and memory is bounded: when the young map is full it becomes the old
// one, and what the old one held is forgotten.
type limiter struct {
	burst    int
	interval time.Duration
	size     int // of each of the two maps

	mu         sync.Mutex // guards both maps
	young, old map[string]time.Time
}

func newLimiter(burst int, interval time.Duration, size int) *limiter {
	return &limiter{burst: burst, interval: interval, size: size, young: make(map[string]time.Time)}
}

// wait says how long until one more event of the key is allowed.
func (l *limiter) wait(key string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	owed := max(0, time.Until(l.paidOff(key)))
	return max(0, owed-time.Duration(l.burst-1)*l.interval)
}

// add counts one event of the key. It does not ask whether it is allowed.
func (l *limiter) add(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := l.paidOff(key)
	if now := time.Now(); from.Before(now) {
		from = now
	}
	if _, ok := l.young[key]; !ok && len(l.young) >= l.size {
		l.old, l.young = l.young, make(map[string]time.Time)
	}
	l.young[key] = from.Add(l.interval)
}

// paidOff needs l.mu.
func (l *limiter) paidOff(key string) time.Time {
	if at, ok := l.young[key]; ok {
		return at
	}
	return l.old[key]
}
