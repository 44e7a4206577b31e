// Package token has the endpoints of OAuth for clients that are not browsers, such as a mobile
// app, a command line or a partner's server. They are plain handlers on top of session.Tokens:
//
//	server, err := token.New(sessions.Tokens(), token.Config{Client: token.SecretAuth(verify)})
//	mux.HandleFunc("POST /oauth/token", server.Token)
//	mux.HandleFunc("POST /oauth/revoke", server.Revoke)
//
// A client gets its first tokens in one of three ways. The app logs the user in by itself, and
// answers with Write what session.Tokens.Issue returns. A page of the app shows them to a user
// who copies them. Or the client is a device, such as a command line, and the user approves it
// in a browser: see Server.Device. From then on the client lives on Server.Token.
//
// The requests carry no cookies of the kit, so the endpoints are public routes of a guard.
// Pages of other sites cannot call them: no answer allows it (CORS).
//
// This is no authorization server for other people's apps. It has no consent, no scopes, no
// authorization endpoint and no OpenID Connect. Where third parties log users in, take a
// server such as Ory Hydra, Keycloak or zitadel, or the library ory/fosite.
package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// Config is what an app chooses. Client is needed, and the rest only by some endpoints.
type Config struct {
	_ [0]func() // named fields only

	// Client authenticates the client that sends a request, and returns its id, which becomes
	// session.Login.Client: see SecretAuth. Its errors say ErrInvalidClient if the client is
	// unknown or proves nothing, ErrUnauthorizedClient if it may not send this request, and
	// anything else if it cannot tell, which answers 503. It can read r.PostForm. It must be
	// safe for concurrent use, and limit the rate of attempts.
	Client func(r *http.Request) (id string, err error)

	// Service does the same for Introspect. Never let a client in whose secret is in the
	// hands of its users: it could find out whose token it has found.
	Service func(r *http.Request) (id string, err error)

	// VerificationURI is the URL of the page on which the user enters the code of a device, as
	// short as possible: people type it. Device needs it.
	VerificationURI string

	// OnError is called with what a client is not told: why an answer is a 500 or a 503. It
	// must be safe for concurrent use. Default: nothing.
	OnError func(r *http.Request, err error)
}

// Server holds the endpoints. Each method is an http.HandlerFunc, for any path. It is safe for
// concurrent use. Make one with New.
type Server struct {
	tokens session.Tokens
	cfg    Config
}

// New returns a Server. The error names every fault of the configuration.
func New(tokens session.Tokens, cfg Config) (*Server, error) {
	var faults []error
	if tokens == (session.Tokens{}) {
		faults = append(faults, errors.New("token: New needs session.Tokens: call Manager.Tokens"))
	} else if !tokens.Enabled() {
		faults = append(faults, errors.New("token: session.Config.TokenTTL is 0: set it, for example to 10 minutes"))
	}
	if uri, err := url.Parse(cfg.VerificationURI); cfg.VerificationURI != "" && (err != nil || !uri.IsAbs() || uri.Host == "") {
		faults = append(faults, fmt.Errorf("token: Config.VerificationURI is %q: give the whole URL, such as https://app.example/device, which a device shows", cfg.VerificationURI))
	}
	if cfg.Client == nil {
		faults = append(faults, errors.New("token: Config.Client is not set: it authenticates clients, see SecretAuth"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if cfg.OnError == nil {
		cfg.OnError = func(*http.Request, error) {}
	}
	return &Server{tokens, cfg}, nil
}

// grantTypes are what Token knows, by the names of RFC 6749, section 6, and of RFC 8628,
// section 3.4. A new one is a row here.
var grantTypes = map[string]func(s *Server, r *http.Request, client string) (session.Grant, error){
	"refresh_token": func(s *Server, r *http.Request, client string) (session.Grant, error) {
		token, err := parameter(r, "refresh_token")
		if err != nil {
			return session.Grant{}, err
		}
		return s.tokens.Refresh(r, client, token)
	},
	"urn:ietf:params:oauth:grant-type:device_code": func(s *Server, r *http.Request, client string) (session.Grant, error) {
		code, err := parameter(r, "device_code")
		if err != nil {
			return session.Grant{}, err
		}
		return s.tokens.PollDevice(r, client, code)
	},
}

// Token is the token endpoint (RFC 6749, section 3.2): it takes a refresh token or a device
// code, and answers with new tokens. A client whose answer was lost sends the same request
// again. An answer without a refresh token leaves the client the one that it has (section 6).
// Scopes are ignored.
func (s *Server) Token(w http.ResponseWriter, r *http.Request) {
	client, ok := s.begin(w, r, s.cfg.Client)
	if !ok {
		return
	}
	name, err := parameter(r, "grant_type")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	grant, ok := grantTypes[name]
	if !ok {
		s.fail(w, r, errGrantType)
		return
	}
	g, err := grant(s, r, client)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	_ = Write(w, g) // the client is gone
}

// Revoke is the revocation endpoint (RFC 7009). Either token of a session ends it. The answer is
// 200 also for a token that is unknown or whose session is over.
func (s *Server) Revoke(w http.ResponseWriter, r *http.Request) {
	client, ok := s.begin(w, r, s.cfg.Client)
	if !ok {
		return
	}
	token, err := parameter(r, "token")
	if err == nil {
		err = s.tokens.Revoke(r, client, token)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// Introspect is the introspection endpoint (RFC 7662), by which another service of the app's
// learns what a token is worth now. Config.Service authenticates the service: without it the
// answer is always 401. It costs one statement.
//
// The answer has the members active, sub, client_id, iat and exp of the RFC, and sid, auth_time,
// amr and roles, which have the meaning of session.Session.
func (s *Server) Introspect(w http.ResponseWriter, r *http.Request) {
	authenticate := s.cfg.Service
	if authenticate == nil {
		authenticate = func(*http.Request) (string, error) { return "", ErrInvalidClient }
	}
	if _, ok := s.begin(w, r, authenticate); !ok {
		return
	}
	token, err := parameter(r, "token")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	found, err := s.tokens.Introspect(r, token)
	if err != nil && !errors.Is(err, session.ErrUnauthenticated) {
		s.fail(w, r, err)
		return
	}
	if err != nil {
		_ = writeJSON(w, http.StatusOK, struct {
			Active bool `json:"active"`
		}{})
		return
	}
	_ = writeJSON(w, http.StatusOK, struct {
		Active   bool     `json:"active"`
		Subject  string   `json:"sub"`
		Client   string   `json:"client_id"`
		IssuedAt int64    `json:"iat"`
		Expires  int64    `json:"exp"`
		Session  string   `json:"sid"`
		AuthTime int64    `json:"auth_time"`
		Methods  []string `json:"amr,omitempty"`
		Roles    []string `json:"roles,omitempty"`
	}{true, found.UserID, found.Client, found.IssuedAt.Unix(), found.ExpiresAt.Unix(), found.ID, found.AuthTime.Unix(), found.Methods, found.Roles})
}

// Write answers with the tokens of a client (RFC 6749, section 5.1). It returns the error of
// the writer, if any.
func Write(w http.ResponseWriter, g session.Grant) error {
	return writeJSON(w, http.StatusOK, struct {
		AccessToken  string `json:"access_token"`
		TokenType    string `json:"token_type"`
		ExpiresIn    int64  `json:"expires_in"`
		RefreshToken string `json:"refresh_token,omitempty"`
	}{g.AccessToken, "Bearer", seconds(g.ExpiresIn), g.RefreshToken})
}

// seconds rounds down: a client should not believe that a token lives longer than it does. The
// last second is an exception: clients take 0 for a token that never expires.
func seconds(d time.Duration) int64 { return max(1, int64(d/time.Second)) }

// writeJSON keeps every answer from caches (RFC 6749, section 5.1).
func writeJSON(w http.ResponseWriter, status int, body any) error {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(body)
}

// maxBody is how much of a request is read, in bytes, and maxWait for how long. The longest
// token has 4 KB.
const (
	maxBody = 64 << 10
	maxWait = 30 * time.Second
)

// begin reads the form of a request and authenticates its sender. If ok is false, it has
// answered.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, authenticate func(*http.Request) (string, error)) (id string, ok bool) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "this needs a POST", http.StatusMethodNotAllowed)
		return "", false
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(maxWait)) // a test's recorder has none
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, invalidRequest("the body is no form of at most 64 KB, or came too slowly"))
		return "", false
	}
	for _, values := range r.PostForm {
		if len(values) > 1 { // RFC 6749, section 3.2
			s.fail(w, r, invalidRequest("a parameter is sent more than once"))
			return "", false
		}
	}
	id, err := authenticate(r)
	if err != nil {
		if !errors.Is(err, ErrInvalidClient) && !errors.Is(err, ErrUnauthorizedClient) && !errors.As(err, new(invalidRequest)) {
			err = fmt.Errorf("%w: authenticating a client: %v", session.ErrStoreUnavailable, err) // err may be one of session's, which mean something else
		}
		s.fail(w, r, err)
		return "", false
	}
	return id, true
}

// parameter returns a parameter of the form. One without a value counts as left out (RFC 6749,
// section 3.2).
func parameter(r *http.Request, name string) (string, error) {
	value := r.PostForm.Get(name)
	if value == "" {
		return "", invalidRequest(name + " is missing")
	}
	return value, nil
}
