package session_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

func TestIsPrefetch_FindsTheTokenInEachHeader(t *testing.T) {
	for value, want := range map[string]bool{
		"prefetch":                     true, // Firefox, Safari, Turbo
		"prefetch;prerender":           true, // Chromium
		"prefetch;anonymous-client-ip": true, // Chromium, through its proxy
		"prefetch;prerender;preview":   true, // Chromium, for a preview of a link
		"preview":                      true, // Safari's start page
		"Prefetch":                     true,
		"PREVIEW":                      true,
		" prefetch ; prerender":        true,
		"prerender, prefetch":          true,
		"prefetch=?1":                  true,
		"":                             false,
		"prerender":                    false,
		"x-prefetch":                   false,
		"prefetches":                   false,
		"instant-preview":              false,
		"fetch":                        false,
	} {
		for _, name := range []string{"Sec-Purpose", "X-Sec-Purpose", "Purpose", "X-Purpose"} {
			r := &http.Request{Header: http.Header{name: {"", value}}}
			if got := session.IsPrefetch(r); got != want {
				t.Errorf("%s: %q: %v; want %v", name, value, got, want)
			}
		}
		for _, name := range []string{"Accept", "Sec-Fetch-Dest", "Xpurpose"} {
			if session.IsPrefetch(&http.Request{Header: http.Header{name: {value}}}) {
				t.Errorf("%s: %q counts as a prefetch", name, value)
			}
		}
	}
}

// Turbo never asks again for what a hover over a link in a frame has got. Any other prefetch
// stays one, whoever adds the header.
func TestIsPrefetch_TurboFrame(t *testing.T) {
	for name, want := range map[string]bool{"Sec-Purpose": true, "X-Sec-Purpose": false, "Purpose": true, "X-Purpose": true} {
		r := &http.Request{Header: http.Header{name: {"prefetch"}, "Turbo-Frame": {"cart"}}}
		if got := session.IsPrefetch(r); got != want {
			t.Errorf("%s beside Turbo-Frame: %v; want %v", name, got, want)
		}
	}
}

// A prefetch is answered from the access cookie alone, or not at all. Its page may never
// be shown and its cookies may never be stored, so a refresh for it would end in the
// reuse of the parent or of the child.
func TestManager_PrefetchNeverAsksTheStore(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(w *testWorld, b *sessiontest.Browser)
		want error
	}{
		{"a good access cookie", func(w *testWorld, b *sessiontest.Browser) { w.login(b, session.Login{}) }, nil},
		{"a good access cookie alone", func(w *testWorld, b *sessiontest.Browser) {
			w.login(b, session.Login{})
			b.Delete(func(name string) bool { return name != accessCookie })
		}, nil},
		{"an expired access cookie", func(w *testWorld, b *sessiontest.Browser) {
			w.login(b, session.Login{})
			w.expireAccess()
		}, session.ErrStoreUnavailable},
		{"an expired access cookie, sent all the same", func(w *testWorld, b *sessiontest.Browser) {
			w.login(b, session.Login{})
			*b = *b.CloneIgnoringExpiry()
			w.expireAccess()
		}, session.ErrStoreUnavailable},
		{"a session that this node has ended", func(w *testWorld, b *sessiontest.Browser) {
			w.login(b, session.Login{})
			if _, err := w.Logout(page(b)); err != nil {
				w.Fatal(err)
			}
		}, session.ErrStoreUnavailable},
		{"an access cookie that cannot be opened", func(w *testWorld, b *sessiontest.Browser) {
			b.Receive([]*http.Cookie{{Name: accessCookie, Value: "x", Path: "/", Secure: true, HttpOnly: true}})
		}, session.ErrStoreUnavailable},
		{"an emptied access cookie", func(w *testWorld, b *sessiontest.Browser) {
			b.Receive([]*http.Cookie{{Name: accessCookie, Path: "/", Secure: true, HttpOnly: true}})
		}, session.ErrUnauthenticated},
		{"another app's cookie", func(w *testWorld, b *sessiontest.Browser) {
			b.Receive([]*http.Cookie{{Name: "theme", Value: "dark", Path: "/", Secure: true, HttpOnly: true}})
		}, session.ErrUnauthenticated},
		{"no cookie", func(*testWorld, *sessiontest.Browser) {}, session.ErrUnauthenticated},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			c.make(w, b)
			r := page(b)
			r.Header.Set("Sec-Purpose", "prefetch;prerender")
			var v session.Verdict
			var err error
			if n := w.calls(func() { v, err = w.Authenticate(r) }); n != 0 {
				w.Errorf("%s: %d statements; want 0", c.name, n)
			}
			if !errors.Is(err, c.want) || errors.Is(err, session.ErrStoreUnavailable) && errors.Is(err, session.ErrUnauthenticated) {
				w.Errorf("%s: %v; want %v", c.name, err, c.want)
			}
			if len(v.Cookies) != 0 || (v.Session().ID != "") != (c.want == nil) {
				w.Errorf("%s: cookies %v, session %q", c.name, v.Cookies, v.Session().ID)
			}
		})
	}
}

// A thief who sends every request as a prefetch gets no further than the access cookie
// that he has copied, and the click after a prefetch is an ordinary request.
func TestManager_PrefetchGetsNoChild(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		thief := b.CloneIgnoringExpiry()
		for range 100 {
			w.expireAccess()
			r := page(thief)
			r.Header.Set("Sec-Purpose", "prefetch")
			v, err := w.Authenticate(r)
			if !errors.Is(err, session.ErrStoreUnavailable) || len(v.Cookies) != 0 {
				w.Fatalf("the thief's prefetch: %v, cookies %v; want ErrStoreUnavailable without cookies", err, v.Cookies)
			}
			w.in(b)
		}
		w.expireAccess()
		w.wantCookies("the click", w.answered(b).Cookies, accessCookie, oddRefreshCookie)
	})
}
