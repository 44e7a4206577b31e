package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// app is an app in the test's process.
type app struct {
	*testing.T
	sessions *session.Manager
	users    *store.Memory
	handler  http.Handler
}

// newApp returns an app with the user ada. prefix is that of nethttp.Config.
func newApp(t *testing.T, prefix string) *app {
	t.Helper()
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	a := &app{T: t, users: store.NewMemory()}
	a.users.SetUser("ada", store.User{Epoch: 1})
	a.sessions, err = session.New(keys, a.users, session.Config{
		MaxSessions: -1,
		ClientIP:    func(r *http.Request) string { return r.Header.Get("X-Forwarded-For") },
	})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := nethttp.New(a.sessions, nethttp.Config{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}

	mux := http.NewServeMux()
	page := func(pattern string, body func(r *http.Request) string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			// Without an icon, Chromium asks for one, and may refresh the session at any time.
			fmt.Fprint(w, `<!doctype html><title>Test</title><link rel="icon" href="data:,">`, body(r))
		})
	}
	page("GET /login", func(*http.Request) string {
		return `<h1>Log in</h1><form method="post"><input name="user" value="ada"><button id="login">Log in</button></form>`
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := guard.Issue(w, r, session.Login{UserID: r.FormValue("user"), Epoch: 1}); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		if own, err := strconv.Atoi(r.FormValue("own")); err == nil && own > 0 {
			w.Header().Set("Content-Security-Policy", strings.Repeat("x", own))
		}
		http.Redirect(w, r, guard.ReturnTo(r, "/"), http.StatusSeeOther)
	})
	page("GET /", func(*http.Request) string { return `<h1>Home</h1>` })
	page("GET /account", func(r *http.Request) string {
		s, _ := session.FromContext(r.Context())
		return `<h1>Account</h1><p id="user">` + html.EscapeString(s.UserID) + `</p>
			<form method="post" action="account"><button id="save">Save</button></form>
			<form method="post" action="logout"><button id="logout">Log out</button></form>`
	})
	page("POST /account", func(*http.Request) string { return `<h1>Saved</h1>` })
	page("GET /upload", func(*http.Request) string {
		return `<h1>Upload</h1><form method="post" action="upload" enctype="multipart/form-data">
			<input type="file" name="file" id="file"><button id="send">Send</button></form>`
	})
	page("POST /upload", func(r *http.Request) string {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return `<h1>Lost</h1>`
		}
		return fmt.Sprintf(`<h1>Received %d MB</h1>`, n>>20)
	})
	mux.HandleFunc("POST /logout", guard.Logout)
	a.handler = guard.Protect(mux)
	return a
}

// sized returns a user whose one attribute has n letters.
func (a *app) sized(n int) (user string) {
	user = fmt.Sprint("u", n)
	a.users.SetUser(user, store.User{Epoch: 1, Attrs: map[string]string{"a": strings.Repeat("x", n)}})
	return user
}

// endSessions ends all of ada's sessions, as another device of hers can.
func (a *app) endSessions() {
	a.Helper()
	if err := a.sessions.RevokeUser(context.Background(), "ada"); err != nil {
		a.Fatal(err)
	}
}

// newServer returns a server of the app with the limits that the README advises.
func (a *app) newServer() *http.Server {
	return &http.Server{Handler: a.handler, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10}
}

// serve serves the app on plain HTTP, for a proxy, and returns its address. It ends with
// the test.
func (a *app) serve() string {
	a.Helper()
	return a.start(a.newServer(), (*http.Server).Serve)
}

// serveTLS serves the app to browsers without a proxy, and returns its URL.
func (a *app) serveTLS(http2 bool) string {
	a.Helper()
	server := a.newServer()
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.Protocols = &http.Protocols{}
	server.Protocols.SetHTTP1(!http2)
	server.Protocols.SetHTTP2(http2)
	return "https://" + a.start(server, func(s *http.Server, l net.Listener) error { return s.ServeTLS(l, "", "") })
}

func (a *app) start(server *http.Server, serve func(*http.Server, net.Listener) error) (addr string) {
	a.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		a.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(server, listener) }()
	a.Cleanup(func() {
		server.Close()
		if err := <-ended; err != http.ErrServerClosed {
			a.Errorf("the server ended: %v", err)
		}
	})
	return listener.Addr().String()
}
