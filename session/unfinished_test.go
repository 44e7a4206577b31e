package session

import (
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

func TestUnfinishedRevocations_FullListAcceptsOnlyWhatItHolds(t *testing.T) {
	p := &unfinishedRevocations{}
	of := func(userID string, except ...store.ID) userRevocation {
		return userRevocation{UserRevocation: store.UserRevocation{UserID: userID, Except: except, Before: time.Unix(1, 0), Limit: pageSize}}
	}
	for n := range maxUnfinished {
		if !p.add(of("1", numberedID(n))) {
			t.Fatalf("no room for entry %d of %d", n, maxUnfinished)
		}
	}
	if p.add(of("1")) || p.add(of("2", numberedID(7))) {
		t.Error("a full list accepts one more call")
	}
	if !p.add(of("1", numberedID(7))) {
		t.Error("a full list refuses a call that it holds")
	}
}

func TestUnfinishedRevocations_CallMadeAgainIsFinishedOnlyWithItsLaterTime(t *testing.T) {
	p := &unfinishedRevocations{}
	u := userRevocation{UserRevocation: store.UserRevocation{UserID: "1", Before: time.Unix(1, 0), Limit: pageSize}}
	later := u
	later.Before = time.Unix(2, 0)
	p.add(u)
	p.add(later)
	p.add(u) // an older one does not set it back
	if p.update(u, true) {
		t.Error("finished, although it was made again")
	}
	if p.update(later, false) || len(p.all()) != 1 {
		t.Error("finished, although sessions are left")
	}
	if !p.update(later, true) || len(p.all()) != 0 {
		t.Error("not finished, although none is left")
	}
}
