package nethttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// Core.Refuse and WriteError answer each error of the session package with its status. An
// error of anybody else is a 500, whose text does not show it.
func TestRefuse_MapsEachErrorToAStatus(t *testing.T) {
	secret := errors.New("secret of the database")
	for _, c := range []struct {
		name   string
		err    error
		status int // of the answer to a program
		text   string
		retry  string
	}{
		{"no session", session.ErrUnauthenticated, 401, "Please log in.", ""},
		{"reuse", session.ErrReused, 401, "Please log in.", ""},
		{"a disabled user", session.ErrUserDisabled, 403, "This account cannot log in.", ""},
		{"no such session", session.ErrNotFound, 404, "There is no such session.", ""},
		{"too large", session.ErrTooLarge, 500, "This account cannot be logged in: please tell us.", ""},
		{"no store", session.ErrStoreUnavailable, 503, unavailableText, "2"},
		{"anything else", secret, 500, "Something went wrong: please tell us.", ""},
	} {
		for _, err := range []error{c.err, fmt.Errorf("%w: %w", c.err, secret), errors.Join(secret, c.err)} {
			for kind, headers := range kinds {
				inApp(t, nethttp.Config{}, func(a *app) {
					var refusal *nethttp.Refusal
					core := guardCore(a)
					b := a.client(headers).At(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						refusal = core.Refuse(w.Header(), r, err)
						if err := refusal.Write(w); err != nil {
							a.Error(err)
						}
					}))
					rec := b.Send("GET", "/x", "")
					status := c.status
					if status == 401 && kind == "page" {
						status = 303
					}
					if rec.Code != status || refusal.Status != status || refusal.Text != c.text || !errors.Is(refusal, c.err) {
						a.Errorf("%s, %s: %d, %+v; want %d %q", c.name, kind, rec.Code, refusal, status, c.text)
					}
					h := rec.Header()
					if h.Get("Cache-Control") != "no-store" || h.Get("Retry-After") != c.retry || strings.Contains(rec.Body.String(), "secret") {
						a.Errorf("%s, %s: headers %v, body %s", c.name, kind, h, rec.Body)
					}
					b = b.At(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.guard.WriteError(w, r, err) }))
					if same := b.Send("GET", "/x", ""); same.Code != rec.Code || same.Body.String() != rec.Body.String() {
						a.Errorf("%s, %s: WriteError answers %d %s; want the same as Refuse", c.name, kind, same.Code, same.Body)
					}
				})
			}
		}
	}
}

// A Refusal stays what it is, also one that is wrapped.
func TestRefuse_KeepsARefusal(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		r := httptest.NewRequest("POST", "/login", nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		err := a.guard.Issue(httptest.NewRecorder(), r, session.Login{UserID: "ada"})
		want, ok := errors.AsType[*nethttp.Refusal](err)
		if !ok || want.Status != 403 {
			a.Fatalf("Issue returns %v; want a Refusal with 403", err)
		}
		for _, err := range []error{err, fmt.Errorf("login: %w", err)} {
			h := http.Header{}
			if got := guardCore(a).Refuse(h, r, err); got != want || len(h) != 0 {
				a.Errorf("%v, headers %v; want the Refusal itself, and no more headers", got, h)
			}
		}
	})
}

// A Refusal that no Core has made is answered as to a program.
func TestRefusal_OfTheAppsOwnIsAProblemDocument(t *testing.T) {
	rec := httptest.NewRecorder()
	if err := (&nethttp.Refusal{Status: 418, Text: "teapot"}).Write(rec); err != nil || rec.Code != 418 || rec.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%v: %d, headers %v", err, rec.Code, rec.Header())
	}
}

// The login page learns that the session was ended because of reuse, beside the page to
// return to.
func TestRefusal_TellsTheLoginPageOfReuse(t *testing.T) {
	for _, c := range []struct {
		err   error
		query string
	}{
		{session.ErrReused, "&reason=reuse"},
		{fmt.Errorf("the session is over: %w", session.ErrReused), "&reason=reuse"},
		{session.ErrUnauthenticated, ""},
	} {
		inApp(t, nethttp.Config{}, func(a *app) {
			core := guardCore(a)
			refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = core.Refuse(w.Header(), r, c.err).Write(w) })
			if got, want := a.client(pageLoad).At(refuse).Send("GET", "/x", "").Header().Get("Location"), "/login?next=%2Fx"+c.query; got != want {
				a.Errorf("%v: a page load is sent to %q; want %q", c.err, got, want)
			}
			if got, want := a.client(viaHTMX).At(refuse).Send("GET", "/x", "").Header().Get("HX-Redirect"), "/login?next=%2Fhere%3Fp%3D1"+c.query; got != want {
				a.Errorf("%v: htmx is sent to %q; want %q", c.err, got, want)
			}
		})
	}
}

// Only a page that the browser can ask for again without harm offers that.
func TestRefusal_OffersToTryAgain(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		b := a.client(pageLoad).LogIn("ada")
		again := func(method, path string) bool {
			return strings.Contains(b.Send(method, path, "").Body.String(), `<a href="">Try again</a>`)
		}
		if again("GET", "/admin") {
			a.Error("a 403 offers to try again")
		}
		expire()
		a.Store.Fail(errDown)
		if !again("GET", "/account") || again("POST", "/account") {
			a.Error("in an outage a GET must offer to try again, and a POST must not")
		}
	})
}
