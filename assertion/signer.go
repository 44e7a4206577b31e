package assertion

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/sessionkit/sessionkit/session"
)

// Type is the header typ of an assertion (RFC 8725, section 3.11): a service that requires
// it takes no other JWT of the same issuer for an assertion.
const Type = "session-assertion+jwt"

const (
	defaultTTL = time.Minute
	minTTL     = time.Second // the times of a JWT are whole seconds
	maxTTL     = 2 * time.Minute
)

// Config describes the assertions of an app to New.
type Config struct {
	_ [0]func() // named fields only

	// Issuer names the app to the other services, which compare it as it is. Its address
	// is usual: "https://app.example.com". It is required.
	Issuer string

	// TTL is the lifetime of an assertion: 1 second to 2 minutes, and enough for one call.
	// Default 1 minute.
	TTL time.Duration

	// Attrs and Data name what the other services get of Session.Attrs and Session.Data.
	// Default none: what an app knows of a user is its own. Each service of any audience
	// gets them, and an assertion is signed, not encrypted.
	Attrs, Data []string
}

func (cfg Config) faults() (faults []error) {
	if why := nameFault(cfg.Issuer); why != "" {
		faults = append(faults, fmt.Errorf("assertion: Config.Issuer %s: set it to the address of the app, such as https://app.example.com", why))
	}
	if cfg.TTL < minTTL || cfg.TTL > maxTTL {
		faults = append(faults, fmt.Errorf("assertion: Config.TTL is %v: it must be from %v to %v, because nobody can revoke an assertion", cfg.TTL, minTTL, maxTTL))
	}
	if slices.Contains(cfg.Attrs, "") || slices.Contains(cfg.Data, "") {
		faults = append(faults, errors.New("assertion: Config.Attrs or Config.Data has an empty name: remove it"))
	}
	return faults
}

// nameFault says what is wrong with the name of an issuer or an audience, or returns "".
func nameFault(name string) string {
	switch {
	case name == "":
		return "is empty"
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return "has white space or a control character"
	}
	return ""
}

// Signer makes assertions and publishes the keys that verify them. It is safe for concurrent
// use. Make it with New.
type Signer struct {
	cfg  Config
	keys atomic.Pointer[keySet]
}

// New returns a Signer. The error names every fault at once.
func New(keys Keys, cfg Config) (*Signer, error) {
	if cfg.TTL == 0 {
		cfg.TTL = defaultTTL
	}
	cfg.Attrs, cfg.Data = slices.Clone(cfg.Attrs), slices.Clone(cfg.Data)
	s := &Signer{cfg: cfg}
	if err := errors.Join(append(cfg.faults(), s.SetKeys(keys))...); err != nil {
		return nil, err
	}
	return s, nil
}

// SetKeys replaces the keys without a restart, for all calls from now on. It is safe for
// concurrent use. On an error the keys stay as they were.
//
// To change the key, take three steps, each on all nodes, and wait between them for
// JWKSMaxAge and Config.TTL, or longer if a service keeps the JWKS for longer:
//
//  1. Add the new key last: it is published before it signs.
//  2. Move it first: it signs, and the old one still verifies.
//  3. Drop the old one: no assertion of it is alive.
//
// If a key has leaked, replace it at once. Services that still keep the JWKS accept
// what is signed by it, for JWKSMaxAge or as long as they keep the JWKS: restart them.
func (s *Signer) SetKeys(keys Keys) error {
	if err := keys.fault(); err != nil {
		return err
	}
	s.keys.Store(keys.set)
	return nil
}

// claims are what an assertion says: see the package's documentation.
type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
	ID       string `json:"jti"`

	SessionID string            `json:"sid"`
	Client    string            `json:"client_id,omitempty"`
	AuthTime  int64             `json:"auth_time,omitempty"`
	Methods   []string          `json:"amr,omitempty"`
	Roles     []string          `json:"roles,omitempty"`
	Actor     *actor            `json:"act,omitempty"`
	Attrs     map[string]string `json:"attrs,omitempty"`
	Data      map[string]string `json:"data,omitempty"`
}

// actor is who acts as the subject (RFC 8693, section 4.1).
type actor struct {
	Subject string `json:"sub"`
}

// Sign returns an assertion of a session for one other service, the audience, which
// compares it as it is: its address is usual. The session is that of a request, from
// session.FromContext. The error Is session.ErrUnauthenticated if it is the zero Session
// or has ended.
//
// The assertion is signed now, and lives for Config.TTL, but never longer than
// Session.EndsAt. Now is this node's clock, within Session.IssuedAt and Session.ExpiresAt,
// which are the store's: so a node with a wrong clock is off by at most the lifetime of the
// access cookie, and an assertion made of a Session that a stream or a job has kept for
// longer is dated back to ExpiresAt, and has soon expired when it is made.
func (s *Signer) Sign(of session.Session, audience string) (string, error) {
	if why := nameFault(audience); why != "" {
		return "", fmt.Errorf("assertion: the audience %s: name the service that the assertion is for", why)
	}
	if of.ID == "" || of.UserID == "" {
		return "", fmt.Errorf("assertion: there is no session: %w", session.ErrUnauthenticated)
	}
	if !utf8.ValidString(of.UserID) || !utf8.ValidString(of.Actor) || !utf8.ValidString(of.Client) {
		return "", errors.New("assertion: the id of a user or of a client is not in UTF-8: JSON would make another id of it")
	}
	now := signedAt(of)
	expiry := now.Add(s.cfg.TTL)
	if expiry.After(of.EndsAt) {
		expiry = of.EndsAt
	}
	if expiry.Unix() <= now.Unix() {
		return "", fmt.Errorf("assertion: the session has ended, or does so within a second: %w", session.ErrUnauthenticated)
	}
	c := claims{
		Issuer:    s.cfg.Issuer,
		Subject:   of.UserID,
		Audience:  audience,
		IssuedAt:  now.Unix(),
		Expiry:    expiry.Unix(),
		ID:        rand.Text(),
		SessionID: of.ID,
		Client:    of.Client,
		Roles:     of.Roles,
		Attrs:     only(of.Attrs, s.cfg.Attrs),
		Data:      only(of.Data, s.cfg.Data),
	}
	if of.Actor != "" {
		c.Actor = &actor{of.Actor} // AuthTime and Methods are the actor's
	} else {
		c.AuthTime, c.Methods = of.AuthTime.Unix(), of.Methods
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("assertion: %w", err)
	}
	signed, err := s.keys.Load().signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("assertion: signing: %w", err)
	}
	return signed.CompactSerialize()
}

// signedAt is this node's clock, within the times between which the session needs no word
// of the store.
func signedAt(of session.Session) time.Time {
	now := time.Now()
	if now.Before(of.IssuedAt) {
		now = of.IssuedAt
	}
	if now.After(of.ExpiresAt) {
		now = of.ExpiresAt
	}
	return now
}

// only returns those values that have one of the names.
func only(values map[string]string, names []string) map[string]string {
	some := map[string]string{}
	for _, name := range names {
		if value, ok := values[name]; ok {
			some[name] = value
		}
	}
	return some
}
