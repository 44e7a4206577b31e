package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/sessionkit/sessionkit/session"
)

const (
	maxLogoutAge  = 2 * time.Minute // of a logout token
	maxLogoutForm = 64 << 10        // bytes
	endTimeout    = 10 * time.Second
)

// logoutEvent is the member of events that makes a JWT a logout token.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// errBadLogout: the request has no logout token that ends anything. Its text is for the provider.
var errBadLogout = errors.New("the logout token is not valid")

// BackChannelLogout is the handler of the URL that is registered at the provider as
// backchannel_logout_uri (OpenID Connect Back-Channel Logout 1.0). When a session of the
// provider ends, the provider sends a logout token: it ends the sessions that have begun by
// it, or, if the token has no sid, all that its subject has begun with this provider. Every
// node knows within about a second. The provider has no session here, so the route must be
// public for the guard.
//
// Only sessions end that began before the token was issued, give or take
// Config.ClockTolerance, and a token is refused two minutes after that. So a token that is
// sent again ends nothing new, and no table of tokens is needed. A login at the provider whose
// code arrives here after its logout token begins a session that goes on.
//
// The answer is 200, or 400 with a JSON object if the token is refused or the sessions cannot
// be ended (section 2.8). If the store does not answer, session.Manager.Run goes on with what
// the sid names, while the process lives; a provider that sends the token again is answered
// then. Config.OnError is told. Tokens of clients that are not browsers (session.Tokens) are
// devices of their own, and stay.
func (p *Provider) BackChannelLogout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeLogoutError(w, http.StatusMethodNotAllowed, "invalid_request", "use POST")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutForm)
	err := p.endByToken(r)
	if err == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	p.cfg.OnError(r, err)
	if errors.Is(err, errBadLogout) {
		writeLogoutError(w, http.StatusBadRequest, "invalid_request", errBadLogout.Error())
		return
	}
	writeLogoutError(w, http.StatusBadRequest, "temporarily_unavailable", "the sessions may not have ended: send the token again")
}

func writeLogoutError(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": text}) // the provider is gone
}

// endByToken ends the sessions that the logout token of a request names.
func (p *Provider) endByToken(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errBadLogout, err)
	}
	tokens := r.PostForm["logout_token"]
	if len(tokens) != 1 {
		return fmt.Errorf("%w: the form has %d fields logout_token", errBadLogout, len(tokens))
	}
	found, err := p.found.get()
	if err != nil {
		return err
	}
	token, err := p.verifyLogout(r.Context(), found, tokens[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), endTimeout) // the provider may not wait
	defer cancel()
	before := token.IssuedAt.Add(max(p.cfg.ClockTolerance, time.Second)) // iat has no fractions
	if token.SessionID == "" {
		return p.endSubject(ctx, token.Subject, before, p.began)
	}
	if err := p.sessions.RevokeExternal(ctx, p.externalID(token.SessionID), before); err != nil {
		return err
	}
	if token.Subject == "" || p.cfg.FindUser == nil {
		return nil
	}
	// A provider may have told no sid at the login.
	nameless := p.externalID("")
	return p.endSubject(ctx, token.Subject, before, func(externalID string) bool { return externalID == nameless })
}

// verifyLogout checks a logout token (section 2.6). go-oidc checks the signature and its
// algorithm, iss, aud, exp, jti, the presence of sub or sid and of the event, and the absence
// of nonce.
func (p *Provider) verifyLogout(ctx context.Context, found *description, raw string) (*gooidc.LogoutToken, error) {
	token, err := found.strangers.VerifyLogout(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBadLogout, brief(err))
	}
	var claims struct {
		Events map[string]json.RawMessage `json:"events"`
	}
	if err := token.Claims(&claims); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadLogout, err)
	}
	now := time.Now()
	switch age := now.Sub(token.IssuedAt); {
	case !isLogoutType(raw):
		return nil, fmt.Errorf("%w: it is a JWT of another type", errBadLogout)
	case !isObject(claims.Events[logoutEvent]):
		return nil, fmt.Errorf("%w: its event is no JSON object", errBadLogout)
	case token.Issuer != p.cfg.Issuer: // go-oidc takes another spelling of Google's
		return nil, fmt.Errorf("%w: it is another provider's", errBadLogout)
	case age > maxLogoutAge+p.cfg.ClockTolerance: // also without iat
		return nil, fmt.Errorf("%w: iat says that it was issued %v ago", errBadLogout, age.Round(time.Second))
	case age < -p.cfg.ClockTolerance:
		return nil, fmt.Errorf("%w: it is from the future: compare the clocks of this machine and of the provider", errBadLogout)
	case token.SessionID == "" && p.cfg.FindUser == nil:
		return nil, fmt.Errorf("%w: it has no sid, and Config.FindUser is nil", errBadLogout)
	}
	return token, nil
}

// isLogoutType reports whether the header typ of a JWT is that of a logout token, or none in
// particular, as many providers send it: a token for another use must not end sessions
// (section 4.1).
func isLogoutType(raw string) bool { return isType(raw, "logout+jwt") }

// isType reports whether the header typ of a JWT is the given one, in small letters, or none in
// particular.
func isType(raw, want string) bool {
	head, _, _ := strings.Cut(raw, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		Type string `json:"typ"`
	}
	if err != nil || json.Unmarshal(text, &header) != nil {
		return false
	}
	switch strings.TrimPrefix(strings.ToLower(header.Type), "application/") {
	case "", "jwt", want:
		return true
	}
	return false
}

func isObject(raw json.RawMessage) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal(raw, &object) == nil && object != nil
}

// endSubject ends the sessions of a subject that have begun before a time and whose ExternalID
// is one of ours.
func (p *Provider) endSubject(ctx context.Context, subject string, before time.Time, ours func(externalID string) bool) error {
	userID, err := p.cfg.FindUser(ctx, subject)
	if err != nil || userID == "" {
		return err
	}
	var after string
	for {
		page, err := p.sessions.List(ctx, userID, after)
		if errors.Is(err, session.ErrNotFound) && after != "" {
			after = "" // its row has been removed: begin again
			continue
		}
		if err != nil {
			return err
		}
		for _, device := range page {
			if !ours(device.ExternalID) || device.CreatedAt.After(before) {
				continue
			}
			if err := p.sessions.Revoke(ctx, userID, device.ID); err != nil && !errors.Is(err, session.ErrNotFound) {
				return err
			}
		}
		if len(page) < devicesPerPage {
			return nil
		}
		after = page[len(page)-1].ID
	}
}

// devicesPerPage is how many devices session.Manager.List returns at most.
const devicesPerPage = 100
