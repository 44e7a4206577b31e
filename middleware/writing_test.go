package middleware_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/session"
)

// bare names the ways whose answers have no Cache-Control if they set no cookies: the
// handler removes it, or net/http does in an error. These answers hold nothing about a
// user.
var bare = map[string]bool{
	"no header at all": true, "ServeContent, no such range": true, "http.ServeFileFS, no such file": true,
}

// An answer with cookies has all of them and is not for caches: for each way in which a
// handler writes, with other middleware around it, and for each reason to set cookies.
func TestProtect_AnswersWithCookiesAreNeverCached(t *testing.T) {
	plain := echo.WrapMiddleware(func(h http.Handler) http.Handler { return h })
	dump := echomw.BodyDump(func(echo.Context, []byte, []byte) {})
	answers, withCookies := 0, 0
	for _, around := range []struct {
		name         string
		outer, inner []echo.MiddlewareFunc
	}{
		{"alone", nil, nil},
		{"gzip outside", []echo.MiddlewareFunc{echomw.Gzip()}, nil},
		{"gzip inside", nil, []echo.MiddlewareFunc{echomw.Gzip()}},
		{"a dump outside", []echo.MiddlewareFunc{dump}, nil},
		{"a dump inside", nil, []echo.MiddlewareFunc{dump}},
		{"net/http inside", nil, []echo.MiddlewareFunc{plain}},
	} {
		inApp(t, middleware.Config{}, func(a *app) {
			e := echo.New()
			e.Logger.SetOutput(io.Discard)
			e.Use(echomw.RecoverWithConfig(echomw.RecoverConfig{DisablePrintStack: true}))
			e.Use(around.outer...)
			e.Use(a.guard.Protect)
			e.Use(around.inner...)
			loggingIn := func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error {
					if c.QueryParam("login") != "" {
						if err := a.guard.Issue(c, session.Login{UserID: "ada"}); err != nil {
							return err
						}
					}
					return next(c)
				}
			}
			for i, way := range ways {
				ran := 0
				path := fmt.Sprint("/", i)
				e.Match([]string{"GET", "HEAD"}, path, func(c echo.Context) error {
					err := way.write(c)
					if _, ok := errors.AsType[*echo.HTTPError](err); err != nil && !ok {
						a.Errorf("%s, %s: %v", around.name, way.name, err)
					}
					ran++
					return err
				}, loggingIn)
				for _, why := range []struct {
					name, query string
					cookies     []string
				}{
					{"valid", "", nil},
					{"young", "", []string{accessName}},
					{"expired", "", []string{accessName, oddRefreshName}},
					{"login", "?login=1", []string{accessName, refreshName, oddRefreshName}},
				} {
					for _, method := range []string{"GET", "HEAD"} {
						b := a.client(pageLoad).LogIn("ada")
						switch why.name {
						case "young":
							b.ExpireAccess()
						case "expired":
							expire()
						}
						raw := guardtest.Exchange(a, e, b.Request(method, path+why.query, "", "Accept-Encoding: gzip"))
						when := around.name + ", " + way.name + ", " + why.name + ", " + method
						answers++
						switch {
						case way.sends == "nothing":
							if raw != "" {
								a.Errorf("%s: sent %.200q", when, raw)
							}
							continue
						case way.sends == "itself":
							if raw != "HTTP/1.1 200 OK\r\nX-Written: by hand\r\n\r\n" {
								a.Errorf("%s: sent %.200q", when, raw)
							}
							continue
						}
						all := guardtest.Parse(a, raw)
						for _, answer := range all {
							if notCached(a, when, answer) {
								withCookies++
							}
						}
						last := all[len(all)-1]
						if len(last.Values("Cache-Control")) == 0 && !bare[way.name] {
							a.Errorf("%s: %d without Cache-Control", when, last.Status)
						}
						var names []string
						for _, line := range last.Values("Set-Cookie") {
							if name, _, _ := strings.Cut(line, "="); name != "theirs" {
								names = append(names, name)
							}
						}
						if slices.Sort(names); !slices.Equal(names, slices.Sorted(slices.Values(why.cookies))) {
							a.Errorf("%s: cookies %v; want %v", when, names, why.cookies)
						}
					}
				}
				if ran != 8 && !strings.HasPrefix(way.name, "a panic") {
					a.Errorf("%s, %s: the handler returned %d times; want 8", around.name, way.name, ran)
				}
			}
		})
	}
	if withCookies < answers/2 {
		t.Errorf("%d of %d answers set cookies: too few to prove anything", withCookies, answers)
	}
	t.Logf("%d ways, %d arrangements of middleware, 4 states and 2 methods: %d answers, %d with cookies, each with no-store", len(ways), 6, answers, withCookies)
}

// notCached reports whether an answer sets the session's cookies. If so, the test fails
// if a cache may keep the answer.
func notCached(a *app, when string, answer guardtest.Answer) bool {
	a.Helper()
	if !slices.ContainsFunc(answer.Values("Set-Cookie"), func(line string) bool { return strings.HasPrefix(line, "__Host-Http-") }) {
		return false
	}
	if got := answer.Values("Cache-Control"); !slices.Equal(got, []string{"no-store"}) {
		a.Errorf("%s: %d with cookies, and Cache-Control %q", when, answer.Status, got)
	}
	if !strings.Contains(strings.Join(answer.Values("Vary"), ","), "Cookie") {
		a.Errorf("%s: %d with cookies, and Vary %q", when, answer.Status, answer.Values("Vary"))
	}
	for _, line := range answer.Header {
		name, _, _ := strings.Cut(strings.ToLower(line), ":")
		if name != "cache-control" && strings.HasSuffix(name, "cache-control") || name == "surrogate-control" || name == "x-accel-expires" {
			a.Errorf("%s: %d with cookies, and %s", when, answer.Status, line)
		}
	}
	return true
}
