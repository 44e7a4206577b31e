package session

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestAValidAccessCookieCostsNoStatement(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		if n := w.statements(func() {
			for range 10_000 {
				if s := w.in(b); s.UserID != "1" || !s.HasRole("staff") || s.Attrs["name"] != "Ada" {
					w.Fatalf("session = %+v", s)
				}
			}
		}); n != 0 {
			w.Errorf("%d statements; want 0", n)
		}
	})
}

func TestADayOfRefreshesIsNoticedByNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		first := w.login(b, Login{})
		end := time.Now().Add(12 * time.Hour)
		most := int64(0)
		for time.Now().Before(end.Add(-w.cfg.AccessTTL)) {
			time.Sleep(w.cfg.AccessTTL - 3*time.Second)
			most = max(most, w.statements(func() {
				s := w.in(b)
				if left := time.Until(s.EndsAt); b.jar[w.names.refresh].until.After(time.Now().Add(left + time.Second)) {
					w.Fatalf("with %v left, the refresh cookie is kept until %v", left, b.jar[w.names.refresh].until)
				}
				if s.ID != first.ID || s.ExpiresAt.After(s.EndsAt) || !s.AuthTime.Equal(first.AuthTime) || !s.EndsAt.Equal(first.EndsAt) {
					w.Fatalf("session = %+v; it began as %+v", s, first)
				}
			}))
		}
		if most != 2 {
			w.Errorf("a refresh made up to %d statements; want 2", most)
		}
		time.Sleep(time.Until(end) - time.Second)
		w.in(b)
		time.Sleep(time.Second)
		w.out(b)
		if left := b.request().Cookies(); len(left) != 0 {
			w.Errorf("%d cookies are left after the absolute end", len(left))
		}
	})
}

func TestIdleAndRememberedSessionsEndWhenTheyShould(t *testing.T) {
	for _, c := range []struct {
		name           string
		login          Login
		idle, absolute time.Duration
	}{
		{"plain", Login{}, 30 * time.Minute, 12 * time.Hour},
		{"remembered", Login{Remember: true}, 30 * 24 * time.Hour, 90 * 24 * time.Hour},
	} {
		inWorld(t, func(w *world) {
			b := newBrowser()
			w.login(b, c.login)
			restored := b.copy() // a thief's jar keeps no Max-Age
			for name, k := range restored.jar {
				restored.jar[name] = kept{k.value, k.until.Add(1000 * time.Hour)}
			}
			time.Sleep(c.idle - 2*time.Second)
			w.in(b)
			time.Sleep(2 * time.Second)
			w.out(restored)
			time.Sleep(c.idle - 3*time.Second)
			if s := w.in(b); s.EndsAt.Sub(s.AuthTime) != c.absolute {
				w.Errorf("%s: the session lives %v at most; want %v", c.name, s.EndsAt.Sub(s.AuthTime), c.absolute)
			}
			time.Sleep(c.idle)
			w.out(b)
		})
	}
}

func TestParallelRefreshesOfOneTicketShareItsStatements(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		w.nextPeriod()
		w.in(b)
		w.nextPeriod()
		w.faults.set(func(string) error { time.Sleep(10 * time.Millisecond); return nil }, nil)
		children := map[string]bool{}
		n := w.statements(func() {
			answers := make(chan Verdict)
			for range 50 {
				go func() {
					v, err := w.Authenticate(b.request())
					if err != nil {
						w.Errorf("refused: %v", err)
					}
					answers <- v
				}()
			}
			for range 50 {
				v := <-answers
				children[v.Cookies[1].Value] = true
			}
			time.Sleep(500 * time.Millisecond)
			w.in(b) // the rest of the page load
		})
		if n != 2 {
			w.Errorf("51 parallel requests made %d statements; want 2", n)
		}
		if len(children) != 50 {
			w.Errorf("50 answers carried %d different refresh cookies; want 50: who shares one with a thief is not told apart from him", len(children))
		}
	})
}

func TestParallelRefreshesOnTwoNodesInAnyOrderLogNobodyOut(t *testing.T) {
	inWorld(t, func(w *world) {
		other := newWorld(t, w.users, Config{})
		b := newBrowser()
		w.login(b, Login{})
		for round := range 200 {
			w.nextPeriod()
			var answers []Verdict
			for i := range 6 {
				v, err := []*world{w, other}[i%2].Authenticate(b.request())
				if err != nil {
					w.Fatalf("round %d: %v", round, err)
				}
				answers = append(answers, v)
			}
			// The answers arrive in another order, and some not at all.
			for i := range answers {
				if (i+round)%4 != 0 {
					b.receive(answers[(i*5+round)%6].Cookies)
				}
			}
		}
		if n := w.count(EventReuse) + other.count(EventReuse); n != 0 {
			w.Errorf("%d events of reuse", n)
		}
	})
}

func TestALostAnswerDoesNoHarm(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		for range 5 {
			w.nextPeriod()
			for range 3 { // refreshed, and the answers lost, minutes apart
				if _, err := w.Authenticate(b.request()); err != nil {
					w.Fatal(err)
				}
				time.Sleep(3 * time.Minute)
			}
			w.in(b)
		}
	})
}

func TestAYoungTicketIsNeitherConfirmedNorAnsweredWithAChild(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		w.nextPeriod()
		w.in(b)
		b.loseAccess(w.Manager)
		time.Sleep(10 * time.Second)
		var v Verdict
		n := w.statements(func() { v, _ = w.Authenticate(b.request()) })
		if n != 1 || len(v.Cookies) != 1 || v.Cookies[0].Name != w.names.access {
			w.Errorf("%d statements, cookies %v; want 1 and the access cookie", n, v.Cookies)
		}
	})
}

func TestAStragglerIsServedWithoutCookies(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		w.nextPeriod()
		held := b.copy() // its request is held back somewhere
		w.in(b)
		w.nextPeriod()
		w.in(b) // confirms the child
		time.Sleep(9*time.Second + 500*time.Millisecond)
		v, err := w.Authenticate(held.request())
		if err != nil || len(v.Cookies) != 0 || v.Session().UserID != "1" {
			w.Errorf("got %v, cookies %v", err, v.Cookies)
		}
		if w.count(EventStraggler) != 1 {
			w.Error("no event of a straggler")
		}
		time.Sleep(501 * time.Millisecond) // within what is remembered of other tickets
		w.out(held)
		if w.count(EventReuse) != 1 {
			w.Error("after the window it is reuse")
		}
	})
}

// Once one side's own child is confirmed, the other side's next refresh kills.
func TestATheftIsCaughtWhoeverComesFirst(t *testing.T) {
	for _, thiefFirst := range []bool{true, false} {
		inWorld(t, func(w *world) {
			victim, elsewhere := newBrowser(), newBrowser()
			w.login(victim, Login{})
			w.login(elsewhere, Login{})
			w.nextPeriod()
			w.in(victim)
			thief := victim.copy()
			first, second := victim, thief
			if thiefFirst {
				first, second = thief, victim
			}
			w.nextPeriod()
			w.in(first)
			w.in(second) // both hold a child now
			w.nextPeriod()
			w.in(first) // confirms its own
			time.Sleep(w.rules.straggler + time.Second)
			w.out(second)
			if n := w.count(EventReuse); n != 1 {
				w.Errorf("%d events of reuse; want 1", n)
			}
			w.out(first)
			w.in(elsewhere)
		})
	}
}

func TestAPrefetchChangesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		prefetch := func() Verdict {
			r := b.request()
			r.Header.Set("Sec-Purpose", "prefetch;prerender")
			v, err := w.Authenticate(r)
			if err != nil {
				w.Fatal(err)
			}
			return v
		}
		w.nextPeriod()
		w.in(b)
		w.nextPeriod()
		if n := w.statements(func() {
			if v := prefetch(); len(v.Cookies) != 1 {
				w.Errorf("cookies %v; want the access cookie", v.Cookies)
			}
		}); n != 1 {
			w.Errorf("%d statements; want 1", n)
		}
		time.Sleep(15 * time.Minute) // half of the idle life has passed
		if v := prefetch(); len(v.Cookies) != 2 {
			w.Errorf("cookies %v; want both, before the session runs out", v.Cookies)
		}
	})
}

func TestALostDatabaseWriteLogsNobodyOut(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		s := w.login(b, Login{})
		id, _ := ParseID(s.ID)
		before := *w.users.sessions[id]
		for range 3 {
			w.nextPeriod()
			w.in(b)
		}
		*w.users.sessions[id] = before // failover to a replica that was behind
		w.nextPeriod()
		w.in(b)
		if w.count(EventAhead) != 1 {
			w.Error("no event that the row was behind")
		}
		w.nextPeriod()
		w.in(b)
	})
}

func TestAccessLivesAreSpreadDownwards(t *testing.T) {
	inWorld(t, func(w *world) {
		lives := map[time.Duration]bool{}
		for range 100 {
			s := w.login(newBrowser(), Login{})
			life := s.ExpiresAt.Sub(s.IssuedAt)
			if life > w.cfg.AccessTTL || life < w.cfg.AccessTTL*9/10 {
				w.Fatalf("an access ticket lives %v", life)
			}
			lives[life] = true
		}
		if len(lives) < 50 {
			w.Errorf("100 lives took %d values", len(lives))
		}
	})
}

func TestVerdictsShareNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		w.nextPeriod()
		one, _ := w.Authenticate(b.request())
		two, _ := w.Authenticate(b.request())
		spoil := func(s Session, ok bool) {
			if !ok || len(s.Roles) != 1 {
				w.Fatalf("session %+v, %v", s, ok)
			}
			s.Roles[0], s.Attrs["name"] = "admin", "Mallory"
		}
		spoil(one.Session(), true)
		ctx := one.NewContext(w.Context())
		spoil(FromContext(ctx))
		b.receive(two.Cookies)
		three, _ := w.Authenticate(b.request()) // from the access cookie
		spoil(three.Session(), true)
		four, _ := w.Authenticate(b.request())
		again, _ := FromContext(ctx)
		for _, s := range []Session{one.Session(), again, two.Session(), three.Session(), four.Session()} {
			if !slices.Equal(s.Roles, []string{"staff"}) || s.Attrs["name"] != "Ada" {
				w.Errorf("another's change arrived: %+v", s)
			}
		}
	})
}

func TestALateAnswerKeepsItsRefreshCookie(t *testing.T) {
	inWorld(t, func(w *world) {
		names := func(h http.Header) (names []string) {
			for _, line := range h["Set-Cookie"] {
				c, err := http.ParseSetCookie(line)
				if err != nil {
					w.Fatal(err)
				}
				names = append(names, c.Name)
			}
			return names
		}
		b := newBrowser()
		w.login(b, Login{})
		w.nextPeriod()
		v, _ := w.Authenticate(b.request())
		for _, c := range []struct {
			wait time.Duration
			want []string
		}{
			{0, []string{w.names.access, w.names.refresh}},
			{30 * time.Second, []string{w.names.access, w.names.refresh}},
			{time.Millisecond, []string{w.names.access}},
		} {
			time.Sleep(c.wait)
			h := http.Header{"Set-Cookie": {"theirs=1"}, "Cache-Control": {"public"}}
			v.SetCookies(headerWriter{h})
			v.Resend(h)
			if got := names(h); !slices.Equal(got, append([]string{"theirs"}, c.want...)) || h.Get("Cache-Control") != "no-store" {
				w.Errorf("after %v: cookies %v, %q", c.wait, got, h.Get("Cache-Control"))
			}
		}
		if err := w.RevokeUser(w.Context(), "1"); err != nil {
			w.Fatal(err)
		}
		h := http.Header{}
		v.SetCookies(headerWriter{h})
		v.Resend(h)
		if got := names(h); len(got) != 0 {
			w.Errorf("an answer of a revoked session sets %v", got)
		}
	})
}

// With a short access lifetime, the store's own patience is much of it. An answer
// that the store has held back must not bring a refresh cookie whose sibling was
// used meanwhile: on the next refresh it would look stolen.
func TestAnAnswerThatTheStoreHeldBackLogsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := NewMemoryStore()
		users.SetUser("1", User{Epoch: 1})
		cfg := Config{AccessTTL: 2 * time.Second}
		quick, slow := newWorld(t, users, cfg), newWorld(t, users, cfg)
		slow.faults.set(nil, func(string) error { time.Sleep(1800 * time.Millisecond); return nil })
		b := newBrowser()
		quick.login(b, Login{})
		// visit is an answer's cookies, as they leave the server.
		visit := func(w *world, r *http.Request) (set []*http.Cookie) {
			v, err := w.Authenticate(r)
			if err != nil {
				t.Fatalf("an honest browser: %v", err)
			}
			h := http.Header{}
			v.SetCookies(headerWriter{h})
			v.Resend(h)
			return (&http.Response{Header: h}).Cookies()
		}

		quick.nextPeriod()
		held := make(chan []*http.Cookie)
		r := b.request()
		go func() { held <- visit(slow, r) }()
		b.receive(visit(quick, b.request()))
		time.Sleep(1750 * time.Millisecond)
		b.loseAccess(quick.Manager) // it has run out, or was one too many
		b.receive(visit(quick, b.request()))
		b.receive(<-held)
		quick.nextPeriod()
		b.receive(visit(quick, b.request()))
		if n := quick.count(EventReuse); n > 0 {
			t.Errorf("%d times reuse was suspected", n)
		}
	})
}

type headerWriter struct{ h http.Header }

func (w headerWriter) Header() http.Header       { return w.h }
func (headerWriter) Write(b []byte) (int, error) { return len(b), nil }
func (headerWriter) WriteHeader(int)             {}
