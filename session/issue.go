package session

import (
	"cmp"
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
	// EventEpochUnchecked tells of a login with 0 where the column is not 0.
	Epoch uint64

	// NonInteractive says that a program sent its credentials with the request, and
	// may do so with each. The login ends none of the user's other sessions. An
	// interactive one does when there are more than Config.MaxSessions.
	NonInteractive bool

	// IP is shown in the list of devices. Empty: what Config.ClientIP returns.
	IP string
}

// Issue begins a session for a user who has proved who they are. The session that
// the browser had, if any, ends.
//
// Roles and attributes come from the user's row. An error that Is ErrUserDisabled
// says that the user may not log in; ErrTooLarge, that the user does not fit into a
// cookie; ErrStoreUnavailable, that the store gave no answer. On an error there
// is no new session, and the old one goes on.
func (m *Manager) Issue(r *http.Request, login Login) (Verdict, error) {
	m.checkSetup(r)
	c := m.store.begin(r.Context(), r)
	defer c.end()
	old := m.tickets.sessions(r)
	remember, err := m.remembers(c, login.UserID)
	if err != nil {
		return Verdict{}, err
	}

	t := refreshTicket{root: random16(), id: random16(), remember: remember || login.Remember}
	asked := time.Now()
	snap, err := c.create(m.newSession(r, t, login))
	if err != nil {
		return Verdict{}, err
	}
	idle, _ := m.cfg.timeouts(t.remember)
	t.issued, t.expires = stamp(snap.Now), stamp(snap.Now.Add(idle))
	v, err := m.tickets.mint(c, snap, &t)
	if err != nil {
		m.revoker.revokeSurely(c, []store.ID{snap.Record.ID}, store.ReasonReplaced)
		return Verdict{}, err
	}
	v.Cookies = append(v.Cookies, m.tickets.names.deleted(m.tickets.names.refreshFor(t.generation+1)))
	v.asked, v.verified = asked, true
	// Only now: on an earlier error the browser keeps what it had. If this fails,
	// Run repeats it, and the login holds.
	m.revoker.revokeSurely(c, old, store.ReasonReplaced)
	if !login.NonInteractive {
		m.limitSessions(c, login.UserID, snap.Record.ID)
	}
	c.raise(Event{Kind: EventIssued, SessionID: v.ticket.ID, UserID: login.UserID})
	if login.Epoch == 0 && snap.Record.UserEpoch != 0 {
		c.raise(Event{Kind: EventEpochUnchecked, SessionID: v.ticket.ID, UserID: login.UserID})
	}
	return v, nil
}

const (
	maxUserAgent = 255 // bytes
	maxIP        = 45  // bytes: an IPv6 address with an IPv4 tail
)

// newSession describes the row of a login.
func (m *Manager) newSession(r *http.Request, t refreshTicket, login Login) store.NewSession {
	idle, absolute := m.cfg.timeouts(t.remember)
	return store.NewSession{
		ID:        t.sessionID(),
		UserID:    login.UserID,
		UserEpoch: login.Epoch,
		Confirmed: t.digest(),
		Lifetime:  absolute,
		RetainFor: m.windows.retainFor(idle),
		UserAgent: clip(r.UserAgent(), maxUserAgent),
		IP:        clip(cmp.Or(login.IP, m.cfg.ClientIP(r)), maxIP),
	}
}

// remembers reports whether the browser has a live session of this user with the
// longer timeouts.
func (m *Manager) remembers(c *call, userID string) (bool, error) {
	t, ok := m.tickets.refresh(c.r)
	if !ok || !t.remember {
		return false, nil
	}
	snap, err := c.find(t.sessionID())
	return err == nil && snap.Record != nil && !isOver(snap) && snap.Record.UserID == userID, err
}

// maxEnded is how many sessions one login ends at most because there are too many.
const maxEnded = 20

// limitSessions ends sessions of the user if there are too many: first those that never
// came back, then the oldest. A login is never refused for it: what fails here, or
// is too much for one login, is left to the next.
func (m *Manager) limitSessions(c *call, userID string, begun store.ID) {
	if m.cfg.MaxSessions < 0 {
		return
	}
	list, err := c.list(userID)
	if err != nil {
		return
	}
	tooMany := min(len(list)-m.cfg.MaxSessions, maxEnded)
	// Only sessions older than the one that begins: of two concurrent logins each would
	// end the other. The list is the newest first. If the store's clock was set
	// back, fewer are older, and the rest is left to later logins.
	older := list[1+slices.IndexFunc(list, func(row store.Record) bool { return row.ID == begun }):]
	slices.SortStableFunc(older, func(a, b store.Record) int {
		return cmp.Or(cameBack(a)-cameBack(b), a.CreatedAt.Compare(b.CreatedAt))
	})
	for i := range min(tooMany, len(older)) {
		if m.revoker.revoke(c, older[i].ID, store.ReasonLimit) != nil {
			return
		}
	}
}

// cameBack is 1 for a session that has refreshed since its login, else 0.
func cameBack(row store.Record) int {
	if row.ConfirmedAt.After(row.CreatedAt) {
		return 1
	}
	return 0
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
