package oidc_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
)

// misbehaving answers some requests of the app in place of a provider. The answer nil hangs.
type misbehaving struct {
	base http.RoundTripper

	mu     sync.Mutex         // guards what follows
	answer map[string]*answer // by path
	asked  []string           // the requests, in order
}

type answer struct {
	status         int
	location, body string
}

func (m *misbehaving) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	m.asked = append(m.asked, r.Method+" "+r.URL.String())
	a, ok := m.answer[r.URL.Path]
	m.mu.Unlock()
	if !ok {
		return m.base.RoundTrip(r)
	}
	if a == nil {
		return hanging{}.RoundTrip(r)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if a.location != "" {
		header.Set("Location", a.location)
	}
	return &http.Response{StatusCode: a.status, Status: fmt.Sprint(a.status), Header: header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// whose puts itself between the app and the provider of a Config.
func (m *misbehaving) whose(cfg *oidc.Config) {
	m.base = cfg.Client.Transport
	cfg.Client = &http.Client{Transport: m, CheckRedirect: cfg.Client.CheckRedirect}
}

// A redirect must take neither the code and the secret to another place, nor the keys from a
// place that anybody on the way can be.
func TestProvider_ItsRedirects(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		to     string
		code   int
		status int // of the login
		asks   bool
	}{
		"the description, with TLS": {"/.well-known/openid-configuration", issuer + "/moved", 302, 503, true},
		"the description, without":  {"/.well-known/openid-configuration", "http://169.254.169.254/latest", 302, 503, false},
		"the keys, with TLS":        {"/keys", "https://keys.test/moved", 301, 503, true},
		"the keys, without":         {"/keys", "http://id.test/moved", 301, 503, false},
		"the keys, in a circle":     {"/keys", issuer + "/keys", 302, 503, true},
		"the code as a GET":         {"/token", "https://evil.test/steal", 302, 502, false},
		"the code with the secret":  {"/token", "https://evil.test/steal", 307, 502, false},
		"the code, on its own host": {"/token", issuer + "/steal", 308, 502, false},
	} {
		m := &misbehaving{answer: map[string]*answer{c.path: {status: c.code, location: c.to}}}
		inWorld(t, m.whose, func(w *world) {
			b := w.browser()
			got := get(b, "/login/acme")
			if got.StatusCode == http.StatusSeeOther {
				got = comeBack(b, w.provider.visit(got.Header.Get("Location")))
			}
			if got.StatusCode != c.status {
				w.Errorf("%s: %d; %v", name, got.StatusCode, w.errs)
			}
			n := 0
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, request := range m.asked {
				if request == "GET "+c.to || request == "POST "+c.to {
					n++
				}
			}
			if (n > 0) != c.asks || n > 10 {
				w.Errorf("%s: the app has asked %q", name, m.asked)
			}
		})
	}
}

// The rules of the app's own client come on top.
func TestProvider_TheClientJudgesRedirectsToo(t *testing.T) {
	m := &misbehaving{answer: map[string]*answer{"/keys": {status: 302, location: "https://internal.test/keys"}}}
	inWorld(t, func(cfg *oidc.Config) {
		m.whose(cfg)
		cfg.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("not from here") }
	}, func(w *world) {
		if answer := get(w.browser(), "/login/acme"); answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(w.errs[0].Error(), "not from here") {
			w.Errorf("%d; %v", answer.StatusCode, w.errs)
		}
	})
}

// A page of the provider, or a token of a stranger, must not fill the log, nor forge its lines.
func TestOnError_IsToldShortLines(t *testing.T) {
	long := strings.Repeat("an error\n", 50_000)
	for name, m := range map[string]*misbehaving{
		"the description that is an error": {answer: map[string]*answer{"/.well-known/openid-configuration": {status: 500, body: long}}},
		"the description that is no JSON":  {answer: map[string]*answer{"/.well-known/openid-configuration": {status: 200, body: long}}},
		"the keys that are an error":       {answer: map[string]*answer{"/keys": {status: 500, body: long}}},
		"the keys that are no JSON":        {answer: map[string]*answer{"/keys": {status: 200, body: long}}},
		"the tokens that are an error":     {answer: map[string]*answer{"/token": {status: 400, body: `{"error":"` + strings.Repeat("x", 5000) + `"}`}}},
		"a token of a stranger":            {},
	} {
		inWorld(t, m.whose, func(w *world) {
			b := w.browser()
			if got := get(b, "/login/acme"); got.StatusCode == http.StatusSeeOther {
				comeBack(b, w.provider.visit(got.Header.Get("Location")))
			}
			b64 := base64.RawURLEncoding.EncodeToString
			w.logoutToken(b64([]byte(`{"alg":"`+strings.Repeat("x", 9000)+`"}`)) + "." + b64([]byte("{}")) + "." + b64(make([]byte, 64)))
			if len(w.errs) == 0 {
				w.Fatalf("%s: OnError was told nothing", name)
			}
			for _, err := range w.errs {
				if text := err.Error(); len(text) > 600 || strings.Contains(text, "\n") {
					w.Errorf("%s: OnError was told %d bytes: %.700q", name, len(text), text)
				}
			}
		})
	}
}

// While the provider hangs, what needs its keys goes on with the old ones, and waits no longer
// than a second.
func TestProvider_ThatHangsAfterAnHour(t *testing.T) {
	m := &misbehaving{answer: map[string]*answer{}}
	inWorld(t, m.whose, func(w *world) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+w.provider.sign(w.provider.usual(claims{"exp": time.Now().Add(100 * time.Hour).Unix()})))
		if _, err := w.acme.Bearer(r); err != nil {
			w.Fatal(err)
		}
		time.Sleep(oidc.FreshFor)
		m.mu.Lock()
		m.answer["/.well-known/openid-configuration"] = nil
		m.mu.Unlock()
		for range 20 {
			begun := time.Now()
			if _, err := w.acme.Bearer(r); err != nil || time.Since(begun) > time.Second {
				w.Errorf("%v after %v", err, time.Since(begun))
			}
			time.Sleep(time.Second)
		}
		time.Sleep(oidc.UsableFor)
		if _, err := w.acme.Bearer(r); !errors.Is(err, oidc.ErrUnavailable) || errors.Is(err, session.ErrUnauthenticated) {
			w.Errorf("after a day: %v", err)
		}
		time.Sleep(10 * time.Second) // the call ends
	})
}
