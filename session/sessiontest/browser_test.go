package sessiontest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// echoApp answers with what a server sees of the request.
var echoApp = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s host=%s tls=%v url=%s path=%s body=%q type=%q origin=%q cookie=%q",
		r.Method, r.RequestURI, r.Host, r.TLS != nil, r.URL, r.URL.Path, body,
		r.Header.Get("Content-Type"), r.Header.Get("Origin"), r.Header.Get("Cookie"))
})

func bodyOf(t *testing.T, answer *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestBrowser_MakesRequestsAsAServerSeesThem(t *testing.T) {
	b := sessiontest.NewBrowser(echoApp)
	b.Receive([]*http.Cookie{{Name: "a", Value: "1", Path: "/"}})
	if got, want := bodyOf(t, b.Get("/x%2Fy/z?q=1")),
		`GET /x%2Fy/z?q=1 host=app.test tls=true url=/x%2Fy/z?q=1 path=/x/y/z body="" type="" origin="" cookie="a=1"`; got != want {
		t.Errorf("Get:\n%s; want\n%s", got, want)
	}
	if got, want := bodyOf(t, b.PostForm("/login", url.Values{"user": {"a b"}})),
		`POST /login host=app.test tls=true url=/login path=/login body="user=a+b" type="application/x-www-form-urlencoded" origin="https://app.test" cookie="a=1"`; got != want {
		t.Errorf("PostForm:\n%s; want\n%s", got, want)
	}
	r := b.NewRequest(http.MethodGet, "/", nil)
	for name, want := range map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin", "Accept": "text/html"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
	b.Origin = "http://localhost:8080"
	if got := bodyOf(t, b.Get("/")); !strings.HasPrefix(got, `GET / host=localhost:8080 tls=false`) {
		t.Errorf("at another origin: %s", got)
	}
}

// The cookies of an answer are stored for the URL that was requested. Redirects are not
// followed.
func TestBrowser_StoresTheCookiesOfAnswers(t *testing.T) {
	visits := 0
	b := sessiontest.NewBrowser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visits++
		http.SetCookie(w, &http.Cookie{Name: "page", Value: "1"})                // for the folder of the page
		http.SetCookie(w, &http.Cookie{Name: "__Host-a", Value: "x", Path: "/"}) // not Secure: dropped
		http.SetCookie(w, &http.Cookie{Name: "__Host-b", Value: "2", Path: "/", Secure: true})
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	}))
	answer := b.Get("/admin/users")
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/login" || visits != 1 {
		t.Errorf("got %s to %q after %d requests", answer.Status, answer.Header.Get("Location"), visits)
	}
	if to, err := answer.Location(); err != nil || to.String() != "https://app.test/login" {
		t.Errorf("the redirect leads to %v, %v", to, err)
	}
	if got := b.NewRequest("GET", "/admin/x", nil).Header.Get("Cookie"); got != "page=1; __Host-b=2" {
		t.Errorf("below the page: %q", got)
	}
	if got := b.NewRequest("GET", "/", nil).Header.Get("Cookie"); got != "__Host-b=2" {
		t.Errorf("elsewhere: %q", got)
	}
}

// A Transport that sends real requests works as well.
func TestBrowser_SendsRequestsToARealServer(t *testing.T) {
	server := httptest.NewServer(echoApp)
	defer server.Close()
	b := sessiontest.NewBrowser(nil)
	b.Origin, b.Transport = server.URL, server.Client().Transport
	b.Receive([]*http.Cookie{{Name: "a", Value: "1", Path: "/"}})
	answer := b.PostForm("/login?x=1", url.Values{"user": {"1"}})
	if got := bodyOf(t, answer); !strings.HasPrefix(got, "POST /login?x=1 ") || !strings.Contains(got, `body="user=1"`) || !strings.Contains(got, `cookie="a=1"`) {
		t.Errorf("got %s", got)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("broken") }
func (brokenBody) Close() error             { return nil }

// A test must not go on without a complete answer.
func TestBrowser_PanicsWithoutAnAnswer(t *testing.T) {
	for name, answer := range map[string]transport{
		"no connection": func(*http.Request) (*http.Response, error) { return nil, errors.New("broken") },
		"half a body": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: brokenBody{}, Request: r}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, "https://app.test/x") || !strings.Contains(text, "broken") {
					t.Errorf("panic(%q); want one with the URL and the error", text)
				}
			}()
			b := sessiontest.NewBrowser(nil)
			b.Transport = answer
			b.Get("/x")
		})
	}
}

func TestBrowser_PanicsAtAnOriginThatIsNoURL(t *testing.T) {
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text, "Browser.Origin") {
			t.Errorf("panic(%q); want one that names Browser.Origin", text)
		}
	}()
	b := sessiontest.NewBrowser(nil)
	b.Origin = "://app"
	b.Receive(nil)
}

// world is an app with one page that shows who is logged in.
type world struct {
	users    *store.Memory
	store    *sessiontest.Store
	sessions *session.Manager
	app      http.Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{users: store.NewMemory()}
	w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"admin"}})
	w.users.SetUser("2", store.User{Epoch: 1})
	w.store = sessiontest.NewStore(w.users)
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	if w.sessions, err = session.New(keys, w.store, session.Config{}); err != nil {
		t.Fatal(err)
	}
	w.app = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		v, err := w.sessions.Authenticate(r)
		v.SetCookies(rw)
		switch {
		case errors.Is(err, session.ErrUnauthenticated):
			rw.WriteHeader(http.StatusUnauthorized)
		case err != nil:
			rw.WriteHeader(http.StatusServiceUnavailable)
		default:
			fmt.Fprint(rw, v.Session().UserID)
		}
	})
	return w
}

func TestBrowser_LoginKeepsTheUserLoggedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := sessiontest.NewBrowser(w.app)
		if answer := b.Get("/"); answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("before the login: %s", answer.Status)
		}
		s := b.Login(t, w.sessions, session.Login{UserID: "2"})
		if s.UserID != "2" {
			t.Errorf("session = %+v", s)
		}
		for range 20 {
			if body := bodyOf(t, b.Get("/")); body != "2" {
				t.Fatalf("the page says %q", body)
			}
			time.Sleep(29 * time.Minute) // less than the idle timeout
		}
		time.Sleep(2 * time.Minute)
		if answer := b.Get("/"); answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("after the idle timeout: %s", answer.Status)
		}
	})
}

func TestBrowser_ExpireAccessTakesTheRefreshPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := sessiontest.NewBrowser(w.app)
		b.Login(t, w.sessions, session.Login{UserID: "1"})
		for range 2 {
			before := w.store.Calls()
			b.Get("/")
			if n := w.store.Calls() - before; n != 0 {
				t.Errorf("a request with an access cookie made %d calls", n)
			}
			b.ExpireAccess()
			if body := bodyOf(t, b.Get("/")); body != "1" || w.store.Calls() == before {
				t.Errorf("the refresh says %q after %d calls", body, w.store.Calls()-before)
			}
			time.Sleep(2 * time.Second) // so that the Manager asks again
		}
	})
}

// A clone is an independent browser with the same origin and transport.
func TestBrowser_ClonesAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := sessiontest.NewBrowser(w.app)
		b.Origin = "https://other.test"
		b.Login(t, w.sessions, session.Login{UserID: "1"})
		clone, hoard := b.Clone(), b.CloneIgnoringExpiry()
		b.Delete(func(string) bool { return true })
		for name, c := range map[string]*sessiontest.Browser{"the clone": clone, "the hoard": hoard} {
			if body := bodyOf(t, c.Get("/")); body != "1" || c.Origin != b.Origin {
				t.Errorf("%s at %s: the page says %q", name, c.Origin, body)
			}
		}
		if answer := b.Get("/"); answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("the browser itself: %s", answer.Status)
		}
		time.Sleep(time.Hour)
		if n := len(clone.NewRequest("GET", "/", nil).Cookies()); n != 0 {
			t.Errorf("an hour later the clone sends %d cookies", n)
		}
		if n := len(hoard.NewRequest("GET", "/", nil).Cookies()); n != 3 {
			t.Errorf("an hour later the hoard sends %d cookies; want 3", n)
		}
	})
}

// Browsers send Sec-Fetch headers to trustworthy origins only.
func TestBrowser_SendsFetchMetadataWhereBrowsersDo(t *testing.T) {
	for origin, want := range map[string]string{"https://app.test": "same-origin", "http://localhost:8080": "same-origin", "http://127.0.0.1": "same-origin", "http://192.0.2.1": "", "http://app.test": ""} {
		b := sessiontest.NewBrowser(nil)
		b.Origin = origin
		r := b.NewRequest(http.MethodGet, "/", nil)
		if got := r.Header.Get("Sec-Fetch-Site"); got != want || r.Header.Get("Accept") != "text/html" {
			t.Errorf("%s: Sec-Fetch-Site %q; want %q", origin, got, want)
		}
	}
}

func TestBrowser_SaysWhatItIs(t *testing.T) {
	var got []string
	b := sessiontest.NewBrowser(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = append(got, r.UserAgent()) }))
	b.Get("/")
	b.UserAgent = "Firefox"
	for _, b := range []*sessiontest.Browser{b, b.Clone(), b.CloneIgnoringExpiry()} {
		b.Get("/")
		b.PostForm("/", nil)
	}
	if want := []string{"", "Firefox", "Firefox", "Firefox", "Firefox", "Firefox", "Firefox"}; !slices.Equal(got, want) {
		t.Errorf("the requests say %q; want %q", got, want)
	}
}
