package session

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// nextFormat is an invented second version of the tickets: the kind in upper case, and one
// more byte at the end. A release reads it before any release writes it.
type nextFormat struct{ writes bool }

func (f nextFormat) Serialize(src any) ([]byte, error) {
	b, err := ticketSerializer{}.Serialize(src)
	if err != nil || !f.writes {
		return b, err
	}
	b[0] -= 'a' - 'A'
	return append(b, 2), nil
}

func (f nextFormat) Deserialize(src []byte, dst any) error {
	if len(src) > 0 && src[0] < 'a' {
		old := append([]byte{src[0] + 'a' - 'A'}, src[1:len(src)-1]...)
		return ticketSerializer{}.Deserialize(old, dst)
	}
	return ticketSerializer{}.Deserialize(src, dst)
}

// versionedNode returns a node of a release that reads both formats.
func versionedNode(t *testing.T, users store.Store, f nextFormat) *Manager {
	t.Helper()
	m := plainNode(t, users)
	s := m.tickets.sealers.Load().cookies
	for _, codec := range append(s.access.codecs, s.refresh.codecs...) {
		codec.SetSerializer(f)
	}
	return m
}

func plainNode(t *testing.T, users store.Store) *Manager {
	t.Helper()
	keys, err := ParseKeys("b3Xr1vGmU0n1n0kqYw0m6j5l9g1s5o9yJ8y0kXo0Zkc=")
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(keys, users, Config{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// keep lets a browser keep the cookies of an answer.
func keep(jar map[string]string, cookies []*http.Cookie) {
	for _, c := range cookies {
		jar[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(jar, c.Name)
		}
	}
}

func requestWith(jar map[string]string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://app.test/", nil)
	for name, value := range jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// During a roll-out nodes of two releases serve the same browsers. The older one reads what
// the newer one writes, and nobody is logged out.
func TestTicket_TwoFormatsSideBySideLogNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := store.NewMemory()
		for i := range 200 {
			users.SetUser(strconv.Itoa(i), store.User{Epoch: 1})
		}
		nodes := []*Manager{versionedNode(t, users, nextFormat{false}), versionedNode(t, users, nextFormat{true})}
		jars := make([]map[string]string, 200)
		for i := range jars {
			jars[i] = map[string]string{}
			v, err := nodes[i%2].Issue(requestWith(nil), Login{UserID: strconv.Itoa(i), Epoch: 1})
			if err != nil {
				t.Fatal(err)
			}
			keep(jars[i], v.Cookies)
		}
		for visit := range 12 {
			time.Sleep([]time.Duration{time.Second, 3 * time.Minute}[visit%2])
			for i, jar := range jars {
				if visit%2 == 1 {
					delete(jar, "__Host-Http-session") // as browsers do when it has expired
				}
				v, err := nodes[(i+visit/3)%2].Authenticate(requestWith(jar))
				if err != nil || v.Session().UserID != strconv.Itoa(i) {
					t.Fatalf("visit %d of user %d: %v, %v", visit, i, v, err)
				}
				keep(jar, v.Cookies)
			}
		}
		for _, m := range nodes {
			if s := m.Stats(); s[EventReuse]+s[EventUndecodable]+s[EventEnded] != 0 {
				t.Errorf("events: %v", s)
			}
		}
	})
}

// A release that cannot read a format refuses the request, and deletes nothing: the cookie
// is good again on another node.
func TestTicket_UnknownFormatIsRefusedAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := store.NewMemory()
		users.SetUser("1", store.User{Epoch: 1})
		next, old := versionedNode(t, users, nextFormat{true}), plainNode(t, users)
		jar := map[string]string{}
		v, err := next.Issue(requestWith(nil), Login{UserID: "1", Epoch: 1})
		if err != nil {
			t.Fatal(err)
		}
		keep(jar, v.Cookies)
		if v, err := old.Authenticate(requestWith(jar)); !errors.Is(err, ErrUnauthenticated) || len(v.Cookies) != 0 {
			t.Errorf("a node that reads the first version only: %v, %d cookies; want ErrUnauthenticated, and none", err, len(v.Cookies))
		}
		time.Sleep(3 * time.Minute)
		if _, err := next.Authenticate(requestWith(jar)); err != nil {
			t.Errorf("back on the other node: %v", err)
		}
	})
}
