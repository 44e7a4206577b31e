package session_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// The order of cookies means nothing (RFC 6265, section 4.2.2). So a cookie counts only
// if the request has no valid cookie of another session. Unreadable cookies are
// ignored, because anybody can add one.
func TestManager_TwoCookiesOfOneName(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		mine, others := newBrowser(), newBrowser()
		w.login(mine, session.Login{UserID: "1"})
		w.login(others, session.Login{UserID: "2"})
		before := mine.CloneIgnoringExpiry()
		w.expireAccess()
		w.in(mine) // the browser now has newer cookies
		others = others.CloneIgnoringExpiry()
		cases, refused := 0, 0
		for _, name := range []string{accessCookie, refreshCookie} {
			my, older, theirs := valueOf(mine, name), valueOf(before, name), valueOf(others, name)
			line := func(values ...string) string { return name + "=" + strings.Join(values, "; "+name+"=") }
			for _, c := range []struct {
				what  string
				lines []string
				want  string
			}{
				{"alone", []string{line(my)}, "1"},
				{"the same twice", []string{line(my, my)}, "1"},
				{"the same five times", []string{line(my, my, my, my, my)}, "1"},
				{"the same in two headers", []string{line(my), line(my)}, "1"},
				{"an unreadable one first", []string{line("nonsense", my)}, "1"},
				{"an unreadable one last", []string{line(my, "nonsense")}, "1"},
				{"between unreadable ones", []string{line("x", my, "y")}, "1"},
				{"as many unreadable ones as are read", []string{line("a", "b", "c", my)}, "1"},
				{"an unreadable one in another header", []string{line("x"), line(my)}, "1"},
				{"empty, and valid", []string{line("", my)}, "1"},
				{"several empty ones, and valid", []string{line("", "x", "", "y", "", "z", "", my)}, "1"},
				{"two of one session", []string{line(older, my)}, "1"},
				{"two of one session, the newer first", []string{line(my, older)}, "1"},
				{"in quotation marks", []string{line(`"` + my + `"`)}, "1"},
				{"as in RFC 2109", []string{`$Version="1"; ` + line(`"`+my+`"`) + `; $Path="/"`}, "1"},
				{"in quotation marks and without", []string{line(`"`+my+`"`, my)}, "1"},
				{"after other cookies", []string{"a=b; c; =d; e=; " + line(my) + "; f=g"}, "1"},
				{"in the second header", []string{"a=b", line(my)}, "1"},
				{"without blanks", []string{"a=b;" + line(my) + ";c=d"}, "1"},
				{"with blanks and tabs around", []string{"a=b; \t" + name + " \t=" + my + "\t ; c=d"}, "1"},

				{"two users", []string{line(my, theirs)}, ""},
				{"two users, in the other order", []string{line(theirs, my)}, ""},
				{"two users in two headers", []string{line(my), line(theirs)}, ""},
				{"two users, and an unreadable one between", []string{line(my, "x", theirs)}, ""},
				{"two users, one in quotation marks", []string{line(`"`+theirs+`"`, my)}, ""},
				{"two users, one of them older", []string{line(older, theirs, my)}, ""},
				{"two users, and one again", []string{line(my, theirs, my)}, ""},
				{"more than are read", []string{line("a", "b", "c", "d", my)}, ""},
				{"more than are read, the valid one first", []string{line(my, "a", "b", "c", "d")}, ""},
			} {
				r := page(newBrowser())
				r.Header["Cookie"] = c.lines
				calls := w.store.Calls()
				v, err := w.Authenticate(r)
				cases++
				if c.want != "" {
					if err != nil || v.Session().UserID != c.want {
						w.Errorf("%s, %s: %v, %v; want user %q", name, c.what, v, err, c.want)
					}
					continue
				}
				refused++
				if !errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) != 0 || v.Session().ID != "" || w.store.Calls() != calls {
					w.Errorf("%s, %s: %v, %v, %d cookies, %d calls; want no session, none and none", name, c.what, v, err, len(v.Cookies), w.store.Calls()-calls)
				}
			}
		}
		if n := w.count(session.EventAmbiguous); n != refused {
			w.Errorf("%d events of ambiguity for %d refusals", n, refused)
		}
		w.Logf("%d arrangements of one name: %d refused, the rest served as the only user in them", cases, refused)
	})
}

// A cookie that this app did not set is unauthenticated and costs no store call. An
// event reports it only if it has the name of one of the two cookies.
func TestManager_ForeignCookiesAreUnauthenticated(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		for _, name := range []string{accessCookie, refreshCookie} {
			value := valueOf(b, name)
			for _, c := range []struct {
				line   string
				events int
			}{
				{"", 0},
				{name + "=", 0},
				{name + `=""`, 0},
				{name, 0},
				{strings.ToLower(name) + "=" + value, 0},
				{strings.ToUpper(name) + "=" + value, 0},
				{name + "x=" + value, 0},
				{"x" + name + "=" + value, 0},
				{"a=" + name + "=" + value, 0},
				{name + `="`, 1},
				{name + `="` + value, 1},
				{name + `=` + value + `"`, 1},
				{name + `="` + value + "x", 1},
				{name + "=x" + value + `"`, 1},
				{name + "= " + value, 1},
				{name + "=nonsense", 1},
				{name + "=one; " + name + "=two", 1},
				{accessCookie + "=garbage; " + refreshCookie + "=more", 2},
			} {
				r := page(newBrowser())
				r.Header["Cookie"] = []string{c.line}
				undecodable, calls := w.count(session.EventUndecodable), w.store.Calls()
				v, err := w.Authenticate(r)
				if !errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) != 0 || w.store.Calls() != calls {
					w.Errorf("%.60q: %v, %d cookies, %d calls; want no session, none and none", c.line, err, len(v.Cookies), w.store.Calls()-calls)
				}
				if n := w.count(session.EventUndecodable) - undecodable; n != c.events {
					w.Errorf("%.60q: %d events; want %d", c.line, n, c.events)
				}
			}
		}
	})
}

// The newest cookie of a session counts: an older access cookie has expired, and an
// older refresh cookie is superseded.
func TestManager_NewestCookieOfOneSessionCounts(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		old := b.CloneIgnoringExpiry()
		for range 2 {
			w.expireAccess()
			w.in(b)
		}
		w.expireAccess()
		w.in(b)
		for _, name := range []string{accessCookie, refreshCookie} {
			my, older := valueOf(b, name), valueOf(old, name)
			for _, values := range [][]string{{my, older}, {older, my}, {"x", older, my}, {older, "x", my}} {
				r := page(newBrowser())
				r.Header.Set("Cookie", name+"="+strings.Join(values, "; "+name+"="))
				calls := w.store.Calls()
				if _, err := w.Authenticate(r); err != nil {
					w.Errorf("%s: %v; want a session", name, err)
				}
				if name == accessCookie && w.store.Calls() != calls {
					w.Errorf("%s: the store was asked; want the newer cookie to answer", name)
				}
			}
		}
		time.Sleep(gracePeriod)
		if n := w.count(session.EventReuse) + w.count(session.EventGrace); n != 0 {
			w.Errorf("%d older cookies were judged as superseded; want 0", n)
		}
	})
}

// Of two valid access cookies of one session the newer one has the newer roles.
func TestManager_NewerOfTwoValidAccessCookiesCounts(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		older := valueOf(b, accessCookie)
		w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"newest"}})
		time.Sleep(time.Second)
		b.ExpireAccess()
		w.in(b)
		newer := valueOf(b, accessCookie)
		for _, values := range [][2]string{{older, newer}, {newer, older}} {
			r := page(newBrowser())
			r.Header.Set("Cookie", accessCookie+"="+values[0]+"; "+accessCookie+"="+values[1])
			v, err := w.Authenticate(r)
			if err != nil || !v.Session().HasRole("newest") {
				w.Errorf("two access cookies: %+v, %v; want the roles of the newer one", v.Session(), err)
			}
		}
	})
}
