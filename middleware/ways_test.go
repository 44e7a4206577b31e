package middleware_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing/fstest"
	"time"

	"github.com/labstack/echo/v4"
)

// way is one way in which a handler writes its answer.
type way struct {
	name  string
	write func(c echo.Context) error
	sends string // "": an answer; "nothing": the connection closes; "itself": the handler writes to the connection
}

// cached sets a header that lets caches keep the answer, and returns the headers.
func cached(c echo.Context) http.Header {
	h := c.Response().Header()
	h.Set("Cache-Control", "public, max-age=3600")
	return h
}

// std makes a way of an http.Handler, with an answer that caches may keep.
func std(serve http.HandlerFunc) func(echo.Context) error {
	return func(c echo.Context) error {
		cached(c)
		serve(c.Response(), c.Request())
		return nil
	}
}

// content serves a file for a request with one more header.
func content(header, value string) func(echo.Context) error {
	return std(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		r.Header.Set(header, value)
		http.ServeContent(w, r, "page.txt", time.Unix(1, 0), strings.NewReader("a page"))
	})
}

// hijack takes over the connection and writes an answer to it.
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
	{"a permanent redirect", func(c echo.Context) error { cached(c); return c.Redirect(301, "/") }, ""},
	{"a stream", func(c echo.Context) error { cached(c); return c.Stream(200, "text/plain", strings.NewReader("x")) }, ""},
	{"flush first", func(c echo.Context) error {
		cached(c)
		c.Response().Flush()
		_, err := c.Response().Write([]byte("x"))
		return err
	}, ""},
	{"a flush by a controller", func(c echo.Context) error {
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
	{"a panic with ErrAbortHandler", func(c echo.Context) error { cached(c); panic(http.ErrAbortHandler) }, "nothing"},
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
	{"WriteHeader twice", std(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); w.WriteHeader(500) }), ""},
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
	{"a hijack by a controller", hijack(func(c echo.Context) (net.Conn, *bufio.ReadWriter, error) {
		return http.NewResponseController(c.Response()).Hijack()
	}), "itself"},
	{"a hijack of the writer below echo's", hijack(func(c echo.Context) (net.Conn, *bufio.ReadWriter, error) {
		return c.Response().Writer.(http.Hijacker).Hijack()
	}), "itself"},
	{"ServeContent", content("Accept", "text/plain"), ""},
	{"ServeContent, a range", content("Range", "bytes=0-1"), ""},
	{"ServeContent, ranges", content("Range", "bytes=0-1,3-4"), ""},
	{"ServeContent, not modified", content("If-None-Match", `"v1"`), ""},
	{"ServeContent, no such range", content("Range", "bytes=9-"), ""},
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
