package session

import (
	"errors"
	"testing"
	"time"
)

const forgeries = 10_000

// Whoever has the key, and knows the session's id from a log or a list, still makes
// no refresh cookie: the id is a digest of what only the browser has. Such cookies
// are read, so they cost a statement; they end nothing.
func TestTheKeyAloneMakesNoRefreshCookie(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		id, _ := ParseID(w.login(b, Login{}).ID)
		by := w.sealers.Load().refresh
		r := newBrowser().request()
		now := time.Now()
		for i := range forgeries {
			t := refreshTicket{root: random16(), generation: uint64(i % 5), id: random16(), parent: random16(), issued: now.Add(-time.Minute), expires: now.Add(time.Hour)}
			if i%2 == 0 {
				t.root = id // what can be known of it
			}
			r.Header.Set("Cookie", w.names.refresh+"="+mustSeal(w.T, by, &t))
			if v, err := w.Authenticate(r); !errors.Is(err, ErrUnauthenticated) {
				w.Fatalf("a forged refresh cookie: %+v, %v", v.Session(), err)
			}
		}
		w.nextPeriod()
		w.in(b)
		if n := w.count(EventReuse); n != 0 {
			w.Errorf("forgeries ended %d sessions", n)
		}
		w.Logf("%d refresh cookies forged with the key: 0 accepted, and the session lives", forgeries)
	})
}

// With the key and the secret inside a stolen cookie, but no ticket that is current,
// a forgery is a theft like any other, and ends the session.
func TestAForgedSuccessorIsTheft(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		stolen, _, ok := w.sealers.Load().openRefresh(b.jar[w.names.refresh].value)
		if !ok {
			w.Fatal("the cookie cannot be read")
		}
		now := time.Now()
		forged := refreshTicket{root: stolen.root, generation: 1, id: random16(), parent: random16(), issued: now.Add(-time.Hour), expires: now.Add(time.Hour)}
		r := newBrowser().request()
		r.Header.Set("Cookie", w.names.refresh+"="+mustSeal(w.T, w.sealers.Load().refresh, &forged))
		if _, err := w.Authenticate(r); !errors.Is(err, ErrUnauthenticated) || w.count(EventReuse) != 1 {
			w.Errorf("got %v, %d events of reuse", err, w.count(EventReuse))
		}
	})
}

// Whoever has read the whole database, but no key, makes no cookie of it at all.
func TestTheDatabaseAloneMakesNoCookie(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		w.nextPeriod()
		w.in(b)
		id, _ := ParseID(w.in(b).ID)
		snap, err := w.users.Find(w.Context(), id)
		if err != nil {
			w.Fatal(err)
		}
		row, now := snap.Record, time.Now()
		s := newStranger(w)
		for i := range forgeries {
			// A key of the thief's own, made of what stands in the row, or drawn.
			key := parseKeys(w.T, GenerateKey())
			switch i % 3 {
			case 0:
				key.masters[0] = row.Confirmed[:]
			case 1:
				key.masters[0] = row.Previous[:]
			}
			byAccess, err1 := newSealer(key, "", w.names.access, "access", time.Minute)
			byRefresh, err2 := newSealer(key, "", w.names.refresh, "refresh", 0)
			if err := errors.Join(err1, err2); err != nil {
				w.Fatal(err)
			}
			refresh := refreshTicket{root: id, generation: row.Generation, id: [16]byte(row.Confirmed[:16]), parent: [16]byte(row.Previous[:16]), issued: now, expires: now.Add(time.Hour)}
			access := accessTicket{Session: Session{UserID: row.UserID, Roles: []string{"admin"}, AuthTime: now, IssuedAt: now, ExpiresAt: now.Add(time.Minute), EndsAt: row.EndsAt}, id: id}
			s.sends("made from the row", w.names.refresh+"="+mustSeal(w.T, byRefresh, &refresh), w.names.access+"="+mustSeal(w.T, byAccess, &access))
		}
		s.report("pairs of cookies made from a stolen database", forgeries)
	})
}

// Three keys cost a forgery three MACs, and a good cookie as many as its key's place:
// the first is tried first.
func TestKeysAreTriedInTheirOrder(t *testing.T) {
	inWorld(t, func(w *world) {
		texts := []string{testKey, GenerateKey(), GenerateKey()}
		cookies := make([]string, len(texts))
		for i, text := range texts {
			if err := w.SetKeys(parseKeys(w.T, text)); err != nil {
				w.Fatal(err)
			}
			b := newBrowser()
			w.login(b, Login{})
			cookies[i] = b.jar[w.names.refresh].value
		}
		if err := w.SetKeys(parseKeys(w.T, texts...)); err != nil {
			w.Fatal(err)
		}
		by := w.sealers.Load().refresh
		if n := len(by.codecs); n != len(texts) || n > maxKeys {
			w.Errorf("%d keys are tried; want %d", n, len(texts))
		}
		for i, value := range cookies {
			for k, codec := range by.codecs {
				if opens := codec.Decode(w.names.refresh, value, new(refreshTicket)) == nil; opens != (i == k) {
					w.Errorf("the cookie of key %d at place %d: %v", i, k, opens)
				}
			}
			before := w.count(EventOldKey)
			if _, _, ok := w.sealers.Load().openRefresh(value); !ok || w.count(EventOldKey)-before != min(i, 1) {
				w.Errorf("the cookie of key %d: opened %v, %d events", i, ok, w.count(EventOldKey)-before)
			}
		}
	})
}

func TestARestartLogsNobodyOut(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		again := newWorld(w.T, w.users, Config{})
		if n := again.statements(func() { again.in(b) }); n != 0 {
			w.Errorf("a restarted node made %d statements for a good access cookie", n)
		}
		w.nextPeriod()
		newWorld(w.T, w.users, Config{}).in(b)
	})
}
