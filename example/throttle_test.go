package main

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestThrottleSlowsDownAfterFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		const ada, home = "ada@example.com", "192.0.2.1"
		for i := range 5 {
			if wait := th.wait(ada, home); wait != 0 {
				t.Fatalf("after %d failures: wait %v; want none", i, wait)
			}
			th.failed(ada, home)
		}
		if wait := th.wait(ada, home); wait != 30*time.Second {
			t.Errorf("after 5 failures: wait %v; want 30s", wait)
		}
		if wait := th.wait(ada, "192.0.2.2"); wait != 0 {
			t.Errorf("elsewhere: wait %v; nobody may lock a user out by failing", wait)
		}
		if wait := th.wait("grace@example.com", home); wait != 0 {
			t.Errorf("another account: wait %v; want none", wait)
		}

		time.Sleep(30 * time.Second) // the bubble's clock, not the test's
		if wait := th.wait(ada, home); wait != 0 {
			t.Errorf("after the wait: wait %v more; want none", wait)
		}
		th.failed(ada, home)
		if wait := th.wait(ada, home); wait != 30*time.Second {
			t.Errorf("one try was earned, and used: wait %v; want 30s", wait)
		}
		time.Sleep(time.Hour)
		for range 4 {
			th.failed(ada, home)
		}
		if wait := th.wait(ada, home); wait != 0 {
			t.Errorf("after an hour all is forgiven: wait %v; want none", wait)
		}
	})
}

func TestThrottleSlowsDownAnAddressThatTriesManyAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		for i := range 50 {
			// A customer has as many IPv6 addresses as they like, in one /64.
			th.failed(fmt.Sprintf("user%d@example.com", i), fmt.Sprintf("2001:db8::%x", i))
		}
		if wait := th.wait("another@example.com", "2001:db8::ffff"); wait != 10*time.Second {
			t.Errorf("wait %v; want 10s", wait)
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
		"":                 "unknown",
		"no address":       "unknown",
	} {
		if got := networkOf(ip); got != want {
			t.Errorf("networkOf(%q) = %q; want %q", ip, got, want)
		}
	}
}

func TestLimiterKeepsABoundedNumberOfKeys(t *testing.T) {
	l := newLimiter(1, time.Hour, 10)
	for i := range 1000 {
		l.add(fmt.Sprint(i))
	}
	if n := len(l.young) + len(l.old); n > 20 {
		t.Errorf("%d keys; want 20 at most", n)
	}
	if l.wait("999") == 0 {
		t.Error("the newest key was forgotten")
	}
}

func TestLimiterKeepsAKeyThatIsStillInUse(t *testing.T) {
	l := newLimiter(2, time.Hour, 10)
	l.add("busy")
	for i := range 10 {
		l.add(fmt.Sprint(i)) // fills the young map, so that the key is in the old one
	}
	l.add("busy")
	if l.wait("busy") == 0 {
		t.Error("two events, one in each map, were not added up")
	}
}
