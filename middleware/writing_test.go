package middleware_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// way is how a handler writes.
type way struct {
	name  string
	write func(c echo.Context) error
	sends string // "": an answer; "nothing": the connection breaks; "itself": past net/http
}

func cached(c echo.Context) http.Header {
	h := c.Response().Header()
	h.Set("Cache-Control", "public, max-age=3600")
	return h
}

// std is a handler of net/http's, which says public before it writes.
func std(serve http.HandlerFunc) func(echo.Context) error {
	return func(c echo.Context) error {
		cached(c)
		serve(c.Response(), c.Request())
		return nil
	}
}

func content(header, value string) func(echo.Context) error {
	return std(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		r.Header.Set(header, value)
		http.ServeContent(w, r, "page.txt", time.Unix(1, 0), strings.NewReader("a page"))
	})
}

func hijack(take func(c echo.Context) (net.Conn, *bufio.ReadWriter, error)) func(echo.Context) error {
	return func(c echo.Context) error {
		cached(c)
		conn, _, err := take(c)
		if err != nil {
			return err
		}
		_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Written: by hand\r\n\r\n")
		return errors.Join(err, conn.Close())
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var ways = []way{
	{"a text", func(c echo.Context) error { cached(c); return c.String(200, "x") }, ""},
	{"JSON", func(c echo.Context) error { cached(c); return c.JSON(200, "x") }, ""},
	{"nothing", func(c echo.Context) error { cached(c); return nil }, ""},
	{"no content", func(c echo.Context) error { cached(c); return c.NoContent(204) }, ""},
	{"not modified", func(c echo.Context) error { cached(c); return c.NoContent(304) }, ""},
	{"a redirect", func(c echo.Context) error { cached(c); return c.Redirect(303, "/") }, ""},
	{"a permanent one", func(c echo.Context) error { cached(c); return c.Redirect(301, "/") }, ""},
	{"a stream", func(c echo.Context) error { cached(c); return c.Stream(200, "text/plain", strings.NewReader("x")) }, ""},
	{"flush first", func(c echo.Context) error {
		cached(c)
		c.Response().Flush()
		_, err := c.Response().Write([]byte("x"))
		return err
	}, ""},
	{"a flush through a controller", func(c echo.Context) error {
		cached(c)
		return http.NewResponseController(c.Response()).Flush()
	}, ""},
	{"server-sent events", func(c echo.Context) error {
		cached(c).Set("Content-Type", "text/event-stream")
		control := http.NewResponseController(c.Response())
		errs := []error{control.SetWriteDeadline(time.Now().Add(time.Minute)), control.SetReadDeadline(time.Time{}), control.EnableFullDuplex()}
		for range 3 {
			_, err := io.WriteString(c.Response(), "data: x\n\n")
			errs = append(errs, err, control.Flush())
		}
		return errors.Join(errs...)
	}, ""},
	{"the writer below echo's", func(c echo.Context) error {
		cached(c)
		_, err := c.Response().Writer.Write([]byte("x"))
		return err
	}, ""},
	{"a flush of the writer below echo's", func(c echo.Context) error {
		cached(c)
		c.Response().Writer.(http.Flusher).Flush()
		return nil
	}, ""},
	{"io.Copy", func(c echo.Context) error {
		cached(c)
		_, err := io.Copy(c.Response(), io.LimitReader(strings.NewReader("xyz"), 2))
		return err
	}, ""},
	{"an error", func(c echo.Context) error { cached(c); return echo.NewHTTPError(418, "teapot") }, ""},
	{"an error after the first byte", func(c echo.Context) error {
		cached(c)
		_ = c.String(200, "x")
		return echo.ErrTeapot
	}, ""},
	{"a panic", func(c echo.Context) error { cached(c); panic("x") }, ""},
	{"a panic that breaks off", func(c echo.Context) error { cached(c); panic(http.ErrAbortHandler) }, "nothing"},
	{"Vary, without Cookie", func(c echo.Context) error { cached(c).Set("Vary", "Accept-Encoding"); return c.NoContent(204) }, ""},
	{"no Set-Cookie", func(c echo.Context) error { cached(c).Del("Set-Cookie"); return c.NoContent(204) }, ""},
	{"no header at all", func(c echo.Context) error { clear(c.Response().Header()); return c.NoContent(204) }, ""},
	{"a cookie of its own", func(c echo.Context) error {
		cached(c)
		c.SetCookie(&http.Cookie{Name: "theirs", Value: "1"})
		return c.NoContent(204)
	}, ""},
	{"two directives", func(c echo.Context) error {
		c.Response().Header()["Cache-Control"] = []string{"public", "s-maxage=60"}
		return c.NoContent(204)
	}, ""},
	{"directives for CDNs", func(c echo.Context) error {
		h := cached(c)
		h.Set("CDN-Cache-Control", "public, max-age=3600")
		h["cloudflare-cdn-cache-control"] = []string{"public"}
		h.Set("Surrogate-Control", "max-age=3600")
		h.Set("X-Accel-Expires", "3600")
		return c.NoContent(204)
	}, ""},
	{"the header twice", std(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); w.WriteHeader(500) }), ""},
	{"early hints", func(c echo.Context) error {
		cached(c).Set("Link", "</app.css>; rel=preload; as=style")
		c.Response().Writer.WriteHeader(http.StatusEarlyHints)
		cached(c)
		return c.String(200, "x")
	}, ""},
	{"switching protocols", func(c echo.Context) error {
		cached(c).Set("Upgrade", "x")
		c.Response().Writer.WriteHeader(http.StatusSwitchingProtocols)
		return nil
	}, ""},
	{"a hijack", hijack(func(c echo.Context) (net.Conn, *bufio.ReadWriter, error) { return c.Response().Hijack() }), "itself"},
	{"a hijack through a controller", hijack(func(c echo.Context) (net.Conn, *bufio.ReadWriter, error) {
		return http.NewResponseController(c.Response()).Hijack()
	}), "itself"},
	{"a hijack of the writer below echo's", hijack(func(c echo.Context) (net.Conn, *bufio.ReadWriter, error) {
		return c.Response().Writer.(http.Hijacker).Hijack()
	}), "itself"},
	{"ServeContent", content("Accept", "text/plain"), ""},
	{"ServeContent, a part", content("Range", "bytes=0-1"), ""},
	{"ServeContent, parts", content("Range", "bytes=0-1,3-4"), ""},
	{"ServeContent, not modified", content("If-None-Match", `"v1"`), ""},
	{"ServeContent, no such part", content("Range", "bytes=9-"), ""},
	{"ServeContent, a failed condition", content("If-Match", `"v2"`), ""},
	{"http.Error", std(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", 500) }), ""},
	{"http.NotFound", std(http.NotFound), ""},
	{"http.ServeFileFS, no such file", std(func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, fstest.MapFS{}, "x") }), ""},
	{"http.TimeoutHandler", std(http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public")
		_, _ = io.WriteString(w, "x")
	}), time.Second, "slow").ServeHTTP), ""},
	{"http.TimeoutHandler, too late", std(http.TimeoutHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), time.Second, "slow").ServeHTTP), ""},
	{"httputil.ReverseProxy", std((&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "upstream.test"}) },
		Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			h := http.Header{"Cache-Control": {"public, max-age=9"}, "Set-Cookie": {"theirs=1"}, "Vary": {"Accept"}}
			return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(strings.NewReader("x"))}, nil
		}),
	}).ServeHTTP), ""},
}

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
