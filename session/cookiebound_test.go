package session_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session"
)

// The Cookie header is read up to the number of pairs that net/http accepts, in all
// its lines together. A stranger's header of a megabyte costs no more than that.
func TestManager_CookieHeaderIsReadUpToABound(t *testing.T) {
	const accepted = 3000 // net/http's default, see GODEBUG httpcookiemaxnum
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		for _, name := range []string{accessCookie, refreshCookie} {
			mine := name + "=" + valueOf(b, name)
			for _, c := range []struct {
				what  string
				lines []string
				read  bool
			}{
				{"the last one that is read", []string{strings.Repeat(";", accepted-1) + mine}, true},
				{"the first one that is not", []string{strings.Repeat(";", accepted) + mine}, false},
				{"the same with names", []string{strings.Repeat("a=b; ", accepted) + mine}, false},
				{"in the second line", []string{strings.Repeat(";", accepted-2), mine}, true},
				{"in the second line, too late", []string{strings.Repeat(";", accepted-1), mine}, false},
				{"before a megabyte", []string{mine + strings.Repeat(";", 1<<20)}, true},
				{"after a megabyte", []string{strings.Repeat(";", 1<<20) + mine}, false},
			} {
				r := page(newBrowser())
				r.Header["Cookie"] = c.lines
				v, err := w.Authenticate(r)
				if c.read && (err != nil || v.Session().UserID != "1") {
					w.Errorf("%s, %s: %v, %v; want the session", name, c.what, v, err)
				}
				if !c.read && !errors.Is(err, session.ErrUnauthenticated) {
					w.Errorf("%s, %s: %v, %v; want ErrUnauthenticated", name, c.what, v, err)
				}
				if c.read && len(r.CookiesNamed(name)) == 0 && len(c.lines[0]) < 1<<20 {
					w.Errorf("%s, %s: net/http reads none; want the same bound as net/http's", name, c.what)
				}
			}
		}
	})
}
