package session_test

import (
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// prefetch returns the answer to a prefetch request of the browser.
func (w *testWorld) prefetch(b *sessiontest.Browser, purpose string) session.Verdict {
	w.Helper()
	r := page(b)
	r.Header.Set("Sec-Purpose", purpose)
	v, err := w.Authenticate(r)
	if err != nil {
		w.Fatalf("a prefetch: %v; want a session", err)
	}
	return v
}

// The user may never open a prefetched page, and the browser may never store its
// cookies. So a prefetch changes nothing as long as the session has time left.
func TestManager_PrefetchChangesNothingInTheFirstHalfOfTheIdleTime(t *testing.T) {
	for _, c := range []struct {
		name     string
		remember bool
		idle     time.Duration
	}{
		{"plain", false, 30 * time.Minute},
		{"remembered", true, 30 * day},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			w.login(b, session.Login{Remember: c.remember})
			for _, ticket := range []string{"the login's", "a child"} {
				issued := time.Now()
				for _, at := range []struct {
					age     time.Duration
					cookies []string
				}{
					{2 * time.Minute, []string{accessCookie}},
					{c.idle/2 - 10*time.Millisecond, []string{accessCookie}},
					{c.idle / 2, []string{accessCookie, refreshCookie}},
					{c.idle - time.Second, []string{accessCookie, refreshCookie}},
				} {
					time.Sleep(time.Until(issued.Add(at.age)))
					what := c.name + ", " + ticket + " ticket of " + at.age.String()
					node := w.node(session.Config{}) // it shares no earlier answer
					w.wantCookies(what, node.prefetch(b, "prefetch").Cookies, at.cookies...)
					if n := node.store.Calls("Confirm"); len(at.cookies) == 1 && n != 0 {
						w.Errorf("%s: %d calls of Confirm; want 0", what, n)
					}
				}
				w.in(b)
			}
		})
	}
}

func TestManager_PrefetchIsRecognizedBySecPurpose(t *testing.T) {
	for purpose, prefetch := range map[string]bool{
		"prefetch": true, "prefetch;prerender": true, "prefetch;anonymous-client-ip": true,
		"": false, "x-prefetch": false, "prerender": false, "preview": false,
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			w.login(b, session.Login{})
			w.expireAccess()
			want := []string{accessCookie, refreshCookie}
			if prefetch {
				want = want[:1]
			}
			w.wantCookies("Sec-Purpose "+purpose, w.prefetch(b, purpose).Cookies, want...)
		})
	}
}

// A click may follow a prefetch at once, and a prefetch of another page may follow a
// click. Neither gets the answer of the other.
func TestManager_PrefetchSharesNoAnswerWithARequest(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.expireAccess()
		w.in(b)
		w.expireAccess()
		w.wantCookies("the prefetch", w.prefetch(b, "prefetch").Cookies, accessCookie)
		if n := w.calls(func() { w.wantCookies("the click", w.answered(b).Cookies, accessCookie, refreshCookie) }, "Confirm"); n != 1 {
			w.Errorf("the click made %d calls of Confirm; want 1", n)
		}
		w.wantCookies("a prefetch after it", w.prefetch(b, "prefetch").Cookies, accessCookie)
	})
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.expireAccess()
		w.store.Delay(100 * time.Millisecond)
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.wantCookies("the prefetch in flight", w.prefetch(b, "prefetch").Cookies, accessCookie)
		}()
		time.Sleep(50 * time.Millisecond)
		w.wantCookies("the click in flight", w.answered(b).Cookies, accessCookie, refreshCookie)
		<-done
	})
}
