package nethttp_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// beginnings are the ways in which a handler can send the header of an answer.
var beginnings = map[string]func(w http.ResponseWriter, r *http.Request) error{
	"nothing":           func(http.ResponseWriter, *http.Request) error { return nil },
	"Write":             func(w http.ResponseWriter, _ *http.Request) error { _, err := w.Write([]byte("x")); return err },
	"WriteHeader, 200":  func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusOK); return nil },
	"WriteHeader, 404":  func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusNotFound); return nil },
	"WriteHeader twice": func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(200); w.WriteHeader(500); return nil },
	"Flush":             func(w http.ResponseWriter, _ *http.Request) error { w.(http.Flusher).Flush(); return nil },
	"FlushError":        func(w http.ResponseWriter, _ *http.Request) error { return http.NewResponseController(w).Flush() },
	"io.Copy": func(w http.ResponseWriter, _ *http.Request) error {
		_, err := io.Copy(w, io.LimitReader(strings.NewReader("xyz"), 2))
		return err
	},
	"ReadFrom": func(w http.ResponseWriter, _ *http.Request) error {
		_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("x"))
		return err
	},
	"ServeContent": func(w http.ResponseWriter, r *http.Request) error {
		http.ServeContent(w, r, "page.txt", time.Unix(1, 0), strings.NewReader("a page"))
		return nil
	},
	"http.Error": func(w http.ResponseWriter, _ *http.Request) error { http.Error(w, "x", 500); return nil },
	"switching protocols": func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Upgrade", "x")
		w.WriteHeader(http.StatusSwitchingProtocols)
		return nil
	},
	"early hints first": func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Cache-Control", "public") // between the hints and the answer
		w.Header().Del("Vary")
		w.WriteHeader(http.StatusOK)
		return nil
	},
	"early hints late": func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		w.WriteHeader(http.StatusEarlyHints)
		return nil
	},
}

// The handler lets caches keep its answer. The guard prevents it, however the handler
// writes, if the answer sets cookies.
func TestGuard_AnswersWithCookiesAreNeverCached(t *testing.T) {
	for name, begin := range beginnings {
		inApp(t, nethttp.Config{}, func(a *app) {
			a.handle("GET /page", func(w http.ResponseWriter, r *http.Request) {
				h := w.Header()
				h.Set("Cache-Control", "public, max-age=3600")
				h.Set("CDN-Cache-Control", "public")
				h.Set("Vary", "Accept")
				if err := begin(w, r); err != nil {
					a.Errorf("%s: %v", name, err)
				}
			})
			b := a.client(fetch).LogIn("ada")
			expire()
			for _, answer := range b.SendRaw("GET", "/page", "") {
				if answer.Status == http.StatusEarlyHints && len(answer.Values("Set-Cookie")) == 0 {
					continue
				}
				cookies, cache, vary := len(answer.Values("Set-Cookie")), answer.Values("Cache-Control"), strings.Join(answer.Values("Vary"), ", ")
				if cookies != 2 || !slices.Equal(cache, []string{"no-store"}) || !strings.Contains(vary, "Cookie") || len(answer.Values("CDN-Cache-Control")) != 0 {
					a.Errorf("%s: %d with %d cookies:\n%s", name, answer.Status, cookies, strings.Join(answer.Header, "\n"))
				}
			}
		})
	}
}

// A middleware outside the guard that logs the header logs what the client got, also
// if the session ends after the first byte.
func TestGuard_LeavesTheHeaderAloneAfterTheFirstByte(t *testing.T) {
	for name, begin := range beginnings {
		if name == "nothing" {
			continue // the answer has not begun
		}
		inApp(t, nethttp.Config{}, func(a *app) {
			a.handle("GET /page", func(w http.ResponseWriter, r *http.Request) {
				if err := begin(w, r); err != nil {
					a.Errorf("%s: %v", name, err)
				}
				if err := a.Sessions.RevokeUser(a.Context(), "ada"); err != nil {
					a.Error(err)
				}
				_, _ = w.Write([]byte("y"))
			})
			b := a.client(fetch).LogIn("ada")
			expire()
			rec := b.Send("GET", "/page", "")
			sent, logged := rec.Result().Header["Set-Cookie"], rec.Header()["Set-Cookie"]
			if len(sent) != 2 || !slices.Equal(logged, sent) {
				a.Errorf("%s: %d cookies were sent, and the header has %d afterwards: %q", name, len(sent), len(logged), logged)
			}
		})
	}
}

// The session ends, or is replaced, while the handler runs. The answer then sets no
// cookie that would bring it back.
func TestGuard_LateAnswerBringsNoEndedSessionBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		during func(a *app)
		want   string
	}{
		{"at once", func(*app) {}, "set"},
		{"after 30 s", func(*app) { time.Sleep(30 * time.Second) }, "set"},
		{"after more than 30 s", func(*app) { time.Sleep(31 * time.Second) }, "access"},
		{"after a revocation", func(a *app) { _ = a.Sessions.RevokeUser(a.Context(), "ada") }, ""},
		{"after a revocation of all sessions", func(a *app) { _ = a.Sessions.RevokeAll(a.Context()) }, ""},
	} {
		for how, begin := range beginnings {
			inApp(t, nethttp.Config{}, func(a *app) {
				a.handle("GET /slow", func(w http.ResponseWriter, r *http.Request) {
					c.during(a)
					_ = begin(w, r)
				})
				b := a.client(pageLoad).LogIn("ada")
				expire()
				if got := cookiesOf(b.Send("GET", "/slow", "")); got != c.want {
					a.Errorf("%s, %s: cookies %q; want %q", c.name, how, got, c.want)
				}
			})
		}
	}
}

// Cookies that another guard, or the handler itself, has set are not the guard's to
// remove.
func TestGuard_LateAnswerKeepsTheCookiesOfOthers(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		other, err := nethttp.New(a.Sessions, nethttp.Config{})
		if err != nil {
			a.Fatal(err)
		}
		a.handle("POST /by-hand", func(w http.ResponseWriter, r *http.Request) {
			v, err := a.Sessions.Issue(r, session.Login{UserID: "ada"})
			if err != nil {
				a.Error(err)
				return
			}
			v.SetCookies(w)
			w.WriteHeader(http.StatusNoContent)
		})
		a.handle("POST /by-another", func(w http.ResponseWriter, r *http.Request) {
			if err := other.Issue(w, r, session.Login{UserID: "ada"}); err != nil {
				a.Error(err)
			}
			w.WriteHeader(http.StatusNoContent)
		})
		a.handle("POST /out", other.Logout)
		b := a.client(pageLoad)
		for _, c := range []struct{ path, want string }{{"/by-hand", "login"}, {"/by-another", "login"}, {"/out", "clear"}} {
			b.LogIn("ada")
			expire()
			if got := cookiesOf(b.Send("POST", c.path, "")); got != c.want {
				a.Errorf("%s: cookies %q; want %q", c.path, got, c.want)
			}
			if rec := b.Send("GET", "/account", ""); (rec.Code == http.StatusOK) != (c.want == "login") {
				a.Errorf("after %s: %d", c.path, rec.Code)
			}
		}
	})
}

// A request that was sent before a logout and a new login, and that arrives after
// them, takes no refresh cookie from the new session.
func TestGuard_LateRequestDeletesNoNewLogin(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		b := a.client(pageLoad).LogIn("ada")
		slow := b.As(pageLoad)
		time.Sleep(2 * time.Second)
		b.Send("POST", "/logout", "")
		b.LogIn("ada")
		time.Sleep(8 * time.Second)
		rec := slow.Send("POST", "/account", "")
		if rec.Code != http.StatusSeeOther || cookiesOf(rec) != "access" {
			a.Errorf("%d, cookies %q", rec.Code, cookiesOf(rec))
		}
		b.Receive(rec.Result().Cookies()) // it is the same browser
		if rec := b.Send("GET", "/account", ""); rec.Code != http.StatusOK || cookiesOf(rec) != "access" {
			a.Errorf("the new session: %d, cookies %q", rec.Code, cookiesOf(rec))
		}
	})
}

// A refusal deletes no refresh cookie, whatever the client and the route. Its access cookie
// names no session. It says that one session is over: until it expires, the requests of that
// session cost no statement. Next to the refresh cookie of a newer login it means nothing.
func TestRefusal_SparesTheStoreTheNextRequests(t *testing.T) {
	for name, end := range map[string]func(a *app, b *guardtest.Client){
		"revoked":           func(a *app, _ *guardtest.Client) { a.end() },
		"the user disabled": func(a *app, _ *guardtest.Client) { a.Users.SetUser("ada", store.User{Disabled: true}); expire() },
		"stolen":            func(_ *app, b *guardtest.Client) { refreshFor(b.As(pageLoad), 3) },
	} {
		for kind, headers := range kinds {
			for _, path := range []string{"/account", "/"} {
				inApp(t, nethttp.Config{}, func(a *app) {
					when := name + ", " + kind + " on " + path
					b := a.client(headers).LogIn("ada")
					refresh := b.Kept()[refreshName]
					end(a, b)
					// ask sends a request that must be refused, or shown a public page without a
					// session.
					ask := func(what, path, cookies string, statements int) {
						before := a.Store.Calls()
						rec := b.Send("GET", path, "")
						refused := rec.Code == http.StatusSeeOther || rec.Code == http.StatusUnauthorized || path == "/" && rec.Body.String() == "no session"
						if n := a.Store.Calls() - before; !refused || cookiesOf(rec) != cookies || n != statements {
							a.Errorf("%s: %s: %d %.20q, cookies %q, %d statements; want no session, %q, %d", when, what, rec.Code, rec.Body, cookiesOf(rec), n, cookies, statements)
						}
						if b.Kept()[refreshName] != refresh {
							a.Errorf("%s: %s: the refresh cookie is gone", when, what)
						}
						time.Sleep(2 * time.Second) // longer than the node itself remembers a refusal
					}
					first := 1
					if name == "stolen" {
						first = 2 // the second ends the session
					}
					ask("the first request", path, "access", first)
					ask("the next request", "/account", "", 0)
					ask("a public page", "/", "", 0)
					over := b.Kept()[accessName]
					expire()
					ask("after the access cookie", path, "access", 1)

					a.Users.SetUser("ada", store.User{Disabled: false})
					b.LogIn("ada")
					b.Plant(accessName, over) // a refusal that arrives after the login
					if rec := b.Send("GET", "/account", ""); rec.Code != http.StatusOK || rec.Body.String() != "ada" {
						a.Errorf("%s: the newer login: %d %q; want ada", when, rec.Code, rec.Body)
					}
					b.Plant(accessName, over)
					b.ForgetRefresh()
					if rec := b.Send("GET", "/", ""); rec.Body.String() != "no session" {
						a.Errorf("%s: the access cookie of the refusal alone is %q", when, rec.Body)
					}
				})
			}
		}
	}
}

// flushing is a connection whose flush returns an error.
type flushing struct {
	http.ResponseWriter
	err error
}

func (w flushing) FlushError() error { return w.err }

// unflushable is a writer without any Flush.
type unflushable struct{ http.ResponseWriter }

// A handler that streams learns from a flush that the client has disconnected, or
// that the writer below the guard cannot flush.
func TestGuard_ReturnsTheErrorOfAFlush(t *testing.T) {
	errGone := errors.New("the client has disconnected")
	for _, c := range []struct {
		name string
		over func(w http.ResponseWriter) http.ResponseWriter
		want error
	}{
		{"an open connection", func(w http.ResponseWriter) http.ResponseWriter { return w }, nil},
		{"a closed connection", func(w http.ResponseWriter) http.ResponseWriter { return flushing{w, errGone} }, errGone},
		{"a writer that cannot flush", func(w http.ResponseWriter) http.ResponseWriter { return unflushable{w} }, http.ErrNotSupported},
	} {
		inApp(t, nethttp.Config{}, func(a *app) {
			flushed := false
			a.handle("GET /stream", func(w http.ResponseWriter, _ *http.Request) {
				flushed = true
				if err := http.NewResponseController(w).Flush(); !errors.Is(err, c.want) {
					a.Errorf("%s: Flush returns %v; want %v", c.name, err, c.want)
				}
			})
			b := a.client(fetch).LogIn("ada")
			expire() // so that the answer sets cookies
			rec := httptest.NewRecorder()
			a.handler.ServeHTTP(c.over(rec), b.NewRequest("GET", "/stream", nil))
			if cookies := rec.Result().Cookies(); !flushed || len(cookies) != 2 {
				a.Errorf("%s: the handler ran: %v; cookies %v; want two", c.name, flushed, cookies)
			}
		})
	}
}

// A handler may take over the connection, through the writer or a controller.
func TestGuard_PassesHijackOn(t *testing.T) {
	for name, hijack := range map[string]func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error){
		"the writer": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) { return w.(http.Hijacker).Hijack() },
		"a controller": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			return http.NewResponseController(w).Hijack()
		},
	} {
		inApp(t, nethttp.Config{}, func(a *app) {
			const sent = "HTTP/1.1 200 OK\r\nX-Written: by hand\r\n\r\n"
			a.handle("GET /take", func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := hijack(w)
				if err != nil {
					a.Errorf("%s: %v", name, err)
					return
				}
				_, _ = io.WriteString(conn, sent)
				_ = conn.Close()
			})
			b := a.client(fetch).LogIn("ada")
			expire()
			if got := guardtest.Exchange(a, a.handler, b.Request("GET", "/take", "")); got != sent {
				a.Errorf("%s: the client gets %q", name, got)
			}
		})
	}
}
