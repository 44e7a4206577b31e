package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// Config describes one identity provider, and this app as its client.
type Config struct {
	_ [0]func() // named fields only

	// Issuer is the URL of the provider, as its description and its tokens spell it, such as
	// "https://accounts.google.com". It is https, but for loopback.
	Issuer string

	// ClientID is what the provider calls this app. ClientSecret proves it; empty: the app is
	// a public client, which PKCE alone protects.
	ClientID, ClientSecret string

	// RedirectURL is the URL of Callback as browsers see it. It must be registered at the
	// provider. Let each provider have one of its own. It is https, but for loopback. Empty:
	// nobody logs in with a browser; Bearer and BackChannelLogout work.
	RedirectURL string

	// Scopes are asked for beside "openid", such as "email" and "profile". Whether their claims
	// are in the ID token is up to the provider: see Identity.Claims.
	Scopes []string

	// User finds the app's user for who.Subject at this provider, or creates one, and returns a
	// Login with their id, their session_epoch and what else the app wants. AuthTime, Methods
	// and ExternalID come from the provider; methods that User sets stay.
	//
	// It must look for the subject alone: it is the one claim that a provider never gives to a
	// second user. An e-mail address can be unverified, or change its owner; to connect an
	// existing account, let its user log in first, and then at the provider:
	// session.FromContext(ctx) has the session of the browser, if a guard stands before the
	// callback. Connect only if this user has just asked for it by a form of the app: any site
	// can have a link to Login.
	//
	// An error that Is session.ErrUnauthenticated or session.ErrUserDisabled says that nobody
	// logs in: 403. Another one is answered as by guard.WriteError.
	User func(ctx context.Context, who Identity) (session.Login, error)

	// FindUser returns the id of the app's user for a subject at this provider, or "" if there
	// is none. BackChannelLogout needs it for a logout token without sid, which ends all
	// sessions that the user has begun with this provider. nil: such a token is refused.
	FindUser func(ctx context.Context, subject string) (userID string, err error)

	// ACR maps methods of guards to what the provider calls them: {"otp": "urn:example:mfa"}.
	// If RequireMethod("otp") has sent the user to log in, Begin asks for that acr. Whatever the
	// reason for the login, a token with that acr counts as the method. The values of amr are
	// methods without that (RFC 8176).
	ACR map[string]string

	// LogoutReturnURL is where the provider sends the browser after LogoutURL has ended the
	// provider's session. It must be registered there (post_logout_redirect_uri). Empty: the
	// provider shows a page of its own.
	LogoutReturnURL string

	// HomePath is where Callback sends a user whose login has no page to return to, as browsers
	// see it: with nethttp.Config.Prefix, such as "/app/". Default "/".
	HomePath string

	// ClockTolerance is how far the clocks of provider, nodes and database may be apart. Default
	// 10 seconds; at most a minute.
	ClockTolerance time.Duration

	// Client calls the provider. Default: one that ends a call after 10 seconds.
	Client *http.Client

	// OnError, if not nil, is told why a login or a logout token was refused, for logs; also
	// the errors of User. Otherwise nothing is logged, and the user is not shown why. The errors
	// hold no token and no code. Users can cause any number of them.
	OnError func(r *http.Request, err error)
}

// wellKnown is the path of a provider's description below its issuer.
const wellKnown = "/.well-known/openid-configuration"

const (
	defaultTolerance = 10 * time.Second
	maxTolerance     = time.Minute
	callTimeout      = 10 * time.Second
	maxAnswer        = 1 << 20 // bytes
)

// Provider logs users in with one identity provider. Make one with New. It is safe for
// concurrent use.
type Provider struct {
	sessions *session.Manager
	cfg      Config
	key      string // tells providers apart, and clients of one, in cookies and in Login.ExternalID
	cookies  flowCookies
	found    discovery
}

// New returns a Provider. It does not call the provider: the app starts while that is down.
// If the configuration is faulty, the error names every fault.
func New(sessions *session.Manager, cfg Config) (*Provider, error) {
	var faults []error
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Errorf("oidc: "+format, args...)) }
	if sessions == nil {
		wrong("New needs a session.Manager: make one with session.New")
	}
	if err := urlFault(cfg.Issuer); err != nil {
		wrong("Config.Issuer is %q: %w", cfg.Issuer, err)
	}
	if strings.HasSuffix(cfg.Issuer, wellKnown) {
		wrong("Config.Issuer is %q: leave out %s", cfg.Issuer, wellKnown)
	}
	if cfg.ClientID == "" {
		wrong("Config.ClientID is empty: the provider gives the app one when it is registered there")
	}
	if err := urlFault(cfg.RedirectURL); cfg.RedirectURL != "" && err != nil {
		wrong("Config.RedirectURL is %q: %w", cfg.RedirectURL, err)
	}
	if err := urlFault(cfg.LogoutReturnURL); cfg.LogoutReturnURL != "" && err != nil {
		wrong("Config.LogoutReturnURL is %q: %w", cfg.LogoutReturnURL, err)
	}
	if cfg.User == nil {
		wrong("Config.User is nil: it says which user of the app has logged in")
	}
	for method, acr := range cfg.ACR {
		if !isMethod(method) || acr == "" {
			wrong("Config.ACR has %q for %q: map a method of a guard, in printable ASCII, to a value of acr", acr, method)
		}
	}
	if cfg.HomePath == "" {
		cfg.HomePath = "/"
	}
	if !strings.HasPrefix(cfg.HomePath, "/") || strings.HasPrefix(cfg.HomePath, "//") || strings.Contains(cfg.HomePath, `\`) {
		wrong("Config.HomePath is %q: use a path of this app, such as /app/", cfg.HomePath)
	}
	if cfg.ClockTolerance == 0 {
		cfg.ClockTolerance = defaultTolerance
	}
	if cfg.ClockTolerance < 0 || cfg.ClockTolerance > maxTolerance {
		wrong("Config.ClockTolerance is %v: use at most %v", cfg.ClockTolerance, maxTolerance)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: callTimeout}
	}
	if cfg.OnError == nil {
		cfg.OnError = func(*http.Request, error) {}
	}
	sum := sha256.Sum256([]byte(cfg.Issuer + "\n" + cfg.ClientID))
	p := &Provider{sessions: sessions, cfg: cfg, key: base64.RawURLEncoding.EncodeToString(sum[:9])}
	p.cookies = flowCookies{sessions: sessions, secure: isHTTPS(cfg.RedirectURL)}
	p.found = discovery{cfg: &p.cfg}
	return p, nil
}

// urlFault says what is wrong with a URL of a provider or of the app.
func urlFault(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("use an absolute URL, without a user and a fragment")
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("use https: without it, everybody on the way can log in as the user")
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func isHTTPS(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "https"
}
