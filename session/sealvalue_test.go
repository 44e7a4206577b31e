package session_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

func TestManager_SealAndOpen(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		for _, value := range [][]byte{{0}, []byte("state"), bytes.Repeat([]byte{0xff}, 2048)} {
			sealed, err := w.Seal("login", value)
			if err != nil {
				w.Fatal(err)
			}
			got, ok := w.Open("login", sealed, time.Minute)
			if !ok || !bytes.Equal(got, value) {
				w.Errorf("%d bytes: opened %t, %d bytes", len(value), ok, len(got))
			}
			if err := (&http.Cookie{Name: "__Host-Http-login-0123456789", Value: sealed, Quoted: false}).Valid(); err != nil || len(sealed) > 100+len(value)*16/9 {
				w.Errorf("%d bytes: not fit for a cookie: %d bytes, %v", len(value), len(sealed), err)
			}
			if len(value) > 1 && strings.Contains(sealed, string(value)) {
				w.Errorf("the value is readable: %s", sealed)
			}
		}
	})
}

// Whoever may choose one sealed text must not get another one by it, and no session.
func TestManager_OpenRefuses(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		var access, refresh string
		for _, c := range page(b).Cookies() {
			if c.Name == accessCookie {
				access = c.Value
			} else {
				refresh = c.Value
			}
		}
		sealed, err := w.Seal("login", []byte("state"))
		if err != nil {
			w.Fatal(err)
		}
		other := w.node(session.Config{App: "other"})
		changed := []byte(sealed)
		changed[30] ^= 1
		for name, c := range map[string]struct {
			by      *testWorld
			purpose string
			text    string
			maxAge  time.Duration
		}{
			"another purpose":         {w, "log", sealed, time.Minute},
			"no purpose":              {w, "", sealed, time.Minute},
			"a long purpose":          {w, strings.Repeat("x", 101), sealed, time.Minute},
			"another app":             {other, "login", sealed, time.Minute},
			"a changed text":          {w, "login", string(changed), time.Minute},
			"nothing":                 {w, "login", "", time.Minute},
			"no age":                  {w, "login", sealed, 0},
			"less than a second":      {w, "login", sealed, time.Second - 1},
			"an access cookie":        {w, "access", access, time.Minute},
			"a refresh cookie":        {w, "refresh", refresh, time.Minute},
			"a cookie under its name": {w, accessCookie, access, time.Minute},
		} {
			if got, ok := c.by.Open(c.purpose, c.text, c.maxAge); ok {
				w.Errorf("%s opens %q", name, got)
			}
		}
		for _, name := range []string{accessCookie, oddRefreshCookie} {
			for _, purpose := range []string{name, "access", "refresh"} {
				forged, err := w.Seal(purpose, []byte("state"))
				if err != nil {
					w.Fatal(err)
				}
				r := page(newBrowser())
				r.AddCookie(&http.Cookie{Name: name, Value: forged})
				if v, err := w.Authenticate(r); err == nil {
					w.Errorf("a value for %q is a session in %s: %v", purpose, name, v.Session())
				}
			}
		}
	})
}

func TestManager_SealRefuses(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		for name, c := range map[string]struct {
			purpose string
			n       int
		}{"no purpose": {"", 1}, "a long purpose": {strings.Repeat("x", 101), 1}, "no value": {"login", 0}, "a long value": {"login", 2049}} {
			if sealed, err := w.Seal(c.purpose, make([]byte, c.n)); err == nil {
				w.Errorf("%s: %q", name, sealed)
			}
		}
	})
}

// To the second, and by the clock of the node that opens.
func TestManager_OpenByAge(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		sealed, err := w.Seal("login", []byte("state"))
		if err != nil {
			w.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if _, ok := w.Open("login", sealed, 10*time.Second); !ok {
			w.Error("it is not opened at its age")
		}
		if _, ok := w.Open("login", sealed, 9*time.Second); ok {
			w.Error("it is opened beyond its age")
		}
	})
}

func TestManager_OpenFollowsTheKeys(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		sealed, err := w.Seal("login", []byte("state"))
		if err != nil {
			w.Fatal(err)
		}
		fresh := session.GenerateKey()
		keys, err := session.ParseKeys(fresh)
		if err != nil {
			w.Fatal(err)
		}
		if err := w.SetKeys(keys); err != nil {
			w.Fatal(err)
		}
		if _, ok := w.Open("login", sealed, time.Minute); ok {
			w.Error("a key that is gone opens it")
		}
	})
}
