package nethttp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// refusalCase is one reason for a refusal, and what each kind of client then gets.
type refusalCase struct {
	name         string
	arrange      func(a *app, b *guardtest.Client)
	method, path string
	more         []string // headers by name and value
	status       int      // of the answer to a program
	text         string
	login        bool // a page load is redirected to the login page
	reauth       bool
	cause        error // what Refusal.Err Is; nil: see says
	says         string
}

const unavailableText = "We cannot check logins at the moment: please try again. Nobody is logged out by this."

// refusalCases has a row for each reason of a guard before a handler, or of Logout.
var refusalCases = func() []refusalCase {
	type client = guardtest.Client
	none := func(_ *app, b *client) { b.Forget() }
	same := func(*app, *client) {}
	const login, tooOld, otherSite = "Please log in.", "Please confirm who you are: this needs a newer or a stronger login.", "This request came from another site."
	return []refusalCase{
		{"no session", none, "GET", "/account", nil, 401, login, true, false, session.ErrUnauthenticated, ""},
		{"the session is revoked", func(a *app, _ *client) { a.end() }, "GET", "/account", nil, 401, login, true, false, session.ErrUnauthenticated, ""},
		{"the session has just been revoked", func(a *app, _ *client) { a.revoke("ada") }, "GET", "/live", nil, 401, login, true, true, session.ErrUnauthenticated, ""},
		{"the login is too old", func(_ *app, b *client) { refreshFor(b, 3) }, "GET", "/password", nil, 401, tooOld, true, true, nil, "too old"},
		{"the wrong role", same, "GET", "/admin", nil, 403, "You may not do this.", false, false, nil, "none of the roles"},
		{"credentials of a disabled user", none, "GET", "/account", []string{"Authorization", "gone"}, 403, "This account cannot log in.", false, false, session.ErrUserDisabled, ""},
		{"credentials that cannot be checked", none, "GET", "/account", []string{"Authorization", "?"}, 503, unavailableText, false, false, errNoDirectory, ""},
		{"another site", same, "POST", "/account", []string{"Sec-Fetch-Site", "cross-site"}, 403, otherSite, false, false, nil, "cross-origin"},
		{"another site, logout", same, "POST", "/logout", []string{"Sec-Fetch-Site", "cross-site"}, 403, otherSite, false, false, nil, "cross-origin"},
		{"a logout by a link", same, "GET", "/logout", nil, 405, "Logging out needs a POST.", false, false, nil, ""},
		{"the store is down", func(a *app, _ *client) { expire(); a.Store.Fail(errDown) }, "GET", "/account", nil, 503, unavailableText, false, false, errDown, ""},
		{"the store is down, RequireLive", func(a *app, _ *client) { a.Store.Fail(errDown) }, "GET", "/live", nil, 503, unavailableText, false, false, errDown, ""},
		{"credentials of a user who does not fit into a cookie", func(a *app, b *client) {
			a.Users.SetUser("big", store.User{Attrs: map[string]string{"x": strings.Repeat("y", 5000)}})
			b.Forget()
		}, "GET", "/account", []string{"Authorization", "big"}, 500, "This account cannot be logged in: please tell us.", false, false, session.ErrTooLarge, ""},
	}
}()

type answerFunc = func(http.ResponseWriter, *http.Request, *nethttp.Refusal)

// eachRefusal runs a test with the app and the client of each refusalCase, and each
// kind of client.
func eachRefusal(t *testing.T, answer answerFunc, test func(a *app, c refusalCase, b *guardtest.Client, kind string)) {
	t.Helper()
	cfg := nethttp.Config{Answer: answer, Credentials: func(r *http.Request) (session.Login, error) {
		switch user := r.Header.Get("Authorization"); user {
		case "":
			return session.Login{}, session.ErrUnauthenticated
		case "?":
			return session.Login{}, errNoDirectory
		default:
			return session.Login{UserID: user}, nil
		}
	}}
	for _, c := range refusalCases {
		for kind, headers := range kinds {
			if kind == "page" && slices.Contains(c.more, "Authorization") {
				continue // see TestCredentials_LogNobodyInWhoDidNotSendThemOnPurpose
			}
			inApp(t, cfg, func(a *app) {
				a.Users.SetUser("gone", store.User{Disabled: true})
				a.handle("GET /live", who, a.guard.RequireLive)
				b := a.client(pageLoad).LogIn("ada")
				c.arrange(a, b)
				test(a, c, b.As(headers), kind)
			})
		}
	}
}

// statusFor returns the status that a kind of client gets: a page load that needs a
// login is redirected.
func (c refusalCase) statusFor(kind string) int {
	if c.login && kind == "page" {
		return http.StatusSeeOther
	}
	return c.status
}

// A program gets a problem document (RFC 9457) with these members only. A browser, and
// htmx, get a small page with the same text.
func TestRefusal_BodySuitsTheClient(t *testing.T) {
	eachRefusal(t, nil, func(a *app, c refusalCase, b *guardtest.Client, kind string) {
		rec := b.Send(c.method, c.path, "", c.more...)
		status := c.statusFor(kind)
		if rec.Code != status {
			a.Errorf("%s, %s: %d; want %d", c.name, kind, rec.Code, status)
		}
		if kind == "program" {
			want := map[string]any{"title": http.StatusText(c.status), "status": float64(c.status), "detail": c.text}
			if c.reauth {
				want["reauthenticate"] = true
			}
			var got map[string]any
			if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || !maps.Equal(got, want) {
				a.Errorf("%s: %s, %v; want %v", c.name, rec.Body, err, want)
			}
			return
		}
		title, body := http.StatusText(status), rec.Body.String()
		for _, want := range []string{"<!doctype html>\n", "<title>" + title + "</title>", "<h1>" + title + "</h1>", "<p>" + c.text + "</p>"} {
			if strings.Count(body, want) != 1 {
				a.Errorf("%s, %s: %q is not in the page once:\n%s", c.name, kind, want, body)
			}
		}
	})
}

// A refusal has exactly these headers, each once.
func TestRefusal_HeadersAreExact(t *testing.T) {
	eachRefusal(t, nil, func(a *app, c refusalCase, b *guardtest.Client, kind string) {
		rec := b.Send(c.method, c.path, "", c.more...)
		want := http.Header{"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}}
		if kind == "program" {
			want.Set("Content-Type", "application/problem+json")
		} else {
			want.Set("Content-Type", "text/html; charset=utf-8")
			// The page loads nothing, and no page may frame it.
			want.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		}
		if kind == "htmx" {
			want.Set("HX-Reswap", "none")
		}
		if c.path != "/logout" && !strings.HasPrefix(c.name, "another site") {
			want.Set("Vary", "Cookie") // the others are refused before the cookies are read
		}
		if c.login {
			query := map[string]string{"page": "?next=" + escaped(c.path), "htmx": "?next=%2Fhere%3Fp%3D1"}[kind]
			if c.reauth {
				query += "&reauth=1"
			}
			switch kind {
			case "page":
				want.Set("Location", "/login"+query)
			case "htmx":
				want.Set("HX-Redirect", "/login"+query)
				fallthrough
			default:
				want.Set("WWW-Authenticate", "Cookie") // RFC 9110, section 11.6.1
			}
		}
		switch c.status {
		case http.StatusServiceUnavailable:
			want.Set("Retry-After", "2")
		case http.StatusMethodNotAllowed:
			want.Set("Allow", "POST")
		}
		got := rec.Header().Clone()
		got.Del("Set-Cookie") // see TestGuard_SetCookieLinesAreExact
		if !reflect.DeepEqual(got, want) {
			a.Errorf("%s, %s: %d with\n%v\nwant\n%v", c.name, kind, rec.Code, got, want)
		}
	})
}

// Config.Answer gets the status and the text that the client would get, and the cause
// for logs.
func TestRefusal_TellsAnswerStatusTextAndCause(t *testing.T) {
	var last *nethttp.Refusal
	answer := func(_ http.ResponseWriter, _ *http.Request, refusal *nethttp.Refusal) { last = refusal }
	eachRefusal(t, answer, func(a *app, c refusalCase, b *guardtest.Client, kind string) {
		last = nil
		b.Send(c.method, c.path, "", c.more...)
		if last == nil {
			a.Fatalf("%s, %s: Answer is not called", c.name, kind)
		}
		if last.Status != c.statusFor(kind) || last.Text != c.text {
			a.Errorf("%s, %s: %d %q; want %d %q", c.name, kind, last.Status, last.Text, c.statusFor(kind), c.text)
		}
		switch {
		case c.cause != nil && !errors.Is(last, c.cause):
			a.Errorf("%s, %s: the cause is %v; want %v", c.name, kind, last.Err, c.cause)
		case c.says != "" && !strings.Contains(last.Error(), c.says):
			a.Errorf("%s, %s: the cause is %v; want one that says %q", c.name, kind, last.Err, c.says)
		case c.cause == nil && c.says == "" && last.Err != nil:
			a.Errorf("%s, %s: the cause is %v; want none", c.name, kind, last.Err)
		}
	})
}

// An app, or a package that works with a guard, says with a Refusal of its own what went wrong.
// It never leads to another page.
func TestWriteError_OfARefusalThatTheAppHasMade(t *testing.T) {
	made := func() error {
		return fmt.Errorf("callback: %w", &nethttp.Refusal{Status: http.StatusBadGateway, Text: "The provider's <answer> is wrong."})
	}
	for kind, want := range map[string]struct{ contentType, text, reswap string }{
		"page":    {"text/html; charset=utf-8", "<p>The provider&#39;s &lt;answer&gt; is wrong.</p>\n<p><a href=\"/app/\">Go to the start page</a></p>", ""},
		"htmx":    {"text/html; charset=utf-8", "<p>The provider&#39;s &lt;answer&gt; is wrong.</p>", "none"},
		"program": {"application/problem+json", `"detail":"The provider's \u003canswer\u003e is wrong."`, ""},
	} {
		inApp(t, nethttp.Config{Public: []string{"GET /callback"}, Prefix: "/app"}, func(a *app) {
			a.handle("/callback", func(w http.ResponseWriter, r *http.Request) { a.guard.WriteError(w, r, made()) })
			rec := a.client(kinds[kind]).Send("GET", "/callback", "")
			h := rec.Header()
			if rec.Code != http.StatusBadGateway || h.Get("Content-Type") != want.contentType || !strings.Contains(rec.Body.String(), want.text) ||
				h.Get("Cache-Control") != "no-store" || h.Get("HX-Reswap") != want.reswap || h.Get("Location") != "" {
				a.Errorf("%s: %d, %v, %s", kind, rec.Code, h, rec.Body)
			}
		})
	}

	// What a prefetch gets is not for Config.Answer, also if the app has made it.
	answered := 0
	cfg := nethttp.Config{Public: []string{"GET /callback"}, Answer: func(http.ResponseWriter, *http.Request, *nethttp.Refusal) { answered++ }}
	inApp(t, cfg, func(a *app) {
		a.handle("/callback", func(w http.ResponseWriter, r *http.Request) { a.guard.WriteError(w, r, made()) })
		a.client(kinds["page"]).Send("GET", "/callback", "")
		if answered != 1 {
			a.Errorf("Answer was called %d times for a page", answered)
		}
		a.client(guardtest.Kind{"Sec-Purpose": "prefetch"}).Send("GET", "/callback", "")
		if answered != 1 {
			a.Error("Answer was called for a prefetch")
		}
	})
}
