package nethttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// If Answer writes, its answer is the only one. Otherwise the guard answers. The
// headers are the same in each case, and the handler does not run.
func TestAnswer_ReplacesTheGuardsAnswer(t *testing.T) {
	const own = `{"title":"Unauthorized","status":401,"detail":"Please log in."}` + "\n"
	for _, c := range []struct {
		name   string
		answer answerFunc
		status int
		body   string
	}{
		{"not configured", nil, 401, own},
		{"a status and a text", func(w http.ResponseWriter, _ *http.Request, f *nethttp.Refusal) {
			w.WriteHeader(f.Status)
			fmt.Fprint(w, "custom")
		}, 401, "custom"},
		{"a text", func(w http.ResponseWriter, _ *http.Request, _ *nethttp.Refusal) { fmt.Fprint(w, "custom") }, 200, "custom"},
		{"an empty answer", func(w http.ResponseWriter, _ *http.Request, f *nethttp.Refusal) { w.WriteHeader(f.Status) }, 401, ""},
		{"another status", func(w http.ResponseWriter, _ *http.Request, _ *nethttp.Refusal) { w.WriteHeader(418) }, 418, ""},
		{"a redirect", func(w http.ResponseWriter, r *http.Request, _ *nethttp.Refusal) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, 307, ""},
		{"nothing", func(http.ResponseWriter, *http.Request, *nethttp.Refusal) {}, 401, own},
	} {
		inApp(t, nethttp.Config{Answer: c.answer}, func(a *app) {
			a.handle("/secret", func(http.ResponseWriter, *http.Request) { a.Errorf("%s: the handler runs", c.name) })
			rec := a.client(fetch).Send("POST", "/secret", "")
			if rec.Code != c.status || rec.Body.String() != c.body {
				a.Errorf("%s: %d %q; want %d %q", c.name, rec.Code, rec.Body, c.status, c.body)
			}
			if h := rec.Header(); h.Get("WWW-Authenticate") != "Cookie" || h.Get("Cache-Control") != "no-store" || h.Get("Vary") != "Cookie" {
				a.Errorf("%s: headers %v", c.name, h)
			}
			if to := a.client(pageLoad).Send("GET", "/secret", "").Header().Get("Location"); to != "/login?next=%2Fsecret" && c.name != "a redirect" {
				a.Errorf("%s: a page load is sent to %q", c.name, to)
			}
		})
	}
}

// Turbo keeps the answer to a prefetch, and shows it on the click if it is HTML.
func TestAnswer_IsNotAskedAboutAPrefetch(t *testing.T) {
	asked := 0
	answer := func(http.ResponseWriter, *http.Request, *nethttp.Refusal) { asked++ }
	inApp(t, nethttp.Config{Answer: answer}, func(a *app) {
		b := a.client(pageLoad)
		if rec := b.Send("GET", "/account", "", "X-Sec-Purpose", "prefetch"); rec.Code != 503 || asked != 0 || rec.Header().Get("Content-Type") != "application/problem+json" {
			a.Errorf("%d, headers %v, Answer is called %d times; want the guard's own 503", rec.Code, rec.Header(), asked)
		}
		if b.Send("GET", "/account", ""); asked != 1 {
			a.Errorf("for the click, Answer is called %d times; want once", asked)
		}
	})
}

// Answer also writes the refusals of Logout and of WriteError.
func TestAnswer_WritesTheRefusalsOfLogoutAndWriteError(t *testing.T) {
	answer := func(w http.ResponseWriter, _ *http.Request, refusal *nethttp.Refusal) {
		w.WriteHeader(refusal.Status)
		fmt.Fprint(w, "custom")
	}
	inApp(t, nethttp.Config{Answer: answer}, func(a *app) {
		b := a.client(pageLoad).LogIn("ada")
		for _, c := range []struct {
			method, path string
			more         []string
			status       int
		}{
			{"GET", "/logout", nil, http.StatusMethodNotAllowed},
			{"POST", "/logout", []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
			{"POST", "/login?user=unknown", nil, http.StatusForbidden},
		} {
			if rec := b.Send(c.method, c.path, "", c.more...); rec.Code != c.status || rec.Body.String() != "custom" {
				a.Errorf("%s %s: %d %q; want %d and the custom answer", c.method, c.path, rec.Code, rec.Body, c.status)
			}
		}
		if rec := b.Send("POST", "/logout", ""); rec.Code != http.StatusSeeOther || strings.Contains(rec.Body.String(), "custom") || len(b.Kept()) != 0 {
			a.Errorf("POST: %d %q, cookies %v left", rec.Code, rec.Body, b.Kept())
		}
	})
}

// The login page asks for a login if the guard is not the one whose Config names it. A
// redirect would loop, so the developer gets an explanation, beside the cause.
func TestRefusal_OfTheLoginPageExplainsTheFault(t *testing.T) {
	var last *nethttp.Refusal
	answer := func(_ http.ResponseWriter, _ *http.Request, refusal *nethttp.Refusal) { last = refusal }
	inApp(t, nethttp.Config{LoginPath: "/signin", Answer: answer}, func(a *app) {
		handler := a.guard.RequireRole("staff")(http.HandlerFunc(who))
		rec := a.client(pageLoad).At(handler).Send("GET", "/signin", "")
		if rec.Code != 401 || rec.Header().Get("Location") != "" || rec.Header().Get("WWW-Authenticate") != "" {
			a.Errorf("%d, headers %v; want 401 and no redirect", rec.Code, rec.Header())
		}
		if last == nil || !errors.Is(last, session.ErrUnauthenticated) || !strings.Contains(last.Error(), "Config.LoginPath") {
			a.Fatalf("Answer gets %v; want ErrUnauthenticated, and where to mount the login page", last)
		}
		if !strings.Contains(last.Text, "Register it at Config.LoginPath") || !strings.Contains(rec.Body.String(), last.Text) {
			a.Errorf("the page says %q; want how to correct it: %s", last.Text, rec.Body)
		}
		// A path below the login page is not the login page.
		if rec := a.client(pageLoad).At(handler).Send("GET", "/signin/help", ""); rec.Code != 303 {
			a.Errorf("/signin/help: %d; want a redirect", rec.Code)
		}
		// Programs and htmx follow no redirect.
		if rec := a.client(viaHTMX).At(handler).Send("GET", "/signin", ""); rec.Code != 401 || rec.Header().Get("HX-Redirect") == "" {
			a.Errorf("htmx: %d, headers %v", rec.Code, rec.Header())
		}
	})
}
