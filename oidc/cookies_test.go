package oidc_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// cookieBytes is the length of the header with which a browser sends its cookies.
func cookieBytes(b *sessiontest.Browser) int {
	return len(b.NewRequest("GET", "/", nil).Header.Get("Cookie"))
}

// A page that sends its visitors to many logins must not shut them out: many servers refuse a
// request with 8 KB of cookies.
func TestBegin_ManyLongLinks(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		b := w.browser()
		var last string
		for range 10 {
			last = w.begin(b, "/login/acme?"+query("next", "/"+strings.Repeat("x", 1000)))
			time.Sleep(time.Second)
		}
		if n := cookieBytes(b); n > 4200 {
			w.Errorf("the cookies have %d bytes", n)
		}
		if answer := comeBack(b, w.provider.visit(last)); answer.StatusCode != http.StatusSeeOther || len(answer.Header.Get("Location")) != 1001 {
			w.Errorf("the last one: %d, %v; %v", answer.StatusCode, answer.Header, w.errs)
		}
	})
}

// They come at once, so that none of them sees the cookies of the others.
func TestBegin_ManyLinksAtOnce(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		b := w.browser()
		before := b.Clone()
		for range 50 {
			b.Receive(get(before.Clone(), "/login/acme").Cookies())
		}
		for range 4 {
			time.Sleep(time.Second)
			w.begin(b, "/login/acme")
		}
		if n := cookieBytes(b); n > 4200 {
			w.Errorf("the cookies have %d bytes", n)
		}
	})
}

// JSON makes some characters six times as long. The login must not fail for it.
func TestBegin_ANextThatNeedsEscapes(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		many := "/account?" + strings.Repeat("a=1&", 250)
		for next, want := range map[string]string{
			many:                              many,
			"/" + strings.Repeat("\x01", 400): "/",
			"/" + strings.Repeat(`"`, 1000):   "/",
		} {
			answer := w.login(w.browser(), "/login/acme?"+query("next", next))
			if got := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || got != want {
				w.Errorf("next %.20q: %d to %.20q; %v", next, answer.StatusCode, got, w.errs)
			}
		}
	})
}

// Opening a cookie costs a derivation of keys, and a request may have thousands.
func TestBegin_OpensFewCookies(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		var all []string
		for i := range 2000 {
			all = append(all, fmt.Sprintf("__Host-Http-login-%d=x", i))
		}
		r := httptest.NewRequest("GET", sessiontest.Origin+"/login/acme", nil)
		r.Header.Set("Cookie", strings.Join(all, "; "))
		rec := httptest.NewRecorder()
		w.app.ServeHTTP(rec, r)
		if n := len(rec.Result().Cookies()); rec.Code != http.StatusSeeOther || n > 21 {
			w.Errorf("%d with %d cookies", rec.Code, n)
		}
	})
}
