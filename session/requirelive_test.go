package session_test

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// requireLive makes a request of the browser's that asks for the store's word.
func requireLive(m *session.Manager, b *sessiontest.Browser) error {
	r := page(b)
	v, err := m.Authenticate(r)
	if err != nil {
		return err
	}
	return liveError(m.RequireLive(r, v))
}

func liveError(_ session.Verdict, err error) error { return err }

// forgedAccess gives the browser an access cookie that an attacker has sealed with the
// leaked key.
func (w *testWorld) forgedAccess(b *sessiontest.Browser, sessionID string, s session.Session) {
	w.Helper()
	id, err := store.ParseID(sessionID)
	if err != nil {
		w.Fatal(err)
	}
	now := time.Now()
	s.IssuedAt, s.ExpiresAt, s.EndsAt = now, now.Add(time.Minute), now.Add(24*time.Hour)
	if s.AuthTime.IsZero() {
		s.AuthTime = now
	}
	give(b, accessCookie, seal(w.T, codecFor(w.T, testWorldKey, "access"), accessCookie, session.AccessPayload(id, s)))
}

// An access cookie can be copied, and forged with the keys. Whoever has no refresh
// cookie of the session that it names is refused.
func TestRequireLive_AnAccessCookieIsNotEnough(t *testing.T) {
	for _, c := range []struct {
		name   string
		attack func(w *testWorld, victim, own *sessiontest.Browser, victims, owns session.Session)
		calls  int // of the store
	}{
		{"a stolen access cookie alone", func(_ *testWorld, victim, own *sessiontest.Browser, _, _ session.Session) {
			own.Delete(func(string) bool { return true })
			give(own, accessCookie, valueOf(victim, accessCookie))
		}, 0},
		{"a stolen access cookie beside the thief's own refresh cookie", func(_ *testWorld, victim, own *sessiontest.Browser, _, _ session.Session) {
			give(own, accessCookie, valueOf(victim, accessCookie))
		}, 0},
		{"a stolen access cookie beside a refresh cookie that cannot be opened", func(_ *testWorld, victim, own *sessiontest.Browser, _, _ session.Session) {
			give(own, accessCookie, valueOf(victim, accessCookie))
			give(own, refreshCookie, valueOf(victim, accessCookie))
			give(own, oddRefreshCookie, valueOf(victim, accessCookie))
		}, 0},
		{"forged for the own session, without its refresh cookie", func(w *testWorld, _, own *sessiontest.Browser, _, owns session.Session) {
			own.Delete(func(string) bool { return true })
			w.forgedAccess(own, owns.ID, session.Session{UserID: "2", Roles: []string{"admin"}})
		}, 0},
		{"forged for another's session", func(w *testWorld, _, own *sessiontest.Browser, victims, _ session.Session) {
			own.Delete(func(string) bool { return true })
			w.forgedAccess(own, victims.ID, session.Session{UserID: "1", Roles: []string{"admin"}})
		}, 0},
		{"forged for another's session, beside the own refresh cookie", func(w *testWorld, _, own *sessiontest.Browser, victims, _ session.Session) {
			w.forgedAccess(own, victims.ID, session.Session{UserID: "1", Roles: []string{"admin"}})
		}, 0},
		{"forged for the own session with another's user id, beside the own refresh cookie", func(w *testWorld, _, own *sessiontest.Browser, _, owns session.Session) {
			w.forgedAccess(own, owns.ID, session.Session{UserID: "1", Roles: []string{"admin"}})
		}, 1},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			victim, own := newBrowser(), newBrowser()
			victims, owns := w.login(victim, session.Login{UserID: "1"}), w.login(own, session.Login{UserID: "2"})
			c.attack(w, victim, own, victims, owns)
			r := page(own)
			v, err := w.Authenticate(r)
			if err != nil {
				w.Fatalf("%s: Authenticate: %v; want the access cookie accepted", c.name, err)
			}
			n := w.calls(func() {
				if got, err := w.RequireLive(r, v); !errors.Is(err, session.ErrUnauthenticated) || got.Session().ID != "" || len(got.Cookies) != 0 {
					w.Errorf("%s: %v, %v; want ErrUnauthenticated and the zero Verdict", c.name, got, err)
				}
			})
			if n != c.calls {
				w.Errorf("%s: %d store calls; want %d", c.name, n, c.calls)
			}
			if err := requireLive(w.Manager, victim); err != nil {
				w.Errorf("%s: the victim: %v", c.name, err)
			}
		})
	}
}

// What a forged access cookie says of the own session does not count: the row does.
func TestRequireLive_AForgedAccessCookieAddsNoRights(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		own := w.login(b, session.Login{UserID: "1"})
		time.Sleep(time.Minute)
		w.forgedAccess(b, own.ID, session.Session{UserID: "1", Roles: []string{"admin"}, Attrs: map[string]string{"name": "Grace"}})
		r := page(b)
		v, err := w.Authenticate(r)
		if err != nil || !v.Session().HasRole("admin") || !v.Session().LoggedInWithin(time.Second) {
			w.Fatalf("Authenticate: %+v, %v; want what the cookie says", v.Session(), err)
		}
		v, err = w.RequireLive(r, v)
		if got := v.Session(); err != nil || !slices.Equal(got.Roles, own.Roles) || !reflect.DeepEqual(got.Attrs, own.Attrs) || !got.AuthTime.Equal(own.AuthTime) || !got.EndsAt.Equal(own.EndsAt) {
			w.Errorf("RequireLive: %+v, %v; want what the row says, %+v", got, err, own)
		}
	})
}

// The store is read once, and not written. What it says replaces what the cookie says.
func TestRequireLive_ReturnsWhatTheRowSaysNow(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		login := w.login(b, session.Login{})
		time.Sleep(time.Minute)
		w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"admin"}, Attrs: map[string]string{"name": "Lovelace"}})
		before := w.row(login.ID)
		r := page(b)
		v, err := w.Authenticate(r)
		if err != nil {
			w.Fatal(err)
		}
		finds := w.store.Calls("Find")
		if n := w.calls(func() { v, err = w.RequireLive(r, v) }); n != 1 || w.store.Calls("Find") != finds+1 {
			w.Errorf("%d store calls; want one, Find", n)
		}
		got := v.Session()
		if err != nil || !slices.Equal(got.Roles, []string{"admin"}) || got.Attrs["name"] != "Lovelace" {
			w.Errorf("%+v, %v; want the roles and attributes of the row", got, err)
		}
		if got.ID != login.ID || got.UserID != "1" || !got.AuthTime.Equal(login.AuthTime) || !got.EndsAt.Equal(login.EndsAt) || !got.IssuedAt.Equal(login.IssuedAt.Add(time.Minute)) {
			w.Errorf("%+v; want the session of the login, as of now: %+v", got, login)
		}
		if len(v.Cookies) != 0 || !reflect.DeepEqual(w.row(login.ID), before) {
			w.Errorf("cookies %v, row %+v; want none, and the row unchanged", cookieNames(v.Cookies), w.row(login.ID))
		}
	})
}

// The refresh cookie is judged as a refresh does, but nothing is written, and nothing
// is reported. Only the next refresh ends the session of a superseded cookie.
func TestRequireLive_JudgesTheRefreshCookieAndWritesNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		arrange func(w *testWorld, b *sessiontest.Browser) // presents what the browser then has
		passes  bool
		refresh bool // whether a refresh with the same cookie goes on
	}{
		{"young", func(*testWorld, *sessiontest.Browser) {}, true, true},
		{"same", func(*testWorld, *sessiontest.Browser) { time.Sleep(110 * time.Second) }, true, true},
		{"next", func(w *testWorld, b *sessiontest.Browser) {
			w.expireAccess()
			w.in(b)
			time.Sleep(110 * time.Second)
		}, true, true},
		{"ahead", func(w *testWorld, b *sessiontest.Browser) {
			have, ok := w.OpenRefresh(valueOf(b, refreshCookie))
			if !ok {
				w.Fatal("the cookie cannot be read")
			}
			have.Generation, have.ID, have.Parent = have.Generation+3, randomID(), randomID() // the database has lost three refreshes
			give(b, refreshCookie, seal(w.T, codecFor(w.T, testWorldKey, "refresh"), refreshCookie, have.Payload()))
			time.Sleep(110 * time.Second)
		}, true, true},
		{"straggler", func(w *testWorld, b *sessiontest.Browser) { w.confirmChild(b); time.Sleep(10 * time.Second) }, true, true},
		{"superseded", func(w *testWorld, b *sessiontest.Browser) { w.confirmChild(b); time.Sleep(11 * time.Second) }, false, false},
		{"past its idle end", func(*testWorld, *sessiontest.Browser) { time.Sleep(30 * time.Minute) }, false, false},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			s := w.login(b, session.Login{})
			b = b.CloneIgnoringExpiry()
			c.arrange(w, b)
			r := page(b)
			w.forgedAccess(b, s.ID, s) // the access cookie is good in every case
			v, err := w.Authenticate(page(b))
			if err != nil {
				w.Fatalf("%s: Authenticate: %v", c.name, err)
			}
			before, reuse := w.row(s.ID), w.count(session.EventReuse)
			n := w.calls(func() { _, err = w.RequireLive(r, v) })
			if passes := err == nil; passes != c.passes || !passes && !errors.Is(err, session.ErrUnauthenticated) || n != 1 {
				w.Errorf("%s: %v, %d store calls; want it to pass: %v, and one call", c.name, err, n, c.passes)
			}
			if !reflect.DeepEqual(w.row(s.ID), before) || w.count(session.EventReuse) != reuse {
				w.Errorf("%s: the row is %+v, %d events of reuse; want no change", c.name, w.row(s.ID), w.count(session.EventReuse))
			}
			b.ExpireAccess()
			if _, err := w.visit(b); (err == nil) != c.refresh {
				w.Errorf("%s: the next refresh: %v; want it to go on: %v", c.name, err, c.refresh)
			}
			if reused := w.count(session.EventReuse) > reuse; reused != (c.name == "superseded") {
				w.Errorf("%s: the next refresh reports reuse: %v", c.name, reused)
			}
		})
	}
}

// confirmChild refreshes in a copy of the browser until a child of the browser's refresh
// cookie is confirmed.
func (w *testWorld) confirmChild(b *sessiontest.Browser) {
	w.Helper()
	w.expireAccess()
	other := b.Clone()
	w.in(other)
	w.expireAccess()
	w.in(other)
}

func TestRequireLive_EndedSessionIsRefused(t *testing.T) {
	for name, end := range map[string]func(w *testWorld, other *testWorld, s session.Session) error{
		"revoked on this node":    func(w, _ *testWorld, s session.Session) error { return w.Revoke(w.Context(), "1", s.ID) },
		"revoked on another node": func(w, o *testWorld, s session.Session) error { return o.Revoke(w.Context(), "1", s.ID) },
		"all users revoked":       func(w, o *testWorld, _ session.Session) error { return o.RevokeAll(w.Context()) },
		"a ban": func(w, _ *testWorld, _ session.Session) error {
			w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
			return nil
		},
		"a raised session_epoch": func(w, _ *testWorld, _ session.Session) error {
			w.users.SetUser("1", store.User{Epoch: 2})
			return nil
		},
		"the user's deletion": func(w, _ *testWorld, _ session.Session) error { w.users.DeleteUser("1"); return nil },
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			s := w.login(b, session.Login{})
			r := page(b)
			v, err := w.Authenticate(r)
			if err != nil {
				w.Fatal(err)
			}
			if err := liveError(w.RequireLive(r, v)); err != nil {
				w.Errorf("%s: before: %v", name, err)
			}
			if err := end(w, w.node(session.Config{}), s); err != nil {
				w.Fatal(err)
			}
			if v, err := w.RequireLive(r, v); !errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) != 0 {
				w.Errorf("%s: %v, cookies %v; want ErrUnauthenticated and none", name, err, cookieNames(v.Cookies))
			}
		})
	}
}

// The store gives no answer, or one that is older than what the node knows: nobody is
// admitted, and nobody is logged out.
func TestRequireLive_StoreErrorIsNeverALogout(t *testing.T) {
	for _, c := range []struct {
		name  string
		fails func(w *testWorld, altered *alteredStore, b *sessiontest.Browser)
	}{
		{"the store is down", func(w *testWorld, _ *alteredStore, _ *sessiontest.Browser) { w.store.Fail(errStoreDown) }},
		{"the row of a login has not arrived", func(_ *testWorld, altered *alteredStore, _ *sessiontest.Browser) {
			altered.found = func(snap *store.Snapshot) { snap.Record = nil }
		}},
		{"the answer is older than a revocation", func(w *testWorld, altered *alteredStore, b *sessiontest.Browser) {
			row := *w.row(w.in(b).ID)
			altered.found = func(snap *store.Snapshot) { snap.Record = &row }
			if err := w.RevokeUser(w.Context(), "1"); err != nil {
				w.Fatal(err)
			}
		}},
		{"the answer is older than a reload", func(w *testWorld, altered *alteredStore, b *sessiontest.Browser) {
			row := *w.row(w.in(b).ID)
			altered.found = func(snap *store.Snapshot) { snap.Record = &row }
			if err := w.ForceRefresh(w.Context(), "1"); err != nil {
				w.Fatal(err)
			}
		}},
		{"a logout is pending", func(w *testWorld, _ *alteredStore, b *sessiontest.Browser) {
			w.store.Fail(errStoreDown, "Revoke")
			if _, err := w.Logout(page(b)); !errors.Is(err, session.ErrStoreUnavailable) {
				w.Fatal(err)
			}
			w.repairStore()
			time.Sleep(revocationMemory) // the entry in the revocation list has expired
		}},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			altered := &alteredStore{Store: w.users}
			w = newTestWorld(w.T, w.users, altered, session.Config{})
			b := newBrowser()
			w.login(b, session.Login{})
			r := page(b)
			v, err := w.Authenticate(r)
			if err != nil {
				w.Fatal(err)
			}
			c.fails(w, altered, b)
			if v, err := w.RequireLive(r, v); !errors.Is(err, session.ErrStoreUnavailable) || errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) != 0 {
				w.Errorf("%s: %v, cookies %v; want ErrStoreUnavailable and none", c.name, err, cookieNames(v.Cookies))
			}
		})
	}
}

func TestRequireLive_WithoutASessionAsksNoStore(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		var err error
		if n := w.calls(func() { _, err = w.RequireLive(page(b), session.Verdict{}) }); n != 0 || !errors.Is(err, session.ErrUnauthenticated) {
			w.Errorf("%v, %d store calls; want ErrUnauthenticated and none", err, n)
		}
	})
}

// The request of a login carries no refresh cookie of the session that it begins. The
// user's credentials have just been verified, and Issue has read the row.
func TestRequireLive_PassesASessionBegunInTheRequest(t *testing.T) {
	for _, c := range []struct {
		name    string
		arrange func(w *testWorld, s session.Session) error
		calls   int
		want    error
		roles   []string
	}{
		{"at once", func(*testWorld, session.Session) error { return nil }, 0, nil, []string{"staff"}},
		{"a while later", func(w *testWorld, _ session.Session) error {
			time.Sleep(time.Second)
			w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"admin"}})
			return nil
		}, 1, nil, []string{"admin"}},
		{"after a reload", func(w *testWorld, _ session.Session) error {
			w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"admin"}})
			return w.ForceRefresh(w.Context(), "1")
		}, 1, nil, []string{"admin"}},
		{"revoked", func(w *testWorld, s session.Session) error { return w.Revoke(w.Context(), "1", s.ID) }, 1, session.ErrUnauthenticated, nil},
		{"banned, a while later", func(w *testWorld, _ session.Session) error {
			time.Sleep(time.Second)
			w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
			return nil
		}, 1, session.ErrUnauthenticated, nil},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			other := newBrowser()
			w.login(other, session.Login{UserID: "2"})
			for name, b := range map[string]*sessiontest.Browser{"no cookies": newBrowser(), "the cookies of another session": other} {
				w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"staff"}})
				r := page(b)
				v, err := w.Issue(r, session.Login{UserID: "1"})
				if err != nil {
					w.Fatal(err)
				}
				if err := c.arrange(w, v.Session()); err != nil {
					w.Fatal(err)
				}
				var got session.Verdict
				n := w.calls(func() { got, err = w.RequireLive(r, v) })
				if !errors.Is(err, c.want) || n != c.calls || !slices.Equal(got.Session().Roles, c.roles) {
					w.Errorf("%s, %s: %v, roles %q, %d store calls; want %v, %q, %d", c.name, name, err, got.Session().Roles, n, c.want, c.roles, c.calls)
				}
				if err == nil && !slices.Equal(cookieNames(got.Cookies), cookieNames(v.Cookies)) {
					w.Errorf("%s, %s: cookies %v; want %v", c.name, name, cookieNames(got.Cookies), cookieNames(v.Cookies))
				}
			}
		})
	}
}

// The Verdict keeps its cookies. They go stale as before: a late answer loses the
// refresh cookie, and one after a reload or revocation loses both.
func TestRequireLive_KeepsTheCookiesForDropStaleCookies(t *testing.T) {
	for _, c := range []struct {
		name string
		// Before RequireLive, and between it and the first byte of the answer.
		before, after func(w *testWorld)
		want          []string
	}{
		{"in time", func(*testWorld) {}, func(*testWorld) {}, []string{accessCookie, oddRefreshCookie}},
		{"late", func(*testWorld) {}, func(*testWorld) { time.Sleep(31 * time.Second) }, []string{accessCookie}},
		{"reloaded before", func(w *testWorld) { _ = w.ForceRefresh(w.Context(), "1") }, func(*testWorld) {}, nil},
		{"revoked after", func(*testWorld) {}, func(w *testWorld) { _ = w.RevokeUser(w.Context(), "1") }, nil},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			w.login(b, session.Login{})
			w.expireAccess()
			r := page(b)
			v, err := w.Authenticate(r)
			if err != nil {
				w.Fatal(err)
			}
			c.before(w)
			if v, err = w.RequireLive(r, v); err != nil {
				w.Fatalf("%s: %v", c.name, err)
			}
			a := newAnswer()
			v.SetCookies(a)
			c.after(w)
			w.DropStaleCookies(a.Header(), v)
			w.wantCookies(c.name, a.cookies(), c.want...)
		})
	}
}

// A program's login may be answered by the session of an earlier request. What the store
// said then is not its word in this request.
func TestRequireLive_AsksTheStoreInEachRequestOfACredential(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		login := func() (*http.Request, session.Verdict) {
			r := page(newBrowser())
			r.SetBasicAuth("ada", "right")
			v, err := w.Issue(r, session.Login{UserID: "1", NonInteractive: true})
			if err != nil {
				w.Fatal(err)
			}
			return r, v
		}
		r, v := login()
		if err := liveError(w.RequireLive(r, v)); err != nil {
			w.Errorf("the first request: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
		w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
		r, v = login()
		if err := liveError(w.RequireLive(r, v)); !errors.Is(err, session.ErrUnauthenticated) {
			w.Errorf("a request of a user who has been banned since: %v; want ErrUnauthenticated", err)
		}
	})
}
