package nethttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

// deadlineWriter is a server's writer whose read deadline ends the reads of a sender.
type deadlineWriter struct {
	*httptest.ResponseRecorder
	ended chan struct{}
}

func (w *deadlineWriter) SetReadDeadline(t time.Time) error {
	if !t.After(time.Now()) {
		close(w.ended)
	}
	return nil
}

// sender is the body of a request.
type sender struct {
	left, read int64
	hangs      <-chan struct{} // after the last byte, until it is closed; nil: never
}

func (s *sender) Read(p []byte) (int, error) {
	if s.left == 0 && s.hangs != nil {
		<-s.hangs
		return 0, errors.New("the deadline has passed")
	}
	if s.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), s.left)
	s.left -= n
	s.read += n
	return int(n), nil
}

func (s *sender) Close() error { return nil }

// The body of a refused request is read within two limits, so that the browser sees the
// answer.
func TestGuard_ReadsTheBodyOfARefusedRequest(t *testing.T) {
	const mb = 1 << 20
	for name, c := range map[string]struct {
		path   string
		size   int64
		change func(r *http.Request, w *deadlineWriter) http.ResponseWriter
		status int
		read   int64
	}{
		"not logged in":                     {"/account", 20 * mb, nil, 303, 20 * mb},
		"as much as is read":                {"/account", 32 * mb, nil, 303, 32 * mb},
		"too long, as its header says":      {"/account", 32*mb + 1, nil, 303, 0},
		"too long, and the header does not": {"/account", 40 * mb, func(r *http.Request, w *deadlineWriter) http.ResponseWriter { r.ContentLength = -1; return w }, 303, 32 * mb},
		"another site": {"/account", mb, func(r *http.Request, w *deadlineWriter) http.ResponseWriter {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			return w
		}, 403, 0},
		"a client that waits": {"/account", mb, func(r *http.Request, w *deadlineWriter) http.ResponseWriter {
			r.Header.Set("Expect", "100-continue")
			return w
		}, 303, 0},
		"HTTP/2, where the answer may come first": {"/account", mb, func(r *http.Request, w *deadlineWriter) http.ResponseWriter {
			r.ProtoMajor, r.ProtoMinor = 2, 0
			return w
		}, 303, 0},
		"a writer without a deadline": {"/account", mb, func(_ *http.Request, w *deadlineWriter) http.ResponseWriter { return w.ResponseRecorder }, 303, 0},
		"a writer behind another": {"/account", mb, func(_ *http.Request, w *deadlineWriter) http.ResponseWriter {
			return wrapped{ResponseWriter: w}
		}, 303, mb},
		"a public page": {"/", mb, nil, 200, 0},
	} {
		inApp(t, nethttp.Config{}, func(a *app) {
			body := &sender{left: c.size}
			r := httptest.NewRequest("POST", "https://app.test"+c.path, body)
			r.ContentLength = c.size
			for k, v := range pageLoad {
				r.Header.Set(k, v)
			}
			w := &deadlineWriter{httptest.NewRecorder(), make(chan struct{})}
			var used http.ResponseWriter = w
			if c.change != nil {
				used = c.change(r, w)
			}
			a.handler.ServeHTTP(used, r)
			if w.Code != c.status || body.read != c.read {
				a.Errorf("%s: %d after %d bytes; want %d after %d", name, w.Code, body.read, c.status, c.read)
			}
		})
	}
}

type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestGuard_ReadsARefusedBodyForHalfAMinute(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		w := &deadlineWriter{httptest.NewRecorder(), make(chan struct{})}
		r := httptest.NewRequest("POST", "https://app.test/account", &sender{left: 1000, hangs: w.ended})
		r.ContentLength = 2000
		begin := time.Now()
		a.handler.ServeHTTP(w, r)
		if took := time.Since(begin); w.Code != 401 || took != 30*time.Second {
			a.Errorf("a body that does not end: %d after %v; want 401 after 30 s", w.Code, took)
		}
		// A fast one leaves no timer: the deadline would hit the connection's next request.
		w = &deadlineWriter{httptest.NewRecorder(), make(chan struct{})}
		a.handler.ServeHTTP(w, httptest.NewRequest("POST", "https://app.test/account", &sender{left: 1000}))
		time.Sleep(time.Minute)
		select {
		case <-w.ended:
			a.Error("the read deadline was set after the answer")
		default:
		}
	})
}

// A server that limits the time for its answers must still be able to write this one.
func TestGuard_ReadsARefusedBodyForHalfOfTheServersWriteTimeout(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{10 * time.Second: 5 * time.Second, 5 * time.Minute: 30 * time.Second, 0: 30 * time.Second} {
		inApp(t, nethttp.Config{}, func(a *app) {
			w := &deadlineWriter{httptest.NewRecorder(), make(chan struct{})}
			r := httptest.NewRequest("POST", "https://app.test/account", &sender{left: 1000, hangs: w.ended})
			r = r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, &http.Server{WriteTimeout: timeout}))
			r.ContentLength = 2000
			begin := time.Now()
			a.handler.ServeHTTP(w, r)
			if took := time.Since(begin); w.Code != 401 || took != want {
				a.Errorf("with a WriteTimeout of %v: %d after %v; want 401 after %v", timeout, w.Code, took, want)
			}
		})
	}
}

// On a real connection a client that sends everything before it reads gets the answer.
func TestGuard_ClientThatSendsFirstGetsTheRefusal(t *testing.T) {
	guard, err := nethttp.New(guardtest.NewWorld(t).Sessions, nethttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(guard.Protect(http.NotFoundHandler()))
	defer server.Close()
	const size = 20 << 20
	for _, version := range []string{"1.0", "1.1"} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(conn, io.MultiReader(
			strings.NewReader(fmt.Sprintf("POST /account HTTP/%s\r\nHost: app.test\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", version, size)),
			io.LimitReader(zeros{}, size)))
		if err != nil {
			t.Errorf("HTTP/%s: the upload was cut off: %v", version, err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.Contains(string(answer), "303 See Other") {
			t.Errorf("HTTP/%s: %v: %.200q; want the redirect", version, err, answer)
		}
		conn.Close()
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
