package guardtest

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// Tests of guards rely on CookiesOf: what it does not know must not look like an answer
// that they expect.
func TestCookiesOf_NamesWhatAnAnswerDoes(t *testing.T) {
	const (
		access    = AccessName + "=V; Max-Age=120"
		noAccess  = AccessName + "=; Max-Age=1"
		refresh   = RefreshName + "=V; Max-Age=1800"
		noRefresh = RefreshName + "=; Max-Age=0"
		odd       = OddRefreshName + "=V; Max-Age=1800"
		noOdd     = OddRefreshName + "=; Max-Age=0"
	)
	known := []string{"", "access", "set", "login", "clear"}
	for _, c := range []struct {
		lines []string
		want  string // "?": none of those that are known
	}{
		{nil, ""},
		{[]string{access}, "access"},
		{[]string{access, refresh}, "set"},
		{[]string{refresh, access}, "set"},
		{[]string{access, odd}, "set"},
		{[]string{access, refresh, odd}, "login"},
		{[]string{odd, refresh, access}, "login"},
		{[]string{noAccess, noRefresh, noOdd}, "clear"},
		{[]string{noAccess}, "?"},
		{[]string{noAccess, noRefresh}, "?"},
		{[]string{noAccess, noOdd}, "?"},
		{[]string{noRefresh, noOdd}, "?"},
		{[]string{noAccess, refresh, noOdd}, "?"},
		{[]string{access, noRefresh, noOdd}, "?"},
		{[]string{access, odd, noRefresh}, "?"},
		{[]string{access, refresh, noOdd}, "?"},
		{[]string{odd}, "?"},
		{[]string{noOdd}, "?"},
		{[]string{refresh}, "?"},
		{[]string{noRefresh}, "?"},
		{[]string{access, noRefresh}, "?"},
		{[]string{noAccess, refresh}, "?"},
		{[]string{access, access}, "?"},
		{[]string{access, refresh, refresh}, "?"},
		{[]string{"theirs=V"}, "?"},
		{[]string{"theirs="}, "?"},
		{[]string{access, refresh, "theirs=V"}, "?"},
		{[]string{access, RefreshName + "=; Max-Age=1"}, "?"},
	} {
		rec := httptest.NewRecorder()
		rec.Header()["Set-Cookie"] = c.lines
		if got := CookiesOf(rec); got != c.want && (c.want != "?" || slices.Contains(known, got)) {
			t.Errorf("%q: %q; want %q", c.lines, got, c.want)
		}
	}
}

// echoHeaders answers with the request's headers of a kind of client, and its cookies.
var echoHeaders = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{"Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-Dest", "Accept", "HX-Request", "X-More", "Content-Type"} {
		if value := r.Header.Get(name); value != "" {
			w.Header().Set("Got-"+name, value)
		}
	}
	for _, c := range r.Cookies() {
		w.Header().Add("Got-Cookie", c.Name+"="+c.Value)
	}
})

// A client sends the headers of its Kind and those of the call, and no others that a guard
// looks at.
func TestClient_SendsTheHeadersOfItsKind(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		body string
		more []string
		want map[string]string
	}{
		{Kind{}, "", nil, nil},
		{PageLoad, "", nil, map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"}},
		{Fetch, "", []string{"X-More", "1"}, map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "X-More": "1"}},
		{HTMX, "", []string{"Sec-Fetch-Site", "cross-site"}, map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site", "HX-Request": "true"}},
		{Kind{"Accept": "text/html"}, "a=b", nil, map[string]string{"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}},
	} {
		got := map[string]string{}
		for name, values := range NewClient(t, echoHeaders, c.kind).Send("POST", "/", c.body, c.more...).Header() {
			got[strings.TrimPrefix(name, "Got-")] = values[0]
		}
		want := map[string]string{}
		for name, value := range c.want {
			want[http.CanonicalHeaderKey(name)] = value
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v with %q: sends %v; want %v", c.kind, c.more, got, want)
		}
	}
}

// As and Copied have cookies of their own. At shares them.
func TestClient_CopiesOfItKeepTheirOwnCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewClient(t, echoHeaders, PageLoad)
		b.Plant(AccessName, "1")
		b.Plant(RefreshName, "2")
		b.Plant(OddRefreshName, "3")
		as, copied, at := b.As(Fetch), b.Copied(), b.At(http.NotFoundHandler())
		b.ForgetRefresh()
		for name, c := range map[string]struct {
			client *Client
			want   map[string]string
		}{
			"the client": {b, map[string]string{AccessName: "1"}},
			"As":         {as, map[string]string{AccessName: "1", RefreshName: "2", OddRefreshName: "3"}},
			"Copied":     {copied, map[string]string{AccessName: "1", RefreshName: "2", OddRefreshName: "3"}},
			"At":         {at, map[string]string{AccessName: "1"}},
		} {
			if got := c.client.Kept(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s has %v; want %v", name, got, c.want)
			}
		}
		if at.Send("GET", "/", "").Code != http.StatusNotFound {
			t.Error("At sends to the client's own handler")
		}
		b.Forget()
		if len(at.Kept()) != 0 || len(as.Kept()) != 3 {
			t.Errorf("after Forget, At has %v and As %v", at.Kept(), as.Kept())
		}
	})
}

// An emptied cookie is not kept, and one that has expired is sent by a thief only.
func TestClient_KeepsCookiesAsBrowsersDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: AccessName, Value: r.URL.Query().Get("v"), Path: "/", MaxAge: 60, Secure: true, HttpOnly: true})
		})
		b := NewClient(t, set, PageLoad)
		b.Send("GET", "/?v=1", "")
		thief := b.Copied()
		if got := b.Kept()[AccessName]; got != "1" {
			t.Errorf("the browser has %q; want 1", got)
		}
		time.Sleep(61 * time.Second)
		if len(b.Kept()) != 0 || thief.Kept()[AccessName] != "1" {
			t.Errorf("after its Max-Age the browser has %v and the thief %v", b.Kept(), thief.Kept())
		}
		b.Send("GET", "/?v=", "")
		if len(b.Kept()) != 0 {
			t.Errorf("an emptied cookie is kept: %v", b.Kept())
		}
	})
}

// The bytes that SendRaw sends are those of the request that Send makes.
func TestClient_SendRawSendsTheSameRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewClient(t, echoHeaders, HTMX)
		b.Plant(AccessName, "1")
		raw := b.SendRaw("POST", "/", "a=b", "X-More: 1")
		if len(raw) != 1 || raw[0].Status != http.StatusOK {
			t.Fatalf("%+v; want one answer with 200", raw)
		}
		for name, values := range b.Send("POST", "/", "a=b", "X-More", "1").Header() {
			if got := raw[0].Values(name); !slices.Equal(got, values) {
				t.Errorf("%s: %q with SendRaw, %q with Send", name, got, values)
			}
		}
	})
}

func TestParse_SplitsInformationalAndFinalAnswers(t *testing.T) {
	all := Parse(t, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nVary: Cookie\r\n\r\nbody\r\n\r\nrest")
	want := []Answer{
		{103, []string{"Link: </a.css>"}, "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nVary: Cookie\r\n\r\nbody\r\n\r\nrest"},
		{200, []string{"Set-Cookie: a=1", "Set-Cookie: b=2", "Vary: Cookie"}, "body\r\n\r\nrest"},
	}
	if !reflect.DeepEqual(all, want) {
		t.Fatalf("%+v; want %+v", all, want)
	}
	if got := all[1].Values("set-cookie"); !slices.Equal(got, []string{"a=1", "b=2"}) {
		t.Errorf("Values: %q", got)
	}
	if got := all[1].Names(); got != "Set-Cookie Set-Cookie Vary" {
		t.Errorf("Names: %q", got)
	}
}

// failing records whether a test would fail.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Helper()               {}
func (f *failing) Errorf(string, ...any) { f.failed = true }
func (f *failing) Fatalf(string, ...any) { f.failed = true; panic(f) }

// fails reports whether a test fails that runs f.
func fails(t *testing.T, f func(testing.TB)) bool {
	inner := &failing{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(inner) {
				panic(p)
			}
		}()
		f(inner)
	}()
	return inner.failed
}

// Parse fails a test for bytes that no server may send.
func TestParse_FailsForMalformedAnswers(t *testing.T) {
	for raw, want := range map[string]bool{
		"HTTP/1.1 200 OK\r\n\r\n":                         false,
		"HTTP/1.1 204 No Content\r\nVary: Cookie\r\n\r\n": false,
		"":                                       true,
		"HTTP/1.1 200 OK\r\n":                    true,
		"HTTP/1.1 200 OK\n\n":                    true,
		"HTTP/1.0 200 OK\r\n\r\n":                true,
		"HTTP/1.1 20 OK\r\n\r\n":                 true,
		"HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n":     true,
		"HTTP/1.1 200 OK\r\nA: \xc3\xa9\r\n\r\n": true,
		"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n":  true,
		"HTTP/1.1 200 OK\r\nA : b\r\n\r\n":       true,
		"HTTP/1.1 200 OK\r\n b\r\n\r\n":          true,
		"HTTP/1.1 103 Early Hints\r\n\r\nrest":   true,
	} {
		if got := fails(t, func(t testing.TB) { Parse(t, raw) }); got != want {
			t.Errorf("%q: the test fails: %v; want %v", raw, got, want)
		}
	}
}

// LogIn fails a test if the app logs nobody in.
func TestClient_LogInFailsWithoutALogin(t *testing.T) {
	answer := func(status, cookies int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for _, name := range []string{AccessName, RefreshName, OddRefreshName}[:cookies] {
				http.SetCookie(w, &http.Cookie{Name: name, Value: "v", Path: "/", Secure: true, HttpOnly: true})
			}
			w.WriteHeader(status)
		})
	}
	for _, c := range []struct {
		status, cookies int
		want            bool
	}{{303, 3, false}, {303, 2, true}, {303, 1, true}, {303, 0, true}, {200, 3, true}, {403, 0, true}} {
		if got := fails(t, func(t testing.TB) { NewClient(t, answer(c.status, c.cookies), PageLoad).LogIn("ada") }); got != c.want {
			t.Errorf("%d with %d cookies: the test fails: %v; want %v", c.status, c.cookies, got, c.want)
		}
	}
}

// A World counts each event, and says whose session a client has.
func TestWorld_TellsSessionsAndEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorld(t)
		login := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			v, err := w.Sessions.Issue(r, session.Login{UserID: r.FormValue("user")})
			if err != nil {
				t.Error(err)
			}
			v.SetCookies(rw)
			rw.WriteHeader(http.StatusSeeOther)
		})
		if w.Events.Count() != 0 || w.Events.String() != "" || len(w.LiveSessions(t)) != 0 {
			t.Errorf("a new World has events %q and sessions %v", w.Events, w.LiveSessions(t))
		}
		ada, grace, nobody := NewClient(t, login, PageLoad).LogIn("ada"), NewClient(t, login, Fetch).LogIn("grace"), NewClient(t, login, Fetch)
		live := w.LiveSessions(t)
		if a, g := w.SessionOf(ada), w.SessionOf(grace); len(live) != 2 || a == g || !live[a] || !live[g] || w.SessionOf(nobody) != "" {
			t.Errorf("ada has %q, grace %q, nobody %q; %v are live", a, g, w.SessionOf(nobody), live)
		}
		if n := w.Events.Count(); n != 2 || strings.Count(w.Events.String(), "\n") != 2 {
			t.Errorf("%d events: %s; want one for each login", n, w.Events)
		}
	})
}
