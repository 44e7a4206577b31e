//go:build !race

package middleware_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// The number of allocations is the same on every machine, and most of a request's time
// depends on it. The race detector makes sync.Pool drop values, so make test runs this
// test separately.
func TestGuard_GoodAccessCookieAllocatesAFixedNumber(t *testing.T) {
	page := func(c echo.Context) error {
		s, _ := session.FromContext(c.Request().Context())
		if !s.HasRole("reader") {
			return echo.ErrForbidden
		}
		return c.NoContent(http.StatusOK)
	}
	for _, c := range []struct {
		name    string
		roles   []string
		attrs   map[string]string
		mounted func(e *echo.Echo, g *middleware.Guard)
		cached  float64 // allocations, beyond those of an empty middleware, if the ticket is cached
		opened  float64 // the same, if the ticket must be decrypted
	}{
		{"with three roles", []string{"writer", "reader", "editor"}, nil, protected(page), 1, 17},
		{"with one role", []string{"reader"}, nil, protected(page), 1, 17},
		{"with more roles than fit", []string{"a", "b", "c", "d", "reader"}, nil, protected(page), 2, 19},
		{"with roles that the handler does not read", []string{"reader"}, map[string]string{"name": "Ada"},
			protected(func(c echo.Context) error { return c.NoContent(http.StatusOK) }), 1, 19},
		// Echo allocates for each middleware of a route. What a guard asks for adds nothing.
		{"behind guards that ask for roles and a recent login", []string{"reader"}, nil, func(e *echo.Echo, g *middleware.Guard) {
			reader := g.RequireRole("reader")
			e.Use(g.Protect)
			e.GET("/", page, reader, reader, reader, g.RequireRecentLogin(time.Hour))
		}, 5, 21},
	} {
		t.Run(c.name, func(t *testing.T) {
			users := store.NewMemory()
			users.SetUser("01K5Q8ZT4X9M7WV3B2RC000000", store.User{Roles: c.roles, Attrs: c.attrs})
			keys, err := session.ParseKeys(guardtest.Key)
			if err != nil {
				t.Fatal(err)
			}
			sessions, err := session.New(keys, users, session.Config{})
			if err != nil {
				t.Fatal(err)
			}
			guard, err := middleware.New(sessions, middleware.Config{})
			if err != nil {
				t.Fatal(err)
			}
			v, err := sessions.Issue(newRequest(nil), session.Login{UserID: "01K5Q8ZT4X9M7WV3B2RC000000"})
			if err != nil {
				t.Fatal(err)
			}
			r := newRequest(v.Cookies)

			e := echo.New()
			e.Use(func(next echo.HandlerFunc) echo.HandlerFunc { return func(c echo.Context) error { return next(c) } })
			e.GET("/", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
			nothing := allocations(t, e, r, func() {})

			e = echo.New()
			c.mounted(e, guard)
			if got := allocations(t, e, r, func() {}) - nothing; got != c.cached {
				t.Errorf("%v allocations for a cached ticket; want %v", got, c.cached)
			}
			// SetKeys empties the ticket cache. Its own allocations are subtracted.
			forget := func() {
				if err := sessions.SetKeys(keys); err != nil {
					t.Error(err)
				}
			}
			making := testing.AllocsPerRun(100, forget)
			if got := allocations(t, e, r, forget) - making - nothing; got != c.opened {
				t.Errorf("%v allocations for a ticket that is not cached; want %v", got, c.opened)
			}
		})
	}
}

func protected(page echo.HandlerFunc) func(*echo.Echo, *middleware.Guard) {
	return func(e *echo.Echo, g *middleware.Guard) {
		e.Use(g.Protect)
		e.GET("/", page)
	}
}

func newRequest(cookies []*http.Cookie) *http.Request {
	r, err := http.NewRequest(http.MethodGet, "https://app.test/", nil)
	if err != nil {
		panic(err)
	}
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

// discard is a ResponseWriter that keeps no body.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// allocations counts those of one request and of the function before it.
func allocations(t *testing.T, e *echo.Echo, r *http.Request, before func()) float64 {
	t.Helper()
	answer := &discard{header: http.Header{}}
	n := testing.AllocsPerRun(100, func() {
		before()
		clear(answer.header)
		e.ServeHTTP(answer, r)
	})
	if answer.status != http.StatusOK {
		t.Fatalf("status %d", answer.status)
	}
	return n
}
