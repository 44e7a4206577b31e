package libraries

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// site is an app with the user ada, who is no admin, and the user banned, who may not log in.
//
//	/start/{way}   a page with a way to send a request, and with the name of the user
//	/do/{what}     the pages behind the guards account, recent, admin and live
//	/events/{what} the same as event streams
//	/shown         where a login leads
type site struct {
	*testing.T
	url      string
	users    *store.Memory
	store    *sessiontest.Store
	sessions *session.Manager
	guard    *nethttp.Guard

	loginPage http.HandlerFunc // a test may change it while nobody sends requests

	mu       sync.Mutex       // guards what follows
	answered map[string]int   // requests by method and path
	statuses map[string][]int // the same, by path
	cut      chan struct{}    // ends the event streams that are open
}

func startSite(t *testing.T) *site {
	t.Helper()
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, users: store.NewMemory(), loginPage: loginPage, answered: map[string]int{}, statuses: map[string][]int{}, cut: make(chan struct{})}
	s.users.SetUser("ada", store.User{Roles: []string{"staff"}})
	s.users.SetUser("banned", store.User{Disabled: true})
	s.store = sessiontest.NewStore(s.users)
	if s.sessions, err = session.New(keys, s.store, session.Config{DangerouslyAllowHTTP: true, OnEvent: func(session.Event) {}}); err != nil {
		t.Fatal(err)
	}
	s.guard, err = nethttp.New(s.sessions, nethttp.Config{Public: []string{"/files/", "GET /start/{way}", "GET /sw.js", "POST /login/{way}"}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/files/", http.StripPrefix("/files/", http.FileServer(http.Dir(modules))))
	mux.HandleFunc("GET /start/{way}", s.start)
	mux.HandleFunc("GET /sw.js", worker)
	mux.HandleFunc("GET /shown", s.shown)
	mux.HandleFunc("GET /pages/{library}/{number}", history)
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) { s.loginPage(w, r) })
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /login/{way}", s.login)
	mux.HandleFunc("POST /logout", s.guard.Logout)
	for what, guard := range map[string]func(http.Handler) http.Handler{
		"account": func(h http.Handler) http.Handler { return h },
		"recent":  s.guard.RequireRecentLogin(5 * time.Minute),
		"admin":   s.guard.RequireRole("admin"),
		"live":    s.guard.RequireLive,
	} {
		mux.Handle("/do/"+what, guard(http.HandlerFunc(do)))
		mux.Handle("GET /events/"+what, guard(http.HandlerFunc(s.events)))
	}
	protected := s.guard.Protect(mux)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		protected.ServeHTTP(status, r)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.answered[r.Method+" "+r.URL.Path]++
		s.statuses[r.URL.Path] = append(s.statuses[r.URL.Path], status.status)
	}))
	t.Cleanup(func() {
		s.cutStreams()
		server.Close()
	})
	s.url = server.URL
	return s
}

// count returns how many requests to a path were answered with a status.
func (s *site) count(path string, status int) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, got := range s.statuses[path] {
		if got == status {
			n++
		}
	}
	return n
}

// requests returns how many requests were answered.
func (s *site) requests(methodAndPath string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answered[methodAndPath]
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

// What happens to the user before the click.

var errDown = errors.New("connection refused")

func (s *site) storeIsDown() { s.store.Fail(errDown) }
func (s *site) storeIsUp()   { s.store.Fail(nil) }

func (s *site) revoke() {
	s.Helper()
	if err := s.sessions.RevokeUser(context.Background(), "ada"); err != nil {
		s.Fatal(err)
	}
}

// age makes ada's login an hour old.
func (s *site) age() {
	s.Helper()
	devices, err := s.sessions.List(context.Background(), "ada", "")
	if err != nil {
		s.Fatal(err)
	}
	for _, device := range devices {
		s.store.AgeLogin(device.ID, time.Hour)
	}
	s.forceRefresh()
}

// forceRefresh makes ada's access cookies worthless.
func (s *site) forceRefresh() {
	s.Helper()
	if err := s.sessions.ForceRefresh(context.Background(), "ada"); err != nil {
		s.Fatal(err)
	}
}

// The pages.

func writePage(w http.ResponseWriter, head, body string) {
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(w, "<!doctype html><html><head><title>Test</title>%s</head><body>%s</body></html>", head, body)
}

// start shows a way to send a request to the query's path.
func (s *site) start(w http.ResponseWriter, r *http.Request) {
	way := wayNamed(r.PathValue("way"))
	user := "nobody"
	if got, ok := session.FromContext(r.Context()); ok {
		user = got.UserID
	}
	body := strings.ReplaceAll(way.body, "PATH", html.EscapeString(r.FormValue("path")))
	writePage(w, libraries[way.library], `<h1>Start</h1><p>Hello `+user+`</p>`+strings.ReplaceAll(body, "USER", html.EscapeString(r.FormValue("user"))))
}

// do is what the user wants. It answers in the form that the library asks for.
func do(w http.ResponseWriter, r *http.Request) {
	user, _ := session.FromContext(r.Context())
	part := `<p id="out">Done by ` + user.UserID + `</p>`
	switch {
	case r.Header.Get("Datastar-Request") != "":
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "event: datastar-merge-fragments\ndata: fragments %s\n\n", part)
	case strings.Contains(r.Header.Get("Accept"), "text/vnd.turbo-stream.html") && strings.Contains(r.Referer(), "/start/"):
		// After the login the page is shown as a whole: Turbo accepts streams there, too.
		w.Header().Set("Content-Type", "text/vnd.turbo-stream.html")
		fmt.Fprintf(w, `<turbo-stream action="replace" target="out"><template>%s</template></turbo-stream>`, part)
	case r.Header.Get("HX-Request") == "true" && r.Header.Get("HX-Boosted") == "":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, part)
	case r.Method == http.MethodPost:
		http.Redirect(w, r, r.URL.Path, http.StatusSeeOther)
	default:
		writePage(w, "", `<h1>Done</h1><turbo-frame id="frame">`+part+`</turbo-frame>`)
	}
}

// loginPage has a form without an address: it goes to the URL of the page.
func loginPage(w http.ResponseWriter, _ *http.Request) {
	writePage(w, "", `<h1>Log in</h1><form id="login" method="post"><input name="user" value="ada"><button id="submit">Log in</button></form>`)
}

func (s *site) login(w http.ResponseWriter, r *http.Request) {
	if err := s.guard.Issue(w, r, session.Login{UserID: r.FormValue("user")}); err != nil {
		s.guard.WriteError(w, r, err)
		return
	}
	_ = nethttp.Redirect(w, r, s.guard.ReturnTo(r, "/shown")) // the test sees whether it has arrived
}

func (s *site) shown(w http.ResponseWriter, r *http.Request) {
	user, _ := session.FromContext(r.Context())
	writePage(w, "", `<h1>Shown</h1><turbo-frame id="frame"><p id="out">Done by `+user.UserID+`</p></turbo-frame>`)
}

// history has a link that adds a page to htmx's history, which is not kept.
func history(w http.ResponseWriter, r *http.Request) {
	library := r.PathValue("library")
	writePage(w, `<meta name="htmx-config" content='{"historyCacheSize": 0}'>`+libraries[library],
		`<h1>Page `+r.PathValue("number")+`</h1><button id="next" hx-get="/pages/`+library+`/2" hx-push-url="true" hx-target="body">Next</button>`)
}

// events is an event stream that says who listens. It ends with the session.
func (s *site) events(w http.ResponseWriter, r *http.Request) {
	user, _ := session.FromContext(r.Context())
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, "retry: 100\ndata: %s\n\n", user.UserID)
	_ = http.NewResponseController(w).Flush() // the page shows whether it has arrived
	s.mu.Lock()
	cut := s.cut
	s.mu.Unlock()
	select {
	case <-cut:
	case <-s.sessions.Done(r.Context()):
	case <-r.Context().Done():
	}
}

// cutStreams ends the event streams that are open.
func (s *site) cutStreams() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
}

// worker is a service worker that fetches each page load itself, in the way that the query
// says.
func worker(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/javascript")
	w.Header().Set("Cache-Control", "no-store")
	init := map[string]string{"cache": `{cache: 'no-cache'}`, "manual": `{redirect: 'manual'}`}[r.FormValue("with")]
	fmt.Fprintf(w, `
		addEventListener('install', () => skipWaiting())
		addEventListener('activate', e => e.waitUntil(clients.claim()))
		addEventListener('fetch', e => { if (e.request.mode == 'navigate') e.respondWith(fetch(e.request, %s)) })`, init)
}

func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values.Encode()
}
