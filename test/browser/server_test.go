package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// site is an app in the test's own process, for routes that the example does not have. It
// has the user ada, a login page and a logout.
type site struct {
	app   *app // for tabs
	guard *nethttp.Guard
	mux   *http.ServeMux

	mu     sync.Mutex // guards what follows
	seen   []request
	events []session.Event
}

// request is what a site has seen and answered.
type request struct {
	path       string
	purpose    string // Sec-Purpose
	cookies    bool   // it had some
	credential bool   // it had an Authorization header
	status     int
}

// startSite starts a site on plain HTTP. Chromium resolves each name below localhost to
// loopback.
func startSite(t *testing.T, host string, cfg nethttp.Config, sessions session.Config) *site {
	t.Helper()
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	users := store.NewMemory()
	users.SetUser("ada", store.User{Epoch: 1})
	users.SetUser("mallory", store.User{Epoch: 1})
	s := &site{mux: http.NewServeMux()}
	sessions.DangerouslyAllowHTTP = true
	sessions.OnEvent = func(e session.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
	}
	manager, err := session.New(keys, users, sessions)
	if err != nil {
		t.Fatal(err)
	}
	if s.guard, err = nethttp.New(manager, cfg); err != nil {
		t.Fatal(err)
	}
	s.page("GET /login", func(*http.Request) string {
		return `<h1>Log in</h1><form method="post"><button id="login">Log in</button></form>`
	})
	s.mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := s.guard.Issue(w, r, session.Login{UserID: "ada", Epoch: 1}); err != nil {
			s.guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, s.guard.ReturnTo(r, "/"), http.StatusSeeOther)
	})
	s.mux.HandleFunc("POST /logout", s.guard.Logout)
	protected := s.guard.Protect(s.mux)
	port := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		protected.ServeHTTP(status, r)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen = append(s.seen, request{
			path: r.URL.Path, purpose: r.Header.Get("Sec-Purpose"),
			cookies: r.Header.Get("Cookie") != "", credential: r.Header.Get("Authorization") != "",
			status: status.status,
		})
	}))
	s.app = &app{T: t, url: "http://" + host + ":" + port}
	return s
}

// page adds a page to the site.
func (s *site) page(pattern string, body func(r *http.Request) string) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		writePage(w, body(r))
	})
}

func writePage(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprint(w, "<!doctype html><title>Test</title>", body)
}

// userOf returns the user of a request's session, or "nobody".
func userOf(ctx context.Context) string {
	if s, ok := session.FromContext(ctx); ok {
		return s.UserID
	}
	return "nobody"
}

// requests returns the requests to a path so far.
func (s *site) requests(path string) (found []request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.seen {
		if r.path == path {
			found = append(found, r)
		}
	}
	return found
}

// count returns how many events of a kind there were.
func (s *site) count(kind session.EventKind) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// serve starts a server on loopback, and returns its port. It ends with the test.
func serve(t *testing.T, handler http.Handler) (port string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}
