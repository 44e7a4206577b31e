package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// app is an echo app as a user writes it, on a store that counts and fails as told.
type app struct {
	*testing.T
	echo     *echo.Echo
	guard    *middleware.Guard
	sessions *session.Manager
	users    *session.MemoryStore
	store    *countingStore
	log      *eventLog
}

// eventLog is what an operator reads, and how many events it tells of.
type eventLog struct {
	mu     sync.Mutex // guards what follows
	text   bytes.Buffer
	events int
}

func (l *eventLog) onEvent() func(session.Event) {
	log := session.LogEvents(slog.New(slog.NewTextHandler(&l.text, &slog.HandlerOptions{Level: slog.LevelDebug})))
	return func(e session.Event) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.events++
		log(e)
	}
}

func (l *eventLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

type countingStore struct {
	session.Store
	n    atomic.Int64
	down atomic.Bool
	says error // while it is down
}

var errDown = errors.New("connection refused")

func (s *countingStore) step() error {
	s.n.Add(1)
	if s.down.Load() {
		return s.says
	}
	return nil
}

func (s *countingStore) Find(ctx context.Context, id session.ID) (session.Snapshot, error) {
	if id.IsZero() { // the Manager's probe, on behalf of no request
		if s.down.Load() {
			return session.Snapshot{}, s.says
		}
		return s.Store.Find(ctx, id)
	}
	if err := s.step(); err != nil {
		return session.Snapshot{}, err
	}
	return s.Store.Find(ctx, id)
}

func (s *countingStore) Create(ctx context.Context, n session.NewSession) error {
	if err := s.step(); err != nil {
		return err
	}
	return s.Store.Create(ctx, n)
}

func (s *countingStore) Confirm(ctx context.Context, p session.Presented) (bool, error) {
	if err := s.step(); err != nil {
		return false, err
	}
	return s.Store.Confirm(ctx, p)
}

func (s *countingStore) RevokeReused(ctx context.Context, p session.Presented) (bool, error) {
	if err := s.step(); err != nil {
		return false, err
	}
	return s.Store.RevokeReused(ctx, p)
}

func (s *countingStore) List(ctx context.Context, userID string) ([]session.Record, error) {
	if err := s.step(); err != nil {
		return nil, err
	}
	return s.Store.List(ctx, userID)
}

func (s *countingStore) Revoke(ctx context.Context, id session.ID, userID string, reason session.Reason) (bool, error) {
	if err := s.step(); err != nil {
		return false, err
	}
	return s.Store.Revoke(ctx, id, userID, reason)
}

const testKey = "b3Xr1vGmU0n1n0kqYw0m6j5l9g1s5o9yJ8y0kXo0Zkc="

// inApp runs a test of an app in a bubble of its own time. Routes that a test
// adds are protected like all others.
func inApp(t *testing.T, cfg middleware.Config, test func(a *app)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(3 * time.Second) // a probe of the store may still be waiting
		a := &app{T: t, echo: echo.New(), users: session.NewMemoryStore(), log: &eventLog{}}
		a.users.SetUser("ada", session.User{Roles: []string{"staff"}})
		a.users.SetUser("grace", session.User{Roles: []string{"admin"}})
		a.store = &countingStore{Store: a.users, says: errDown}
		keys, err := session.ParseKeys(testKey)
		if err != nil {
			t.Fatal(err)
		}
		if a.sessions, err = session.New(keys, a.store, session.Config{OnEvent: a.log.onEvent()}); err != nil {
			t.Fatal(err)
		}
		if cfg.Public == nil {
			cfg.Public = []string{"/", "/static*"}
		}
		if a.guard, err = middleware.New(a.sessions, cfg); err != nil {
			t.Fatal(err)
		}
		e := a.echo
		e.Use(echomw.Recover(), a.guard.Protect)
		e.GET("/login", who)
		e.POST("/login", func(c echo.Context) error {
			if err := a.guard.Issue(c, session.Login{UserID: c.FormValue("user")}); err != nil {
				return err
			}
			return c.Redirect(http.StatusSeeOther, a.guard.ReturnTo(c, "/account"))
		})
		e.Any("/logout", a.guard.Logout)
		e.GET("/", who)
		e.GET("/static/*", who)
		e.Any("/account", who)
		e.GET("/admin", who, a.guard.RequireRole("admin", "root"))
		e.GET("/password", who, a.guard.RequireRecentLogin(5*time.Minute))
		test(a)
	})
}

// who answers with the user that the handler sees.
func who(c echo.Context) error {
	s, ok := session.FromContext(c.Request().Context())
	if !ok {
		return c.String(http.StatusOK, "nobody")
	}
	return c.String(http.StatusOK, s.UserID)
}

// client keeps cookies, and asks like a page load, htmx, or a program.
type client struct {
	app     *app
	jar     map[string]string
	headers map[string]string
}

var (
	pageLoad = map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"}
	fetch    = map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
	viaHTMX  = map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "HX-Request": "true", "HX-Current-URL": "https://app.test/here?p=1"}
)

func (a *app) client(headers map[string]string) *client {
	return &client{app: a, jar: map[string]string{}, headers: headers}
}

// do makes a request, with more headers by name and value.
func (c *client) do(method, target, body string, more ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://app.test"+target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", echo.MIMEApplicationForm)
	}
	for name, value := range c.headers {
		r.Header.Set(name, value)
	}
	for i := 0; i < len(more); i += 2 {
		r.Header.Set(more[i], more[i+1])
	}
	for name, value := range c.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	c.app.echo.ServeHTTP(rec, r)
	for _, cookie := range rec.Result().Cookies() {
		if cookie.MaxAge < 0 || cookie.Value == "" {
			delete(c.jar, cookie.Name)
		} else {
			c.jar[cookie.Name] = cookie.Value
		}
	}
	return rec
}

func (c *client) login(user string) *client {
	c.app.Helper()
	if rec := c.do("POST", "/login", "user="+user); rec.Code != http.StatusSeeOther || len(c.jar) != 2 {
		c.app.Fatalf("login: %d, cookies %v", rec.Code, c.jar)
	}
	return c
}

// as returns a client with the same cookies that asks in another way.
func (c *client) as(headers map[string]string) *client {
	twin := c.app.client(headers)
	for name, value := range c.jar {
		twin.jar[name] = value
	}
	return twin
}

func (a *app) expire() { time.Sleep(2 * time.Minute) }
