package oidc_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/oidc"
)

// hanging is a provider that accepts connections, and answers nothing.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// hangs makes the provider of a Config hang, for a client with the given timeout.
func hangs(timeout time.Duration) func(*oidc.Config) {
	return func(cfg *oidc.Config) { cfg.Client = &http.Client{Transport: hanging{}, Timeout: timeout} }
}

func TestProvider_ThatHangsIsLeftAfterTenSeconds(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: 10 * time.Second, time.Minute: 10 * time.Second, 3 * time.Second: 3 * time.Second} {
		inWorld(t, hangs(timeout), func(w *world) {
			begun := time.Now()
			answer := get(w.browser(), "/login/acme")
			if took := time.Since(begun); answer.StatusCode != http.StatusServiceUnavailable || took != want || !errors.Is(w.errs[0], oidc.ErrUnavailable) {
				w.Errorf("with the timeout %v: %d after %v, %v; want 503 after %v", timeout, answer.StatusCode, took, w.errs, want)
			}
		})
	}
}

// The session ends after LogoutURL has returned.
func TestLogoutURL_DoesNotWaitForAProviderThatHangs(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		b := w.browser()
		w.session(b)
		w.build(hangs(0)) // a node that has just started
		other := w.browser()
		other.Jar = b.Jar
		b = other
		begun := time.Now()
		answer := b.PostForm("/logout", nil)
		if took := time.Since(begun); answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/login" || took != time.Second {
			w.Errorf("%d to %q after %v; want the login page after a second", answer.StatusCode, answer.Header.Get("Location"), took)
		}
		if len(w.errs) != 1 || !errors.Is(w.errs[0], oidc.ErrUnavailable) {
			w.Errorf("the errors are %v", w.errs)
		}
		w.out("after the logout", b)
		time.Sleep(10 * time.Second) // the call ends
	})
}

// Its address is good for a logout, although a login would ask for a newer one.
func TestLogoutURL_TakesAnOldDescription(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.session(w.browser())
		time.Sleep(oidc.FreshFor - time.Minute)
		b := w.browser()
		w.session(b)
		time.Sleep(2 * time.Minute)
		answer := b.PostForm("/logout", nil)
		if to := answer.Header.Get("Location"); !strings.HasPrefix(to, issuer+"/logout?") {
			w.Errorf("the logout leads to %q", to)
		}
		if n := w.provider.called("/.well-known/openid-configuration"); n != 1 {
			w.Errorf("%d calls; want the one of the first login", n)
		}
	})
}
