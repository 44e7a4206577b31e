package oidc_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
)

// The app starts while the provider is down, and its users are told so. Each visitor must not
// cause a call.
func TestProvider_ThatIsDownAtTheStart(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.provider.down = true
		const path = "/.well-known/openid-configuration"
		for range 50 {
			answer := get(w.browser(), "/login/acme")
			if answer.StatusCode != http.StatusServiceUnavailable || len(answer.Cookies()) != 0 || !errors.Is(w.errs[0], oidc.ErrUnavailable) {
				w.Fatalf("%d, %v; %v", answer.StatusCode, answer.Header, w.errs)
			}
		}
		if n := w.provider.called(path); n != 1 {
			w.Errorf("50 visitors cause %d calls", n)
		}
		w.provider.set(func() { w.provider.down = false })
		time.Sleep(2 * time.Second)
		w.session(w.browser())
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { w.begin(w.browser(), "/login/acme") })
		}
		all.Wait()
		if n := w.provider.called(path); n != 2 {
			w.Errorf("%d calls; want one after the outage", n)
		}
	})
}

// The description is fetched again after an hour, with the keys. While the provider is down,
// the old one is used for a day.
func TestProvider_ItsDescriptionIsFetchedAgain(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		const path = "/.well-known/openid-configuration"
		w.session(w.browser())
		time.Sleep(oidc.FreshFor - time.Second)
		w.begin(w.browser(), "/login/acme")
		if n := w.provider.called(path); n != 1 {
			w.Errorf("%d calls within the hour", n)
		}
		time.Sleep(time.Second)
		w.begin(w.browser(), "/login/acme")
		if n := w.provider.called(path); n != 2 {
			w.Errorf("%d calls after an hour", n)
		}
		w.provider.set(func() { w.provider.down = true })
		time.Sleep(oidc.UsableFor - time.Second)
		w.begin(w.browser(), "/login/acme")
		time.Sleep(2 * time.Second)
		if answer := get(w.browser(), "/login/acme"); answer.StatusCode != http.StatusServiceUnavailable {
			w.Errorf("after a day: %d", answer.StatusCode)
		}
	})
}

func TestProvider_ItsKeysChange(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.session(w.browser())
		withdrawn := w.provider.sign(w.provider.usual(claims{"exp": time.Now().Add(100 * time.Hour).Unix()}))
		w.provider.rotate("key-2")
		time.Sleep(time.Second) // go-oidc forgets the fetch that has just ended
		w.session(w.browser())  // at once, however often strangers try
		w.provider.rotate("key-3")
		time.Sleep(time.Second) // go-oidc forgets the fetch that has just ended
		w.session(w.browser())
		if err := w.bearer(withdrawn); !errors.Is(err, session.ErrUnauthenticated) {
			w.Errorf("a key that the provider does not show: %v", err)
		}
	})
}

// A key that the provider has withdrawn is refused within an hour, although no new one came.
func TestProvider_WithdrawsAKey(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		token := w.provider.sign(w.provider.usual(claims{"exp": time.Now().Add(100 * time.Hour).Unix()}))
		if err := w.bearer(token); err != nil {
			w.Fatal(err)
		}
		w.provider.rotate("key-2")
		time.Sleep(time.Second) // go-oidc forgets the fetch that has just ended
		time.Sleep(oidc.FreshFor)
		if err := w.bearer(token); !errors.Is(err, session.ErrUnauthenticated) {
			w.Errorf("after an hour: %v", err)
		}
	})
}

// A token that nobody has signed costs the provider nothing, and keeps nobody out.
func TestProvider_StrangersCannotFetchAtWill(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		b64 := base64.RawURLEncoding.EncodeToString
		good := w.provider.sign(w.provider.usual(nil))
		body := strings.Split(good, ".")[1]
		if err := w.bearer(good); err != nil {
			w.Fatal(err)
		}
		before := w.provider.called("/keys")
		for i := range 100 {
			header := fmt.Sprintf(`{"alg":"ES256","kid":"nobody's %d"}`, i)
			forged := b64([]byte(header)) + "." + body + "." + b64(make([]byte, 64))
			if err := w.bearer(forged); !errors.Is(err, session.ErrUnauthenticated) {
				w.Errorf("token %d: %v", i, err)
			}
			if answer := w.logoutToken(forged); answer.StatusCode != http.StatusBadRequest {
				w.Errorf("logout token %d: %d", i, answer.StatusCode)
			}
			if err := w.bearer(good); err != nil {
				w.Errorf("a good token after %d others: %v", i+1, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := w.provider.called("/keys") - before; n > 1 {
			w.Errorf("200 forged tokens in 10 seconds cause %d fetches of the keys", n)
		}
		w.provider.rotate("key-2")
		time.Sleep(time.Second) // go-oidc forgets the fetch that has just ended
		w.session(w.browser())  // a login with a new key does not wait for strangers
		time.Sleep(10 * time.Second)
		if err := w.bearer(w.provider.sign(w.provider.usual(nil))); err != nil {
			w.Errorf("a token of the new key, 10 seconds later: %v", err)
		}
	})
}

// What the provider says of itself can be wrong, or endless.
func TestProvider_ItsDescriptionIsChecked(t *testing.T) {
	for name, change := range map[string]claims{
		"another issuer":               {"issuer": "https://evil.test"},
		"a login without HTTPS":        {"authorization_endpoint": "http://id.test/authorize"},
		"a login that is no URL":       {"authorization_endpoint": "javascript:alert(1)"},
		"a token endpoint without TLS": {"token_endpoint": "http://id.test/token"},
		"no token endpoint":            {"token_endpoint": nil},
		"a login of this machine":      {"authorization_endpoint": "http://localhost/authorize"},
		"a token endpoint of this one": {"token_endpoint": "http://127.0.0.1:6379/"},
		"keys without TLS":             {"jwks_uri": "http://id.test/keys"},
		"keys of this machine":         {"jwks_uri": "http://[::1]/keys"},
		"no keys":                      {"jwks_uri": nil},
		"no end":                       {"x": strings.Repeat("x", 2<<20)},
		"claims of another type":       {"token_endpoint_auth_methods_supported": 7},
	} {
		inWorld(t, nil, func(w *world) {
			w.provider.metadata = with(w.provider.metadata, change)
			if answer := get(w.browser(), "/login/acme"); answer.StatusCode != http.StatusServiceUnavailable || len(answer.Cookies()) != 0 {
				w.Errorf("%s: %d, %v", name, answer.StatusCode, answer.Header)
			}
		})
	}
}

// Whoever has misspelt the issuer reads in the log where the app has looked.
func TestProvider_TheErrorNamesItsDescription(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.provider.metadata = with(w.provider.metadata, claims{"issuer": issuer + "/"})
		get(w.browser(), "/login/acme")
		if len(w.errs) != 1 || !strings.Contains(w.errs[0].Error(), issuer+"/.well-known/openid-configuration: ") {
			w.Errorf("%v", w.errs)
		}
	})
}

// How the app proves who it is. A code can be used once, so no way is tried in vain.
func TestProvider_AuthenticatesTheApp(t *testing.T) {
	for name, c := range map[string]struct {
		methods any
		status  int
	}{
		"basic":               {[]string{"client_secret_post", "client_secret_basic"}, http.StatusSeeOther},
		"not said":            {nil, http.StatusSeeOther},
		"in the form alone":   {[]string{"client_secret_post"}, http.StatusBadGateway}, // the fake takes basic alone
		"a way of the rest's": {[]string{"private_key_jwt"}, http.StatusBadGateway},
	} {
		inWorld(t, nil, func(w *world) {
			w.provider.metadata = with(w.provider.metadata, claims{"token_endpoint_auth_methods_supported": c.methods})
			if answer := w.login(w.browser(), "/login/acme"); answer.StatusCode != c.status {
				w.Errorf("%s: %d; %v", name, answer.StatusCode, w.errs)
			}
			if n := w.provider.called("/token"); n != 1 {
				w.Errorf("%s: %d calls of the token endpoint", name, n)
			}
		})
	}
}

// The keys may be down alone. Then the old ones go on, as when all of the provider is.
func TestProvider_WhoseKeysAreDown(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		bearer := func() error { return w.bearer(w.provider.sign(w.provider.usual(nil))) }
		if err := bearer(); err != nil {
			w.Fatal(err)
		}
		w.provider.set(func() { w.provider.keysDown = true })
		time.Sleep(oidc.FreshFor)
		if err := bearer(); err != nil {
			w.Errorf("after an hour: %v", err)
		}
		time.Sleep(oidc.UsableFor)
		if err := bearer(); !errors.Is(err, oidc.ErrUnavailable) {
			w.Errorf("after a day: %v", err)
		}
	})
}
