package nethttp_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

// The first request logs the patterns that no route of a ServeMux matches, in one warning for
// each field.
func TestProtect_ReportsPatternsThatMatchNoRoute(t *testing.T) {
	log, before := &bytes.Buffer{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	for _, c := range []struct {
		public, background []string
		reported           []string
	}{
		{nil, nil, nil},
		{[]string{"/{$}", "/static/", "/docs/{file...}", "GET /articles/{id}", "POST /articles", "shop.test/", "/docs"}, []string{"GET /news"}, nil},
		{[]string{"/statc/", "GET /article/{id}", "/stat/{file...}", "/{$}"}, nil, []string{`Config.Public`, `["GET /article/{id}"]`}},
		{[]string{"/articles", "/hook/{id}", "/put", "/patch", "/delete", "/options", "/docs/", "/hooks/"}, nil, nil},
		{[]string{"GET /articles", "/articles/", "GET /hook/{id}"}, nil, []string{`["GET /articles" "GET /hook/{id}"]`}},
		{nil, []string{"POST /news", "/nws"}, []string{`Config.Background`, `"POST /news" "/nws"`}},
		{[]string{"other.test/x"}, nil, []string{`"other.test/x"`}},
	} {
		for _, wrap := range []bool{false, true} {
			log.Reset()
			guard, err := nethttp.New(guardtest.NewWorld(t).Sessions, nethttp.Config{Public: c.public, Background: c.background})
			if err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			var next http.Handler = mux
			if wrap {
				next = http.HandlerFunc(mux.ServeHTTP)
			}
			h := guard.Protect(next) // before the routes are registered
			for _, pattern := range []string{"/{$}", "/static/", "GET /articles/{id}", "POST /articles", "GET /news", "shop.test/", "/docs/", "POST /hook/{id}", "POST /hooks/stripe", "PUT /put", "PATCH /patch", "DELETE /delete", "OPTIONS /options"} {
				mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
			}
			for range 2 {
				guardtest.NewClient(t, h, fetch).Send("GET", "/", "")
			}
			text, want := strings.ReplaceAll(log.String(), `\"`, `"`), min(len(c.reported), 1)
			if wrap {
				want = 0 // its routes are not known
			}
			if n := strings.Count(text, "match no route"); n != want {
				t.Errorf("%q, %q: %d warnings; want %d: %s", c.public, c.background, n, want, text)
			}
			for _, part := range c.reported {
				if want == 1 && !strings.Contains(text, part) {
					t.Errorf("%q, %q: no %s in %s", c.public, c.background, part, text)
				}
			}
		}
	}
}
