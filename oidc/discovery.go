package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

const (
	freshFor   = time.Hour        // the provider's description and keys are fetched again after it
	usableFor  = 24 * time.Hour   // and go on for so long while the provider is down
	retryAfter = 2 * time.Second  // the shortest time between two fetches of the description that fail
	fetchEvery = 10 * time.Second // the shortest time between two fetches of the keys that strangers cause
	patience   = time.Second      // how long a logout waits for the description, and others for a newer one
)

// ErrUnavailable says that the provider does not answer.
var ErrUnavailable = errors.New("oidc: the identity provider does not answer")

// description is what the provider says of itself, with its keys.
type description struct {
	oauth      oauth2.Config
	idTokens   *gooidc.IDTokenVerifier // for tokens that the provider itself has handed over
	strangers  *gooidc.IDTokenVerifier // for tokens that anybody can send
	endSession string                  // empty: the provider has no logout
	namesIss   bool                    // each answer names the issuer (RFC 9207)
	fetched    time.Time
}

// discovery fetches and keeps the description of a provider. It is safe for concurrent use.
type discovery struct {
	cfg    *Config
	flight singleflight.Group

	mu       sync.Mutex // guards what follows
	current  *description
	lastFail time.Time
	lastErr  error
}

// get returns a description that is at most freshFor old, or older while the provider is
// down, or takes longer than patience. Else the error Is ErrUnavailable.
func (d *discovery) get() (*description, error) {
	found, err, final := d.known()
	if final {
		return found, err
	}
	if found != nil {
		return d.await()
	}
	_, _, _ = d.flight.Do("", d.refresh)
	found, err, _ = d.known()
	return found, err
}

// getSoon is get for a caller that must not wait for the provider: it takes any description that
// is known, and waits for patience at most.
func (d *discovery) getSoon() (*description, error) {
	found, err, final := d.known()
	if found != nil || final {
		return found, err
	}
	return d.await()
}

// await refreshes the description, and returns what is known then, or after patience.
func (d *discovery) await() (*description, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	late := false
	select {
	case <-d.flight.DoChan("", d.refresh):
	case <-timer.C:
		late = true
	}
	found, err, _ := d.known()
	if found == nil && late {
		return nil, fmt.Errorf("%w within %v", ErrUnavailable, patience)
	}
	return found, err
}

// refresh fetches the description if that is due. It returns nothing: see known.
func (d *discovery) refresh() (any, error) {
	if _, _, final := d.known(); final {
		return nil, nil
	}
	found, err := d.fetch()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.lastFail, d.lastErr = time.Now(), fmt.Errorf("%w: %w", ErrUnavailable, brief(err))
		return nil, nil
	}
	d.current, d.lastFail, d.lastErr = found, time.Time{}, nil
	return nil, nil
}

// known returns what is known without a fetch, and whether no fetch is due.
func (d *discovery) known() (found *description, err error, final bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if d.current != nil && now.Sub(d.current.fetched) < freshFor {
		return d.current, nil, true
	}
	failed := d.lastErr != nil && now.Sub(d.lastFail) < retryAfter
	if d.current != nil && now.Sub(d.current.fetched) < usableFor {
		return d.current, nil, failed
	}
	return nil, d.lastErr, failed
}

// fetch asks the provider. Its context has no deadline: go-oidc keeps it for the fetches of
// the keys. The client's timeout bounds each call.
func (d *discovery) fetch() (*description, error) {
	ctx := gooidc.ClientContext(context.Background(), bounded(d.cfg.Client, nil))
	provider, err := gooidc.NewProvider(ctx, d.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("the description of Config.Issuer, %s: %w", strings.TrimSuffix(d.cfg.Issuer, "/")+wellKnown, err)
	}
	var more struct {
		EndSession  string   `json:"end_session_endpoint"`
		Keys        string   `json:"jwks_uri"`
		NamesIss    bool     `json:"authorization_response_iss_parameter_supported"`
		AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, err
	}
	if d.endpointFault("end_session_endpoint", more.EndSession) != nil {
		more.EndSession = ""
	}
	endpoint := provider.Endpoint()
	err = errors.Join(
		d.endpointFault("authorization_endpoint", endpoint.AuthURL),
		d.endpointFault("token_endpoint", endpoint.TokenURL),
		d.endpointFault("jwks_uri", more.Keys), // whoever changes the keys on the way logs in as anybody
	)
	if err != nil {
		return nil, fmt.Errorf("its description: %w", err)
	}
	if err := tryKeys(ctx, bounded(d.cfg.Client, nil), more.Keys); err != nil {
		return nil, fmt.Errorf("its keys: %w", err)
	}
	endpoint.AuthStyle = authStyle(d.cfg.ClientSecret, more.AuthMethods)
	now := func() time.Time { return time.Now().Add(-d.cfg.ClockTolerance) } // for exp alone
	check := &gooidc.Config{ClientID: d.cfg.ClientID, Now: now}
	ofStrangers := gooidc.ClientContext(context.Background(), bounded(d.cfg.Client, &keyFetches{}))
	return &description{
		oauth: oauth2.Config{
			ClientID:     d.cfg.ClientID,
			ClientSecret: d.cfg.ClientSecret,
			RedirectURL:  d.cfg.RedirectURL,
			Endpoint:     endpoint,
			Scopes:       append([]string{gooidc.ScopeOpenID}, d.cfg.Scopes...),
		},
		idTokens:   provider.VerifierContext(ctx, check),
		strangers:  provider.VerifierContext(ofStrangers, check),
		endSession: more.EndSession,
		namesIss:   more.NamesIss,
		fetched:    time.Now(),
	}, nil
}

// tryKeys fetches the keys once, in vain: go-oidc fetches them at their first use, and a new
// description without its keys must not take the place of an old one.
func tryKeys(ctx context.Context, client *http.Client, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// endpointFault says what is wrong with a URL in the description. One of this machine is for a
// provider of this machine.
func (d *discovery) endpointFault(name, raw string) error {
	err := urlFault(raw)
	if err == nil && isHTTPS(d.cfg.Issuer) && !isHTTPS(raw) {
		err = errors.New("use https, as the issuer does")
	}
	if err != nil {
		return fmt.Errorf("%s is %q: %w", name, clip(raw), err)
	}
	return nil
}

// authStyle says how the app proves who it is. x/oauth2 would try one way after the other, and
// a code can be used once. Without a list, the way is client_secret_basic (OpenID Connect
// Discovery 1.0, section 3).
func authStyle(secret string, methods []string) oauth2.AuthStyle {
	if secret == "" || len(methods) > 0 && !slices.Contains(methods, "client_secret_basic") {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

// bounded returns a client that ends each call after callTimeout at the latest, reads at most
// maxAnswer bytes of each answer, and follows no redirect that could give a secret away or take
// keys from anybody. keys, if not nil, bounds the fetches.
func bounded(client *http.Client, keys *keyFetches) *http.Client {
	c := *client
	if c.Timeout <= 0 || c.Timeout > callTimeout {
		c.Timeout = callTimeout
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	c.Transport = limitAnswers{c.Transport}
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		switch {
		case via[0].Method != http.MethodGet || via[0].URL.Scheme == "https" && r.URL.Scheme != "https":
			return errRedirect
		case client.CheckRedirect != nil:
			return client.CheckRedirect(r, via)
		case len(via) >= maxRedirects:
			return errRedirect
		}
		return nil
	}
	if keys != nil {
		keys.base = c.Transport
		c.Transport = keys
	}
	return &c
}

// errRedirect says that a call must not follow. The code and the client's secret are for the
// token endpoint alone, and what comes without TLS may be anybody's.
var errRedirect = errors.New("the provider redirects a request that must not be, to a URL without https, or without end")

const maxRedirects = 10 // as net/http

// limitAnswers cuts answers: what is read of them then is no JSON.
type limitAnswers struct{ base http.RoundTripper }

func (l limitAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.base.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	}
	return answer, err
}

var errFetchedRecently = errors.New("the provider's keys have just been fetched")

// keyFetches passes on one request in fetchEvery, and refuses the others. go-oidc fetches the
// keys whenever none of those that it holds fits a token, and every stranger can write such a
// token. A token of a new key is accepted fetchEvery later at most.
type keyFetches struct {
	base http.RoundTripper
	mu   sync.Mutex // guards next
	next time.Time
}

func (k *keyFetches) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Response == nil && !k.begin() { // a redirect belongs to a request that was passed on
		return nil, errFetchedRecently
	}
	return k.base.RoundTrip(r)
}

func (k *keyFetches) begin() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if now.Before(k.next) {
		return false
	}
	k.next = now.Add(fetchEvery)
	return true
}
