package session

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// Tokens serves clients that are not browsers, such as a mobile app, a command line or a
// partner's server (RFC 6749). Each is a session like any other, with the same row and the
// same rules: it is in the user's list of devices under the name of its client, and ends with
// all that ends a session.
//
// The client sends its access token as "Authorization: Bearer" with each request: see
// Manager.Authenticate. When the token has expired, it presents its refresh token, and gets
// new ones. It is forgiven a lost answer, as a browser is, and a refresh token in the hands of
// two clients ends the session.
//
// The methods of Manager that change the request's session, such as Update and StepUp, are for
// browsers: they need its refresh cookie. Config.Fingerprint is for browsers, too.
//
// Get it from Manager.Tokens. Package session/token has the endpoints of OAuth on top of it.
// Every method returns an error if Config.TokenTTL is 0. It is safe for concurrent use.
type Tokens struct{ m *Manager }

// Tokens returns what serves clients that are not browsers. They need Config.TokenTTL.
func (m *Manager) Tokens() Tokens { return Tokens{m} }

// Enabled reports whether Config.TokenTTL is set.
func (ts Tokens) Enabled() bool { return ts.m.cfg.TokenTTL > 0 }

// Grant is what a client gets: its tokens. They are secrets. It prints the session's id alone.
type Grant struct {
	AccessToken string
	ExpiresIn   time.Duration // of the access token
	Session     Session

	// RefreshToken replaces the one that the client has. Empty: the client keeps that (RFC
	// 6749, section 6).
	RefreshToken string
}

// Format prints the session id, whatever the verb, and never a token.
func (g Grant) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, g.text()) }

// MarshalText returns what Format prints.
func (g Grant) MarshalText() ([]byte, error) { return []byte(g.text()), nil }

// LogValue returns what Format prints.
func (g Grant) LogValue() slog.Value { return slog.StringValue(g.text()) }

func (g Grant) text() string { return "tokens of session " + g.Session.ID }

// errImpersonated refuses what nobody can do for somebody else.
var errImpersonated = fmt.Errorf("%w: in an impersonation nobody can prove to be the user", ErrUserDisabled)

// errNoTokens says what an app without Config.TokenTTL lacks.
var errNoTokens = fmt.Errorf("session: Tokens: Config.TokenTTL is 0: set it, for example to 10 minutes")

// Issue begins a session for a user who has proved who they are, and returns the client's
// tokens. login.Client names the client. No other session ends, whatever cookies the request
// has, except one beyond Config.MaxSessions.
//
// On a page that makes a token for a user who is logged in, pass Session.AuthTime as
// login.AuthTime: a token proves no new login. Let the route require a recent login, and
// RequireLive: the token outlives the session of the page. In an impersonation the error Is
// ErrUserDisabled.
//
// The errors are those of Manager.Issue.
func (ts Tokens) Issue(r *http.Request, login Login) (g Grant, err error) {
	m := ts.m
	if !ts.Enabled() {
		return Grant{}, errNoTokens
	}
	m.checkSetup(r)
	if login.Client == "" {
		return Grant{}, fmt.Errorf("session: Tokens.Issue: Login.Client is empty: name the client")
	}
	if err := m.factFaults(login); err != nil {
		return Grant{}, err
	}
	if seen, ok := m.seen(r); ok && seen.Actor != "" {
		return Grant{}, errImpersonated
	}
	c := m.store.begin(r.Context(), r)
	defer c.end()
	defer c.observe(OperationLogin, &err)()
	t := refreshTicket{root: random16(), id: random16(), client: login.Client}
	snap, err := m.create(c, &t, m.newSession(r, t, login))
	if err != nil {
		return Grant{}, err
	}
	g, err = m.tickets.grant(c, snap, t, &t)
	if err != nil {
		m.revoker.revokeSurely(c, []named{nameOf(snap.Record)}, store.ReasonReplaced)
		return Grant{}, err
	}
	m.began(c, snap, login)
	return g, nil
}

// Refresh returns new tokens for a refresh token of the client's (RFC 6749, section 6). The
// caller has authenticated the client.
//
// An error that Is ErrUnauthenticated says that the token is of another client or of none, or
// that its session is over; it also Is ErrReused if the session was ended for reuse.
// ErrStoreUnavailable says that the store gave no answer: the client may try again with the same
// token. ErrTooLarge says that the user has outgrown the access token: the session goes on, and
// its tokens are good again once the user has fewer roles or attributes.
//
// Without a RefreshToken in the Grant, as after a second call within a short time, the client
// keeps the one that it has.
func (ts Tokens) Refresh(r *http.Request, client, token string) (g Grant, err error) {
	m := ts.m
	if !ts.Enabled() {
		return Grant{}, errNoTokens
	}
	m.checkSetup(r)
	t, ok := m.tickets.openRefreshToken(r, token)
	switch {
	case !ok:
		return Grant{}, unauthenticated("no key opens the refresh token")
	case t.client != client:
		return Grant{}, errOtherClient
	case m.store.isLongPast(t.expires):
		return Grant{}, isOverError("the refresh token ended long ago", false)
	}
	c := m.store.begin(r.Context(), r)
	defer c.end()
	defer c.observe(OperationRefresh, &err)()
	o, _, err := m.ask(c, t)
	if err != nil {
		return Grant{}, err
	}
	g, err = m.grant(c, t, o)
	if err == nil && !m.revoker.isCurrent(o.snap.Record) {
		return Grant{}, c.reportUnavailable(errStale)
	}
	return g, err
}

var errOtherClient = fmt.Errorf("%w: the token was issued to another client", ErrUnauthenticated)

// grant makes the tokens that the class of a refresh ticket allows: both for a ticket that is
// confirmed, and only an access token for a young one or a straggler, whose client has a newer
// one, or is about to get it. An answer that is late has no refresh token either: a sibling
// may be confirmed before it arrives.
func (m *Manager) grant(c *call, t refreshTicket, o outcome) (Grant, error) {
	if o.class == classYoung || o.class == classStraggler || time.Since(o.asked) > m.spans.tokens.deliverChild {
		return m.tickets.grant(c, o.snap, t, nil)
	}
	child := t.child(o.snap.Now, m.cfg.idle(t, o.snap.Record.IdleTimeout))
	return m.tickets.grant(c, o.snap, t, &child)
}

// Revoke ends the session of an access token or a refresh token of the client's, however old
// (RFC 7009). The caller has authenticated the client. A token that no key opens, or whose
// session is over, is no error.
//
// An error that Is ErrUnauthenticated says that the token is another client's: nothing has
// ended. ErrStoreUnavailable says that the store could not be told: see Manager.Logout.
func (ts Tokens) Revoke(r *http.Request, client, token string) error {
	m := ts.m
	if !ts.Enabled() {
		return errNoTokens
	}
	var s named
	var of string
	if a, ok := m.tickets.openExpiredToken(r, token); ok && !m.store.isLongPast(a.EndsAt) {
		s, of = named{id: a.id, userID: a.UserID}, a.Client
	} else if t, ok := m.tickets.openRefreshToken(r, token); ok && !m.store.isLongPast(t.expires) {
		s, of = named{id: t.sessionID()}, t.client
	} else {
		return nil
	}
	if of != client {
		return errOtherClient
	}
	c := m.store.begin(r.Context(), r)
	defer c.end()
	return m.revoker.revokeSurely(c, []named{s}, store.ReasonLogout)
}

// Introspect returns the session of an access token or a refresh token, as its row says now,
// for another service of the app's (RFC 7662). The caller has authenticated the service.
// IssuedAt and ExpiresAt are those of the token. Nothing is written: a superseded refresh token ends
// nothing here.
//
// An error that Is ErrUnauthenticated says that the token is not active. It costs one statement,
// and none if no key opens the token.
func (ts Tokens) Introspect(r *http.Request, token string) (Session, error) {
	m := ts.m
	if !ts.Enabled() {
		return Session{}, errNoTokens
	}
	access, isAccess := m.tickets.openAccessToken(r, token)
	refresh, isRefresh := m.tickets.openRefreshToken(r, token)
	var id store.ID
	var issued, expires time.Time
	switch {
	case isAccess:
		id, issued, expires = access.id, access.IssuedAt, access.ExpiresAt
	case isRefresh:
		id, issued, expires = refresh.sessionID(), refresh.issued, refresh.expires
	default:
		return Session{}, unauthenticated("no key opens the token")
	}
	if m.store.isLongPast(expires) {
		return Session{}, isOverError("the token ended long ago", false)
	}
	c := m.store.begin(r.Context(), r)
	defer c.end()
	snap, err := c.find(id)
	switch {
	case err != nil:
		return Session{}, err
	case snap.Record == nil, isOver(snap), !snap.Now.Before(expires),
		isAccess && !(isProven(snap, access) && isLive(snap, access)),
		isRefresh && !m.spans.tokens.judge(snap, refresh).goesOn():
		return Session{}, unauthenticated("the token or its session is over")
	case !m.revoker.isCurrent(snap.Record):
		return Session{}, c.reportUnavailable(errStale)
	}
	s := Verdict{ticket: m.tickets.newAccess(snap)}.Session()
	s.IssuedAt, s.ExpiresAt = issued, expires
	if s.EndsAt.Before(expires) {
		s.ExpiresAt = s.EndsAt
	}
	return s, nil
}

// grant returns an access token for a session that the store has just described, and the
// refresh ticket as a token, unless it is nil. t is a ticket of the session.
func (ts *tickets) grant(c *call, snap store.Snapshot, t refreshTicket, refresh *refreshTicket) (Grant, error) {
	tokens := ts.sealers.Load().tokens
	access := ts.newAccess(snap)
	access.live = t.live()
	value, err := tokens.access.seal(accessToken, access)
	if err != nil {
		if ts.tooLarge.first(access.id) {
			c.raise(eventOf(EventTooLarge, snap.Record))
		}
		return Grant{}, err
	}
	tokens.cache.put(&cachedTicket{value: value, ticket: *access})
	g := Grant{
		AccessToken: accessPrefix + value,
		ExpiresIn:   access.ExpiresAt.Sub(access.IssuedAt),
		Session:     Verdict{ticket: access}.Session(),
	}
	if refresh != nil {
		if value, err = tokens.refresh.seal(refreshToken, refresh); err != nil {
			return Grant{}, err
		}
		g.RefreshToken = refreshPrefix + value
	}
	return g, nil
}

// openAccessToken returns the ticket in an access token, accepted or not.
func (ts *tickets) openAccessToken(r *http.Request, token string) (*accessTicket, bool) {
	value, ok := strings.CutPrefix(token, accessPrefix)
	if !ok {
		return nil, false
	}
	t, ok := ts.sealers.Load().tokens.openAccess(accessToken, value)
	if !ok {
		ts.wasRead(r, readUndecodable)
	}
	return t, ok
}

// openExpiredToken is openAccessToken for a token of any age.
func (ts *tickets) openExpiredToken(r *http.Request, token string) (*accessTicket, bool) {
	value, ok := strings.CutPrefix(token, accessPrefix)
	if !ok {
		return nil, false
	}
	t := new(accessTicket)
	if !ts.sealers.Load().expired.open(accessToken, value, t) || t.Client == "" {
		return nil, ts.wasRead(r, readUndecodable)
	}
	return t, true
}

// openRefreshToken returns the ticket in a refresh token.
func (ts *tickets) openRefreshToken(r *http.Request, token string) (refreshTicket, bool) {
	value, ok := strings.CutPrefix(token, refreshPrefix)
	if !ok {
		return refreshTicket{}, false
	}
	t, _, how := ts.sealers.Load().tokens.openRefresh(refreshToken, value)
	return t, ts.wasRead(r, how)
}
