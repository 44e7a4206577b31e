package session

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sessionkit/sessionkit/session/store"
)

// Login is what an app says about a user who has proved who they are.
type Login struct {
	// UserID is the user's id in the app's users table, as text.
	UserID string

	// Remember asks for the longer timeouts. A browser that logs in again as the
	// same user keeps them.
	Remember bool

	// Epoch is the user's session_epoch, read together with the hash of the
	// password. The login is refused if the column has changed since, for example
	// because the password was changed. 0: not checked, so let the column begin at 1.
	// EventMisconfigured tells of a login with 0 where the column is not 0.
	Epoch uint64

	// NonInteractive says that a program sent its credentials with the request, and
	// may do so with each. Such sessions have a limit of their own, whatever
	// Config.MaxSessions is: 20 for each user. A login beyond it ends those that
	// never came back, and then the oldest. It never ends a session of the user's
	// browsers, and a login in a browser never ends one of a program.
	//
	// If the request has an Authorization header and no cookies of the kit, the node
	// remembers for at most AccessTTL which session it began. The same header with
	// the same Login is then answered by that session, without asking the store, and
	// the Verdict has no cookies. This ends with the session. The header is kept as a
	// keyed hash. The app must verify the credential before each call of Issue.
	NonInteractive bool

	// AuthTime is when the user proved who they are, by the store's clock, such as the
	// Session.AuthTime of the browser in which they make a token for a program. Zero, or a time
	// to come: now.
	AuthTime time.Time

	// IP is shown in the list of devices, as it is. Empty: what Config.ClientIP returns.
	IP string

	// Methods are how the user has proved who they are, such as "pwd" and "otp" (RFC 8176
	// has more values): printable ASCII without spaces and commas, at most 255 bytes
	// together. Manager.StepUp adds one. Guards can require one.
	Methods []string

	// ExternalID is what an identity provider calls the session (the claim sid of OpenID
	// Connect), at most 255 bytes: see Manager.RevokeExternal. Empty: nothing.
	ExternalID string

	// Client names the program that gets the session's tokens, such as the client_id of OAuth,
	// at most 255 bytes. Tokens needs it, and Issue refuses it.
	Client string

	// Data are small texts of the app's that belong to the session, such as the tenant, at
	// most 1,024 bytes as JSON. Manager.Update replaces them.
	//
	// Methods, ExternalID and Data travel with each request, in the access cookie: the
	// package's documentation says what they cost.
	Data map[string]string

	// Actor is the user who acts as UserID, such as an administrator who helps them. It must
	// be the user of the request's session, who must not be an Actor there, and
	// Config.MayImpersonate must allow it. Epoch may be 0: no password is checked. Remember
	// and NonInteractive are refused. Methods, Data and ExternalID are not the actor's.
	//
	// The actor's own session does not end: Manager.StopImpersonating leads back to it. If it
	// ends otherwise, so does this one. However busy, this one ends one idle timeout of the
	// actor's session after it began, and then the actor must log in again: Session.EndsAt
	// says when. A logout, and another login in the browser, end both.
	//
	// Session, the user's list of devices and each Event that knows the user name the actor.
	// The Event of a logout knows only what the access cookie says. HasMethod and
	// LoggedInWithin are false. Roles are those of UserID. The impersonation ends no session
	// of UserID; a login of theirs beyond Config.MaxSessions ends it first. Empty: nobody acts.
	Actor string

	// IdleTimeout and AbsoluteTimeout are the session's own, for example shorter ones for
	// an administrator; at least twice AccessTTL. 0, or longer than what Config has for
	// the session: what Config has.
	IdleTimeout     time.Duration
	AbsoluteTimeout time.Duration
}

// Issue begins a session for a user who has proved who they are. The session that
// the browser had, if any, ends, unless it is that of Login.Actor.
//
// Roles and attributes come from the user's row, all else that belongs to the session from
// login. An error that Is ErrUserDisabled
// says that the user may not log in; ErrTooLarge, that the user does not fit into a
// cookie; ErrStoreUnavailable, that the store gave no answer. Any other error names every
// fault of login. On an error there is no new session, and the old one goes on.
//
// A program's login may be answered by the session that the same credential has begun
// on this node before: see Login.NonInteractive.
func (m *Manager) Issue(r *http.Request, login Login) (Verdict, error) {
	m.checkSetup(r)
	if err := m.factFaults(login); err != nil {
		return Verdict{}, err
	}
	switch {
	case login.Client != "":
		return Verdict{}, errors.New("session: Login.Client is for Tokens: a browser gets cookies")
	case login.Actor != "":
		return m.impersonate(r, login)
	case !login.NonInteractive || !m.tickets.hasOnlyCredentials(r):
		return m.login(r, login)
	}
	return m.credentials.once(m.credentials.key(r, login), m.accepts, func() (Verdict, error) { return m.login(r, login) })
}

// login is Issue for a login that begins a session.
func (m *Manager) login(r *http.Request, login Login) (Verdict, error) {
	c := m.store.begin(r.Context(), r)
	defer c.end()
	remember, err := m.remembers(c, login.UserID)
	if err != nil {
		return Verdict{}, err
	}
	login.Remember = login.Remember || remember
	return m.begin(c, login, nil, nil)
}

// sessionsOf returns the sessions in the request's cookies, which a login or a logout ends.
func (m *Manager) sessionsOf(r *http.Request) []named {
	return m.tickets.sessions(r, m.store.isLongPast)
}

// begin begins a session, and then ends those that it replaces. The origin is that of an
// impersonation, else nil. renews is the session that this one goes on from, else nil.
func (m *Manager) begin(c *call, login Login, origin *refreshTicket, renews *store.Record) (v Verdict, err error) {
	defer c.observe(OperationLogin, &err)()
	old, err := m.replaced(c)
	if err != nil {
		return Verdict{}, err
	}
	if origin != nil {
		old = slices.DeleteFunc(old, func(s named) bool { return s.id == origin.sessionID() })
	}
	t := refreshTicket{root: random16(), id: random16(), remember: login.Remember, origin: origin}
	asked := time.Now()
	n := m.newSession(c.r, t, login)
	if renews != nil {
		// A revocation that spares later logins, and reaches the store only now, ends this
		// session as it would have ended the other one.
		n.CreatedAt = renews.CreatedAt
	}
	snap, err := m.create(c, &t, n)
	if err != nil {
		return Verdict{}, err
	}
	v, err = m.tickets.mintFirst(c, snap, &t)
	if err != nil {
		m.revoker.revokeSurely(c, []named{nameOf(snap.Record)}, store.ReasonReplaced)
		return Verdict{}, err
	}
	v.asked, v.verified = asked, true
	// Only now: on an earlier error the browser keeps what it had. If this fails,
	// Run repeats it, and the login holds.
	m.revoker.revokeSurely(c, old, store.ReasonReplaced)
	if renews != nil {
		// If the store does not answer, the renewed session goes on: no user is logged out
		// for that.
		now, err := c.find(renews.ID)
		if err == nil && wasEndedOtherwise(now) {
			m.revoker.revokeSurely(c, []named{nameOf(snap.Record)}, cmp.Or(now.Record.Reason, store.ReasonRevoked))
			return Verdict{}, unauthenticated("the session that was to be renewed has ended meanwhile")
		}
	}
	m.began(c, snap, login)
	m.warnOfSize(c, v, eventOf("", snap.Record))
	return v, nil
}

// wasEndedOtherwise reports whether something else than its renewal has ended the session of s.
// That holds for the renewed session, too.
func wasEndedOtherwise(s store.Snapshot) bool {
	row := s.Record
	return row != nil && (row.GlobalEpoch < s.GlobalEpoch || row.Reason != "" && row.Reason != store.ReasonReplaced)
}

// create adds the row of the session of a ticket, which is its first one, and sets the times
// of the ticket.
func (m *Manager) create(c *call, t *refreshTicket, n store.NewSession) (store.Snapshot, error) {
	snap, err := c.create(n)
	if err != nil {
		return store.Snapshot{}, err
	}
	t.issued, t.expires = stamp(snap.Now), stamp(snap.Now.Add(m.cfg.idle(*t, n.IdleTimeout)))
	return snap, nil
}

// began reports that a session has begun, and limits those of its user.
func (m *Manager) began(c *call, snap store.Snapshot, login Login) {
	e := eventOf(EventIssued, snap.Record)
	e.Detail = loginDetail(login)
	c.raise(e)
	e.Detail = ""
	if login.Actor != "" {
		return // the user's sessions are not limited by it, and no password was checked
	}
	m.limitSessions(c, snap)
	if login.Epoch == 0 && snap.Record.UserEpoch != 0 {
		e.Kind, e.Err = EventMisconfigured, errEpochUnchecked
		c.raise(e)
	}
}

// safeAccess is the size of the access cookie, name and value in bytes, up to which a login
// passes the default buffers of nginx together with some headers of the app's.
const safeAccess = 2000

// warnOfSize raises an event at the first login whose access cookie is larger than is safe.
func (m *Manager) warnOfSize(c *call, v Verdict, e Event) {
	if access := v.Cookies[0]; len(access.Name)+len(access.Value) > safeAccess {
		m.warnedOfSize.Do(func() {
			e.Kind, e.Err = EventMisconfigured, errLargeCookie
			c.raise(e)
		})
	}
}

const (
	maxUserAgent = 255 // bytes
	maxIP        = 45  // bytes: an IPv6 address with an IPv4 tail
)

// newSession describes the row of a login.
func (m *Manager) newSession(r *http.Request, t refreshTicket, login Login) store.NewSession {
	_, absolute := m.cfg.timeouts(t)
	if login.AbsoluteTimeout > 0 {
		absolute = min(absolute, login.AbsoluteTimeout)
	}
	facts := store.Facts{Methods: login.Methods, ExternalID: login.ExternalID, Client: login.Client, Data: login.Data}
	looks, live := m.cfg.fingerprint(r), store.Digest{}
	if t.client != "" { // it may be used by another program than the one that asks for it
		looks, live = store.Digest{}, t.live().digest()
	}
	if t.origin != nil {
		facts.Actor, facts.ActorSession = login.Actor, t.origin.sessionID()
	}
	var age time.Duration
	if !login.AuthTime.IsZero() {
		age = max(0, m.store.estimate().Sub(login.AuthTime))
	}
	return store.NewSession{
		ID:        t.sessionID(),
		AuthAge:   age,
		UserID:    login.UserID,
		UserEpoch: login.Epoch,
		Confirmed: t.digest(),
		Lifetime:  absolute,
		RetainFor: m.spans.of(t.client).retainFor(m.cfg.idle(t, login.IdleTimeout)),
		UserAgent: clip(m.cfg.UserAgent(r), maxUserAgent),
		IP:        clip(cmp.Or(login.IP, m.cfg.ClientIP(r)), maxIP),

		Fingerprint:    looks,
		NonInteractive: login.NonInteractive,
		IdleTimeout:    login.IdleTimeout,
		Live:           live,
		Facts:          facts,
	}
}

// remembers reports whether the browser has a live session of this user with the
// longer timeouts.
func (m *Manager) remembers(c *call, userID string) (bool, error) {
	for _, t := range m.tickets.refresh(c.r) {
		if !t.remember {
			continue
		}
		snap, err := c.find(t.sessionID())
		if err != nil || snap.Record != nil && !isOver(snap) && snap.Record.UserID == userID {
			return err == nil, err
		}
	}
	return false, nil
}

const (
	// maxNonInteractive is how many sessions of a user programs may have at once. It
	// holds whatever Config.MaxSessions is: a program that keeps no cookies
	// begins a session with every login.
	maxNonInteractive = 20

	// maxEnded is how many sessions one login ends at most because there are too many.
	maxEnded = 20
)

// limitSessions ends sessions of the user if there are too many of the kind that has just
// begun; the other kind is not counted. First go those that are over but whose rows
// are still there, then those that never came back, then the oldest. A login is never
// refused for it: what fails here, or is too much for one login, is left to the next.
//
// It reads the newest rows only, as many as one login can have to do with, so that a
// login of a user with very many sessions costs no more than another.
func (m *Manager) limitSessions(c *call, begun store.Snapshot) {
	kind, limit := begun.Record.NonInteractive, m.cfg.MaxSessions
	if kind {
		limit = maxNonInteractive
	}
	if limit < 0 || begun.Record.CreatedAt.Before(begun.Record.ConfirmedAt) {
		return // no limit; or it has renewed another session, and there are no more than before
	}
	list, err := c.newest(begun.Record.UserID, kind, limit+1+maxEnded)
	if err != nil {
		return
	}
	tooMany := min(len(list)-limit, maxEnded)
	// Only sessions older than the one that begins: of two concurrent logins each would
	// end the other. The list is the newest first. If the store's clock was set
	// back, fewer are older, and the rest is left to later logins.
	older := list[1+slices.IndexFunc(list, func(row store.Record) bool { return row.ID == begun.Record.ID }):]
	worth := func(row store.Record) int {
		row.User = begun.Record.User // of the same user, a moment ago
		switch {
		case isOver(store.Snapshot{Now: begun.Now, GlobalEpoch: begun.GlobalEpoch, Record: &row}):
			return 0
		case !row.LastSeenAt().After(row.CreatedAt): // it has not refreshed since its login
			return 1
		default:
			return 2
		}
	}
	slices.SortStableFunc(older, func(a, b store.Record) int {
		return cmp.Or(worth(a)-worth(b), a.CreatedAt.Compare(b.CreatedAt))
	})
	for i := range min(tooMany, len(older)) {
		if m.revoker.revoke(c, nameOf(&older[i]), store.ReasonLimit) != nil {
			return
		}
	}
}

// clip cuts text from outside to at most n bytes of valid UTF-8 without control
// characters.
func clip(text string, n int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if len(text) <= n {
		return text
	}
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
