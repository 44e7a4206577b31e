package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// A page of another site has links to http://mallory:pw@app/. The app takes Basic
// credentials and sends a challenge, so Chromium sends mallory's credentials: with the page
// load, and with each XMLHttpRequest of a page that was opened by such a link. The visitor
// is not logged in as mallory.
func TestLinkWithAPasswordLogsNobodyIn(t *testing.T) {
	t.Parallel()
	app := startSite(t, "127.0.0.1", nethttp.Config{
		Public: []string{"/{$}"},
		Credentials: nethttp.BasicAuth(func(_ context.Context, username, password string) (session.Login, error) {
			if username != "mallory" || password != "pw" {
				return session.Login{}, session.ErrUnauthenticated
			}
			return session.Login{UserID: "mallory", Epoch: 1}, nil
		}),
		// For programs that wait for a challenge: see BasicAuth.
		Answer: func(w http.ResponseWriter, r *http.Request, refusal *nethttp.Refusal) {
			if r.URL.Path == "/notes" {
				w.Header().Set("WWW-Authenticate", `Basic realm="app"`)
				w.WriteHeader(http.StatusUnauthorized)
				writePage(w, "<h1>Log in first</h1>")
			}
		},
	}, session.Config{})
	user := func(r *http.Request) string { return "<h1>" + userOf(r.Context()) + "</h1>" }
	app.page("GET /{$}", user)
	app.page("GET /notes", user)
	u, err := url.Parse(app.app.url)
	if err != nil {
		t.Fatal(err)
	}
	link := "http://mallory:pw@" + u.Host
	port := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writePage(w, fmt.Sprintf(`<h1>Another site</h1>
			<a id="link" href="%[1]s/notes">link</a>
			<a id="start" href="%[1]s/">start</a>
			<button id="script" onclick="location = '%[1]s/notes'">script</button>`, link))
	}))
	for _, way := range []string{"link", "script", "start"} {
		b := newDevice(t, app.app)
		b.Open("http://localhost:" + port)
		before := len(app.requests("/notes"))
		ctx, cancel := b.Limited()
		if err := chromedp.Do(ctx, chromedp.Click("#"+way)); err != nil {
			b.Fatalf("clicking: %v", err)
		}
		cancel()
		if way == "start" {
			b.Until("the start page is shown", func() bool {
				at, err := tryEval[string](b, `document.readyState + location.href`)
				return err == nil && at == "complete"+app.app.url+"/"
			})
			got := eval[string](b, `new Promise(done => {
				const request = new XMLHttpRequest()
				request.onloadend = () => done(request.status + request.responseText)
				request.open('GET', '/notes')
				request.send()
			})`)
			if strings.Contains(got, "mallory") {
				b.Errorf("the answer to the XMLHttpRequest is %q", got)
			}
		}
		b.Until("Chromium has sent mallory's credentials", func() bool {
			sent := app.requests("/notes")[before:]
			return len(sent) > 0 && sent[len(sent)-1].credential
		})
		for _, r := range app.requests("/notes")[before:] {
			if r.status != http.StatusUnauthorized {
				b.Errorf("%s: the request was %+v; want 401", way, r)
			}
		}
		if jar := b.jar(); len(jar) != 0 {
			b.Errorf("%s: the visitor is mallory now: the jar has %v", way, names(jar))
		}
	}
	if n := app.count(session.EventIssued); n != 0 {
		t.Errorf("%d sessions began", n)
	}
}
