package session

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

func TestPendingRevocations_FullListAcceptsOnlyWhatItHolds(t *testing.T) {
	p := &pendingRevocations{}
	until := time.Now().Add(time.Hour)
	numbered := func(n int) (id store.ID) {
		binary.BigEndian.PutUint64(id[:], uint64(n))
		return id
	}
	for n := range maxPending {
		if !p.add(numbered(n), store.ReasonLogout, until) {
			t.Fatalf("no room for entry %d of %d", n, maxPending)
		}
	}
	if p.add(numbered(maxPending), store.ReasonLogout, until) {
		t.Error("a full list accepts one more revocation")
	}
	if !p.add(numbered(7), store.ReasonLogout, until) {
		t.Error("a full list reports a revocation lost that it holds")
	}
}

func TestNew_PendingRevocationsAreKeptForTheLongestSession(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct{ absolute, remember, token, want time.Duration }{
		{time.Hour, 90 * day, 0, 90 * day},
		{200 * day, 90 * day, 0, 200 * day},
		{time.Hour, 90 * day, 300 * day, 300 * day},
	} {
		cfg := Config{AbsoluteTimeout: c.absolute, RememberAbsoluteTimeout: c.remember, TokenAbsoluteTimeout: c.token}
		if c.token > 0 {
			cfg.TokenTTL = time.Minute
		}
		m, err := New(parseKeys(t, GenerateKey()), store.NewMemory(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.revoker.giveUpAfter; got != c.want {
			t.Errorf("timeouts of %v, %v and %v: kept for %v; want %v", c.absolute, c.remember, c.token, got, c.want)
		}
	}
}
