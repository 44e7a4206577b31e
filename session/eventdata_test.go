package session_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/sessionkit/sessionkit/session"
)

// Each event that a request causes names the user, the address and the user agent, if
// they are known.
func TestEvent_NamesUserAddressAndAgent(t *testing.T) {
	cfg := session.Config{ClientIP: func(r *http.Request) string { return r.Header.Get("X-Real-IP") }}
	inTestWorld(t, cfg, func(w *testWorld) {
		from := func(r *http.Request) *http.Request {
			r.Header.Set("X-Real-IP", "203.0.113.7")
			r.Header.Set("User-Agent", "agent\n7")
			return r
		}
		b := newBrowser()
		v, err := w.Issue(from(page(b)), session.Login{UserID: "1"})
		if err != nil {
			w.Fatal(err)
		}
		b.Receive(v.Cookies)
		thief := b.Clone()
		for range 2 {
			w.expireAccess()
			w.in(b)
		}
		w.expireAccess()
		theft := from(page(thief))
		theft.Header.Set("X-Real-IP", "198.51.100.9")
		theft.Header.Set("User-Agent", "another agent")
		if _, err := w.Authenticate(theft); !errors.Is(err, session.ErrUnauthenticated) {
			w.Fatalf("the copied cookie: %v; want ErrUnauthenticated", err)
		}
		// The app can tell the user of the theft: the device of the login, the address and
		// the user agent of whoever came with the copy.
		for _, want := range []session.Event{
			{Kind: session.EventIssued, SessionID: v.Session().ID, UserID: "1", IP: "203.0.113.7", UserAgent: "agent7"},
			{Kind: session.EventReuse, SessionID: v.Session().ID, UserID: "1", IP: "198.51.100.9", UserAgent: "another agent", LoginUserAgent: "agent7"},
		} {
			if got := w.eventsOf(want.Kind); len(got) != 1 || got[0] != want {
				w.Errorf("%s: events %+v; want %+v", want.Kind, got, want)
			}
		}
		devices, err := w.List(w.Context(), "1")
		if err != nil || len(devices) != 0 {
			w.Errorf("devices after a theft: %v, %v; want none", devices, err)
		}
		_, _ = w.Authenticate(from(&http.Request{Header: http.Header{"Cookie": {accessCookie + "=nonsense"}}}))
		if got := w.eventsOf(session.EventUndecodable); len(got) != 1 || got[0].IP != "203.0.113.7" {
			w.Errorf("%v; want one event with the address", got)
		}
	})
}

func TestConfig_ClientIPIsTheRemoteHostByDefault(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		for remote, want := range map[string]string{"192.0.2.1:1234": "192.0.2.1", "[2001:db8::1]:1": "2001:db8::1", "@": "", "": ""} {
			r := page(newBrowser())
			r.RemoteAddr = remote
			v, err := w.Issue(r, session.Login{UserID: "1"})
			if err != nil {
				w.Fatal(err)
			}
			if got := w.row(v.Session().ID).IP; got != want {
				w.Errorf("RemoteAddr %q: the row has %q; want %q", remote, got, want)
			}
			if events := w.eventsOf(session.EventIssued); events[len(events)-1].IP != want {
				w.Errorf("RemoteAddr %q: the event has %q; want %q", remote, events[len(events)-1].IP, want)
			}
		}
	})
}

// An event of an unknown kind is not counted, and never makes a request fail.
func TestEventKind_UnknownKindHasALevelAndNoMeaning(t *testing.T) {
	if k := session.EventKind("unknown"); k.Level() != 0 || k.Meaning() != "" {
		t.Errorf("level %v, meaning %q; want Info and none", k.Level(), k.Meaning())
	}
}

func TestEventKind_EachKindHasAMeaning(t *testing.T) {
	for _, kind := range declaredEvents(t) {
		if kind.Meaning() == "" {
			t.Errorf("%s has no meaning: add it to eventTable", kind)
		}
	}
}
