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
	"github.com/sessionkit/sessionkit/session"
)

// bare are the ways of which nothing is left of what a header said to caches, if
// there are no cookies: the handler's own doing, and what http.ServeContent and
// its like do where they refuse. Those answers say nothing of anybody.
var bare = map[string]bool{
	"no header at all": true, "ServeContent, no such part": true, "http.ServeFileFS, no such file": true,
}

// However a handler writes, whatever stands around it, and whyever there are
// cookies: an answer with cookies is not for caches, and has them all.
func TestCookiesAndCachesAreKeptApartHoweverTheHandlerWrites(t *testing.T) {
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
			logins := a.echo
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
					cookies     int
				}{{"valid", "", 0}, {"young", "", 1}, {"expired", "", 2}, {"login", "?login=1", 2}} {
					for _, method := range []string{"GET", "HEAD"} {
						a.echo = logins
						b := a.client(pageLoad).login("ada")
						a.echo = e
						switch why.name {
						case "young":
							delete(b.jar, accessName)
						case "expired":
							a.expire()
						}
						raw := a.onWire(b.request(method, path+why.query, "", "Accept-Encoding: gzip"))
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
						all := a.answers(raw)
						for _, answer := range all {
							if keptApart(a, when, answer) {
								withCookies++
							}
						}
						last := all[len(all)-1]
						if len(last.values("Cache-Control")) == 0 && !bare[way.name] {
							a.Errorf("%s: %d without a word to caches", when, last.status)
						}
						names := map[string]int{}
						for _, line := range last.values("Set-Cookie") {
							name, _, _ := strings.Cut(line, "=")
							names[name]++
						}
						delete(names, "theirs")
						if len(names) != why.cookies || len(names) > 0 && names[accessName] != 1 || len(names) > 1 && names[refreshName] != 1 {
							a.Errorf("%s: cookies %v; want %d, each once", when, names, why.cookies)
						}
					}
				}
				if ran != 8 && !strings.HasPrefix(way.name, "a panic") {
					a.Errorf("%s, %s: the handler came to its end %d times; want 8", around.name, way.name, ran)
				}
			}
		})
	}
	if withCookies < answers/2 {
		t.Errorf("%d of %d answers set cookies: this test proves little", withCookies, answers)
	}
	t.Logf("%d ways in %d surroundings, 4 states and 2 methods: %d answers, %d with cookies, each with no-store", len(ways), 6, answers, withCookies)
}

// keptApart reports whether an answer sets cookies of ours, and fails if it does,
// and a cache may keep it.
func keptApart(a *app, when string, answer wireAnswer) bool {
	a.Helper()
	if !slices.ContainsFunc(answer.values("Set-Cookie"), func(line string) bool { return strings.HasPrefix(line, "__Host-Http-") }) {
		return false
	}
	if got := answer.values("Cache-Control"); !slices.Equal(got, []string{"no-store"}) {
		a.Errorf("%s: %d with cookies, and Cache-Control %q", when, answer.status, got)
	}
	if !strings.Contains(strings.Join(answer.values("Vary"), ","), "Cookie") {
		a.Errorf("%s: %d with cookies, and Vary %q", when, answer.status, answer.values("Vary"))
	}
	for _, line := range answer.header {
		name, _, _ := strings.Cut(strings.ToLower(line), ":")
		if name != "cache-control" && strings.HasSuffix(name, "cache-control") || name == "surrogate-control" || name == "x-accel-expires" {
			a.Errorf("%s: %d with cookies, and %s", when, answer.status, line)
		}
	}
	return true
}
