package session_test

import (
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

const forgeries = 10_000

// An attacker who has the key, and knows the session's id from a log or a list, still
// cannot make a refresh cookie: the id is the digest of a secret that only the browser
// has. Such cookies can be decrypted, so each costs a store call. They end no session.
func TestManager_KeyAloneForgesNoRefreshCookie(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		id, err := store.ParseID(w.login(b, session.Login{}).ID)
		if err != nil {
			w.Fatal(err)
		}
		codec := codecFor(w.T, testWorldKey, "refresh")
		r := page(newBrowser())
		now := time.Now()
		for i := range forgeries {
			t := session.RefreshTicket{Root: randomID(), Generation: uint64(i % 5), ID: randomID(), Parent: randomID(), Issued: now.Add(-time.Minute), Expires: now.Add(time.Hour)}
			if i%2 == 0 {
				t.Root = id // all that can be known of it
			}
			r.Header.Set("Cookie", refreshCookie+"="+seal(w.T, codec, refreshCookie, t.Payload()))
			if v, err := w.Authenticate(r); !errors.Is(err, session.ErrUnauthenticated) {
				w.Fatalf("a forged refresh cookie: %+v, %v", v.Session(), err)
			}
		}
		w.expireAccess()
		w.in(b)
		if n := w.count(session.EventReuse); n != 0 {
			w.Errorf("%d forgeries were reported as reuse", n)
		}
		w.Logf("%d refresh cookies forged with the key: none was accepted, and the session lives", forgeries)
	})
}

// With the key, and the secret from a stolen cookie, but without a current ticket, a
// forgery is treated like any other theft: it ends the session.
func TestManager_ForgedSuccessorOfAStolenTicketIsTheft(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		stolen, ok := w.OpenRefresh(valueOf(b, refreshCookie))
		if !ok {
			w.Fatal("the cookie cannot be read")
		}
		now := time.Now()
		forged := session.RefreshTicket{Root: stolen.Root, Generation: 1, ID: randomID(), Parent: randomID(), Issued: now.Add(-time.Hour), Expires: now.Add(time.Hour)}
		r := page(newBrowser())
		r.Header.Set("Cookie", refreshCookie+"="+seal(w.T, codecFor(w.T, testWorldKey, "refresh"), refreshCookie, forged.Payload()))
		if _, err := w.Authenticate(r); !errors.Is(err, session.ErrUnauthenticated) || w.count(session.EventReuse) != 1 {
			w.Errorf("got %v, %d events of reuse; want ErrUnauthenticated and 1", err, w.count(session.EventReuse))
		}
	})
}

// With the key and any refresh cookie of a session, an attacker can make a ticket that is
// ahead of the row, as if the database had lost writes. It is accepted within a bound, and
// reported. The victim's next refresh ends the session.
func TestManager_ForgedTicketAheadOfTheRowEndsAtTheVictimsNextRefresh(t *testing.T) {
	for name, c := range map[string]struct {
		ahead    uint64
		accepted bool
	}{"as far as the bound": {4322, true}, "farther": {4323, false}} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			w.login(b, session.Login{})
			old, ok := w.OpenRefresh(valueOf(b, refreshCookie))
			if !ok {
				w.Fatal("the cookie cannot be read")
			}
			for range 2 { // the login's cookie is superseded
				w.expireAccess()
				w.in(b)
			}
			now := time.Now()
			forged := session.RefreshTicket{Root: old.Root, Generation: 1 + c.ahead, ID: randomID(), Parent: randomID(), Issued: now.Add(-time.Hour), Expires: now.Add(time.Hour)}
			r := page(newBrowser())
			r.Header.Set("Cookie", refreshCookie+"="+seal(w.T, codecFor(w.T, testWorldKey, "refresh"), refreshCookie, forged.Payload()))
			_, err := w.Authenticate(r)
			if accepted := err == nil; accepted != c.accepted || w.count(session.EventStoreBehind) != map[bool]int{true: 1}[c.accepted] {
				w.Errorf("%s: got %v, %d events store-behind", name, err, w.count(session.EventStoreBehind))
			}
			w.expireAccess()
			if _, err := w.visit(b); !errors.Is(err, session.ErrReused) || w.count(session.EventReuse) != 1 {
				w.Errorf("%s: the victim's refresh: %v, %d events of reuse; want ErrReused and 1", name, err, w.count(session.EventReuse))
			}
		})
	}
}

// An attacker who has read the whole database, but has no key, can make no cookie
// from it.
func TestManager_DatabaseAloneForgesNoCookie(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.expireAccess()
		row, now := w.row(w.in(b).ID), time.Now()
		a := newAttacker(w)
		for i := range forgeries {
			// The attacker's key is a column of the row, or random.
			key := session.GenerateKey()
			switch i % 3 {
			case 0:
				key = base64.StdEncoding.EncodeToString(row.Confirmed[:])
			case 1:
				key = base64.StdEncoding.EncodeToString(row.Previous[:])
			}
			refresh := session.RefreshTicket{Root: row.ID, Generation: row.Generation, ID: [16]byte(row.Confirmed[:16]), Parent: [16]byte(row.Previous[:16]), Issued: now, Expires: now.Add(time.Hour)}
			access := session.AccessPayload(row.ID, session.Session{
				UserID: row.UserID, Roles: []string{"admin"}, AuthTime: now, IssuedAt: now, ExpiresAt: now.Add(time.Minute), EndsAt: row.EndsAt,
			})
			a.sends("made from the row",
				refreshCookie+"="+seal(w.T, codecFor(w.T, key, "refresh"), refreshCookie, refresh.Payload()),
				accessCookie+"="+seal(w.T, codecFor(w.T, key, "access"), accessCookie, access))
		}
		a.report("pairs of cookies made from a stolen database", forgeries)
	})
}

// A new process with the same key and database accepts the cookies of the old one.
func TestManager_RestartLogsNobodyOut(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		restarted := w.node(session.Config{})
		if n := restarted.calls(func() { restarted.in(b) }); n != 0 {
			w.Errorf("a restarted node made %d store calls for a valid access cookie; want none", n)
		}
		w.expireAccess()
		w.node(session.Config{}).in(b)
	})
}
