//go:build !race

package middleware_test

import (
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// What a request allocates is asserted to the number: it is the same on every
// machine, and it is what time goes after. Not under the race detector, which
// makes sync.Pool forget: make test runs this apart.
func TestARequestOnAGoodAccessCookieAllocates(t *testing.T) {
	page := func(c echo.Context) error {
		s, _ := session.FromContext(c.Request().Context())
		if !s.HasRole("reader") {
			return echo.ErrForbidden
		}
		return c.NoContent(http.StatusOK)
	}
	for _, c := range []struct {
		name  string
		roles []string
		attrs map[string]string
		// mounted is how the page is guarded; more is what that costs beyond a
		// middleware that does nothing.
		mounted func(e *echo.Echo, g *middleware.Guard)
		seen    float64 // by this node before
		unseen  float64 // opened by its key
	}{
		{"with three roles", []string{"writer", "reader", "editor"}, nil, protected(page), 1, 17},
		{"with one role", []string{"reader"}, nil, protected(page), 1, 17},
		{"with more roles than fit", []string{"a", "b", "c", "d", "reader"}, nil, protected(page), 2, 19},
		{"that a handler does not ask about", []string{"reader"}, map[string]string{"name": "Ada"},
			protected(func(c echo.Context) error { return c.NoContent(http.StatusOK) }), 1, 19},
	} {
		t.Run(c.name, func(t *testing.T) {
			users := session.NewMemoryStore()
			users.SetUser("01K5Q8ZT4X9M7WV3B2RC000000", session.User{Roles: c.roles, Attrs: c.attrs})
			keys, err := session.ParseKeys(testKey)
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
			if got := allocations(t, e, r, func() {}) - nothing; got != c.seen {
				t.Errorf("%v allocations for a cookie that was seen before; want %v", got, c.seen)
			}
			// New keys have opened nothing yet. Making them is not counted.
			forget := func() {
				if err := sessions.SetKeys(keys); err != nil {
					t.Error(err)
				}
			}
			making := testing.AllocsPerRun(100, forget)
			if got := allocations(t, e, r, forget) - making - nothing; got != c.unseen {
				t.Errorf("%v allocations for a cookie that was not seen before; want %v", got, c.unseen)
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

// discard is an answer that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// allocations counts those of one request, and of what is done before it.
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
