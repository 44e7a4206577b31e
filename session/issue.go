package session

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Login is what an app says of a user who has proved who they are.
type Login struct {
	// UserID is the user's id in the app's users table, as text.
	UserID string

	// Remember asks for the longer timeouts. A browser that logs in again as the
	// same user keeps it.
	Remember bool

	// Epoch is the user's session_epoch as it was read together with the
	// password's hash. Where it has moved since, as by a change of password, the
	// login is refused. 0: not checked, so let the column begin at 1.
	Epoch uint64

	// Unattended says that a program brought its credentials with the request, and
	// may do so with each. The login ends none of the user's other sessions, as
	// one beyond Config.MaxSessions otherwise does: many such would end them all.
	Unattended bool

	// IP is shown in the list of devices. Default: the host of r.RemoteAddr.
	IP string
}

// Issue begins a session for a user who has proved who they are. The session
// that the browser had, if any, ends.
//
// Roles and attributes come from the user's row. An error that Is
// ErrUserDisabled says that the user may not log in; any other, that there is no
// new session, and that the old one goes on.
func (m *Manager) Issue(r *http.Request, login Login) (Verdict, error) {
	ctx, cancel := limited(r.Context())
	defer cancel()
	old := m.presented(r)
	remember, err := m.remembered(ctx, r, login.UserID)
	if err != nil {
		return Verdict{}, err
	}

	t := refreshTicket{root: random16(), id: random16(), remember: remember || login.Remember}
	snap, err := m.create(ctx, r, t, login)
	if err != nil {
		return Verdict{}, err
	}
	idle, _ := m.cfg.timeouts(t.remember)
	t.issued, t.expires = stamp(snap.Now), stamp(snap.Now.Add(idle))
	v := Verdict{manager: m, ticket: m.accessFor(snap), decided: time.Now()}
	if err := m.addCookies(&v, &t, snap); err != nil {
		m.end(ctx, []ID{snap.Record.ID}, ReasonReplaced)
		return Verdict{}, err
	}
	// Only now: whatever failed before, the browser still has what it had. If
	// this fails, Run repeats it; the login holds.
	m.end(ctx, old, ReasonReplaced)
	if !login.Unattended {
		m.limit(ctx, login.UserID, v.ticket.ID)
	}
	m.event(Event{Kind: EventIssued, SessionID: v.ticket.ID})
	return v, nil
}

// limit ends sessions of the user's if there are too many: first those that never
// came back, then the oldest. It is no reason to refuse a login: what fails here,
// or is too much for one login to do, is done at the next.
func (m *Manager) limit(ctx context.Context, userID, begun string) {
	if m.cfg.MaxSessions < 0 {
		return
	}
	list, err := m.list(ctx, userID)
	if err != nil {
		return
	}
	tooMany := min(len(list)-m.cfg.MaxSessions, maxEnded)
	// Only what is older than the session that begins: of two logins at once each
	// would end the other. Where the store's clock was set back, that is less, and
	// left to later logins.
	list = list[1+slices.IndexFunc(list, func(info Info) bool { return info.ID == begun }):]
	tooMany = min(tooMany, len(list))
	slices.SortStableFunc(list, func(a, b Info) int {
		return cmp.Or(cameBack(a)-cameBack(b), a.CreatedAt.Compare(b.CreatedAt))
	})
	for i := range tooMany {
		id, err := ParseID(list[i].ID)
		if err != nil || m.revoke(ctx, id, ReasonLimit) != nil {
			return
		}
	}
}

// maxEnded is how many sessions one login ends for there being too many.
const maxEnded = 20

func cameBack(info Info) int {
	if info.LastSeenAt.After(info.CreatedAt) {
		return 1
	}
	return 0
}

// presented returns the sessions that the request's cookies name: one, as a rule.
func (m *Manager) presented(r *http.Request) (ids []ID) {
	if t, ok := m.readRefresh(r); ok {
		ids = append(ids, t.sessionID())
	}
	if t, ok := m.readAccess(r); ok && (len(ids) == 0 || ids[0] != t.id) {
		ids = append(ids, t.id)
	}
	return ids
}

// remembered reports whether the browser has a session of this user's with the
// longer timeouts.
func (m *Manager) remembered(ctx context.Context, r *http.Request, userID string) (bool, error) {
	t, ok := m.readRefresh(r)
	if !ok || !t.remember {
		return false, nil
	}
	snap, err := m.find(ctx, t.sessionID())
	return err == nil && snap.Record != nil && !snap.over() && snap.Record.UserID == userID, err
}

// create adds the row and reads it back: the times, the roles and the epochs of
// a session are the store's to say.
func (m *Manager) create(ctx context.Context, r *http.Request, t refreshTicket, login Login) (snap Snapshot, err error) {
	_, absolute := m.cfg.timeouts(t.remember)
	ip := login.IP
	if ip == "" {
		ip, _, _ = net.SplitHostPort(r.RemoteAddr)
	}
	err = m.ask(ctx, func(ctx context.Context) error {
		return m.store.Create(ctx, NewSession{
			ID:        t.sessionID(),
			UserID:    login.UserID,
			UserEpoch: login.Epoch,
			Confirmed: t.digest(),
			Lifetime:  absolute,
			KeepFor:   m.cfg.keepFor(t.remember),
			UserAgent: clip(r.UserAgent(), 255),
			IP:        clip(ip, 45),
		})
	})
	if err != nil {
		return Snapshot{}, err
	}
	err = m.ask(ctx, func(ctx context.Context) (err error) {
		snap, err = m.look(ctx, t.sessionID())
		if err == nil && snap.Record == nil {
			err = errPending
		}
		return err
	})
	return snap, err
}

func (m *Manager) find(ctx context.Context, id ID) (snap Snapshot, err error) {
	err = m.ask(ctx, func(ctx context.Context) (err error) {
		snap, err = m.look(ctx, id)
		return err
	})
	return snap, err
}

// clip cuts text that comes from outside to at most n bytes of valid UTF-8
// without control characters.
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
