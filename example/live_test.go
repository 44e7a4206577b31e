package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	sessionmw "github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// pipes is a listener without a network, for bubbles: waiting on one is a wait
// that synctest knows.
type pipes struct {
	dialled chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialled:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.dialled <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// liveApp is the part of the app that a stream needs, behind the app's real
// server, in a bubble.
type liveApp struct {
	*app
	t      *testing.T
	store  *session.MemoryStore
	stop   func()       // as a signal does
	client *http.Client // of one browser
	base   string
}

// inLiveApp runs f in a bubble, where time is quick, over HTTP/1.1 and HTTP/2.
func inLiveApp(t *testing.T, f func(t *testing.T, a *liveApp)) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			certificate, err := selfSigned("localhost")
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { f(t, newLiveApp(t, scheme, certificate)) })
		})
	}
}

func newLiveApp(t *testing.T, scheme string, certificate tls.Certificate) *liveApp {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	keys, err := session.ParseKeys(session.GenerateKey())
	must(err)
	store := session.NewMemoryStore()
	store.SetUser("1", session.User{Epoch: 1})
	sessions, err := session.New(keys, store, session.Config{DangerouslyAllowHTTP: scheme == "http"})
	must(err)
	guard, err := sessionmw.New(sessions, sessionmw.Config{Answer: answerRefusal})
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	a := &app{sessions: sessions, guard: guard, costs: newCostLog(), stopping: ctx.Done()}

	e := echo.New()
	e.HTTPErrorHandler = handleError
	e.Use(a.measure, guard.Protect)
	e.GET(livePath, a.live)
	e.GET("/page/:name", func(c echo.Context) error { return c.String(200, "a page") })
	e.GET("/login", func(c echo.Context) error {
		if err := guard.Issue(c, session.Login{UserID: "1"}); err != nil {
			return err
		}
		return c.String(200, "in")
	})

	listener := &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})}
	server := newServer(e)
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	served := make(chan error, 1)
	go func() {
		if scheme == "http" {
			served <- server.Serve(listener)
			return
		}
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, Time: notNow}
		served <- server.ServeTLS(listener, "", "")
	}()
	jar, err := cookiejar.New(nil)
	must(err)
	transport := &http.Transport{
		DialContext:       listener.dial,
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // made on the spot
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	l := &liveApp{app: a, t: t, store: store, stop: cancel, base: scheme + "://localhost",
		client: &http.Client{Transport: transport, Jar: jar}}
	l.get("/login")
	return l
}

// notNow is any time at which the certificate, which was not made in the bubble,
// is good.
func notNow() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) }

func (a *liveApp) get(path string) {
	a.t.Helper()
	response, err := a.client.Get(a.base + path)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != 200 {
		a.t.Fatalf("%s: %d, %v", path, response.StatusCode, err)
	}
}

// follow opens a stream. Its lines come from the channel, which is closed at its end.
func (a *liveApp) follow(path string) (lines <-chan string, leave func()) {
	a.t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	a.t.Cleanup(leave)
	r, err := http.NewRequestWithContext(ctx, "GET", a.base+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	response, err := a.client.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); response.StatusCode != 200 || kind != "text/event-stream" {
		a.t.Fatalf("%d, %s; want a stream", response.StatusCode, kind)
	}
	if want := map[string]int{"http": 1, "https": 2}[r.URL.Scheme]; response.ProtoMajor != want {
		a.t.Fatalf("it is %s: this tests nothing new", response.Proto)
	}
	if cache := response.Header.Get("Cache-Control"); cache != "no-store" {
		a.t.Errorf("Cache-Control is %q", cache)
	}
	found := make(chan string, 10_000) // more than any stream here says
	go func() {
		defer close(found)
		defer response.Body.Close()
		for scan := bufio.NewScanner(response.Body); scan.Scan(); {
			if scan.Text() != "" {
				found <- scan.Text()
			}
		}
	}()
	return found, leave
}

// now returns what a stream has said by now, and whether it is over.
func now(lines <-chan string) (said string, over bool) {
	synctest.Wait()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				return said, true
			}
			said += line + "\n"
		default:
			return said, false
		}
	}
}

func TestTheLiveLogTellsOfRequestsAsTheyHappen(t *testing.T) {
	inLiveApp(t, func(t *testing.T, a *liveApp) {
		a.get("/page/before")
		lines, _ := a.follow("/live?after=0")
		said, _ := now(lines)
		if strings.Count(said, "data: ") != 2 || !strings.Contains(said, `"path":"/login"`) || !strings.Contains(said, `"path":"/page/before"`) {
			t.Fatalf("to one who knows nothing it said:\n%s", said)
		}
		a.get("/page/one%0Adata:%20evil")
		said, _ = now(lines)
		if strings.Count(said, "\n") != 2 ||
			!strings.Contains(said, `{"method":"GET","path":"/page/one\ndata: evil","statements":0,"at":"2000-01-01T00:00:00Z"}`) {
			t.Errorf("after a request it said:\n%s", said)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(said, "id: "), "\n")

		// Somebody who comes back is told what was missed, and nothing else: not
		// of the streams, nor of another session's requests.
		again, leave := a.follow("/live?after=" + id)
		leave()
		now(again)
		a.get("/page/missed")
		again, _ = a.follow("/live?after=" + id)
		if said, _ = now(again); strings.Count(said, "data: ") != 1 || !strings.Contains(said, "/page/missed") {
			t.Errorf("on coming back it said:\n%s", said)
		}
		if said, _ = now(lines); strings.Count(said, "data: ") != 1 || !strings.Contains(said, "/page/missed") {
			t.Errorf("to the first it said:\n%s", said)
		}
	})
}

func TestTheLiveLogOutlastsTheServersTimeouts(t *testing.T) {
	inLiveApp(t, func(t *testing.T, a *liveApp) {
		lines, _ := a.follow("/live")
		now(lines)
		time.Sleep(10*time.Minute + time.Second) // the bubble's clock, not the test's
		said, over := now(lines)
		if n := strings.Count(said, ": still here\n"); over || n != 40 {
			t.Fatalf("after ten minutes it had said %d times that it was there; want 40; over: %t", n, over)
		}
		a.get("/page/late")
		if said, _ := now(lines); !strings.Contains(said, "/page/late") {
			t.Errorf("it said:\n%s", said)
		}
	})
}

func TestTheLiveLogEndsWithTheSession(t *testing.T) {
	ends := map[string]func(a *liveApp) error{
		"it is revoked here": func(a *liveApp) error { return a.sessions.RevokeUser(context.Background(), "1") },
		"the user is banned by the app's own SQL": func(a *liveApp) error {
			a.store.SetUser("1", session.User{Epoch: 1, Disabled: true})
			time.Sleep(2 * time.Minute) // an access cookie's life
			return nil
		},
		"its time is over": func(a *liveApp) error { time.Sleep(12 * time.Hour); return nil },
	}
	for why, end := range ends {
		t.Run(why, func(t *testing.T) {
			inLiveApp(t, func(t *testing.T, a *liveApp) {
				lines, _ := a.follow("/live")
				said, over := now(lines)
				if over || strings.Contains(said, "ended") {
					t.Fatalf("at once it said:\n%s", said)
				}
				if err := end(a); err != nil {
					t.Fatal(err)
				}
				said, over = now(lines)
				if !over || !strings.HasSuffix(said, "event: ended\ndata: the session is over\n") {
					t.Errorf("over: %t; its last words were:\n%s", over, said[max(0, len(said)-100):])
				}
				if n := len(a.costs.watchers); n != 0 {
					t.Errorf("%d sessions are still watched", n)
				}
			})
		})
	}
}

func TestTheLiveLogEndsWithTheServerOrTheClient(t *testing.T) {
	inLiveApp(t, func(t *testing.T, a *liveApp) {
		stays, _ := a.follow("/live")
		goes, leave := a.follow("/live")
		leave()
		if _, over := now(goes); !over {
			t.Error("the stream goes on without its client")
		}
		for id, all := range a.costs.watchers {
			if len(all) != 1 {
				t.Errorf("session %s has %d watchers; want the one that stayed", id, len(all))
			}
		}
		a.stop()
		said, over := now(stays)
		if !over || strings.Contains(said, "ended") {
			t.Errorf("when the server stopped: over %t; it said:\n%s", over, said)
		}
		if n := len(a.costs.watchers); n != 0 {
			t.Errorf("%d sessions are still watched", n)
		}
	})
}

func TestASessionHasABoundedNumberOfStreams(t *testing.T) {
	inLiveApp(t, func(t *testing.T, a *liveApp) {
		for range watchersPerSession {
			a.follow("/live")
		}
		response, err := a.client.Get(a.base + "/live")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusTooManyRequests {
			t.Errorf("one more: %d; want 429", response.StatusCode)
		}
	})
}

// A client that does not read must hold up nobody, and no memory.
func TestAClientThatDoesNotReadLosesItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newLiveApp(t, "http", tls.Certificate{})
		conn, err := a.client.Transport.(*http.Transport).DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		r, err := http.NewRequest("GET", a.base+"/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, cookie := range a.client.Jar.Cookies(r.URL) {
			r.AddCookie(cookie)
		}
		if err := r.Write(conn); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(a.costs.watchers) != 1 {
			t.Fatal("there is no stream")
		}
		for i := range 100 {
			a.get(fmt.Sprint("/page/", i))
		}
		time.Sleep(sendFor + time.Second)
		synctest.Wait()
		if n := len(a.costs.watchers); n != 0 {
			t.Error("the stream waits for ever")
		}
	})
}

func TestTheLiveLogIsForUsersOnly(t *testing.T) {
	a, server := testServer(t)
	b := newBrowser(t, server)
	b.get("/live").leadsTo(t, "/login?next=%2Flive")
	response, err := http.Get(server.URL + "/live")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("to a program: %d; want 401", response.StatusCode)
	}
	b.login(ada, adaPassword)
	page := b.get("/")
	page.shows(t, 200, `data-live="/live?after=`, `aria-live="polite"`, "POST /login")
	if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "connect-src 'self'") {
		t.Errorf("the page may not connect: %s", csp)
	}
	if n := len(a.costs.watchers); n != 0 {
		t.Errorf("%d sessions are watched", n)
	}
}
