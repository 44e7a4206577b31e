package session

import (
	"context"
	"net"
	"net/http"
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
	old := m.presented(r)
	remember, err := m.remembered(r, login.UserID)
	if err != nil {
		return Verdict{}, err
	}

	t := refreshTicket{root: random16(), id: random16(), remember: remember || login.Remember}
	snap, err := m.create(r, t, login)
	if err != nil {
		return Verdict{}, err
	}
	idle, _ := m.cfg.timeouts(t.remember)
	t.issued, t.expires = snap.Now.UnixMilli(), snap.Now.Add(idle).UnixMilli()
	v := Verdict{manager: m, ticket: m.accessFor(snap), decided: time.Now()}
	if err := m.addCookies(&v, &t, snap); err != nil {
		m.end(r.Context(), []ID{snap.Record.ID}, ReasonReplaced)
		return Verdict{}, err
	}
	// Only now: whatever failed before, the browser still has what it had. If
	// this fails, Run repeats it; the login holds.
	m.end(r.Context(), old, ReasonReplaced)
	m.limit(r.Context(), login.UserID)
	m.event(Event{Kind: EventIssued, SessionID: v.ticket.ID})
	return v, nil
}

// limit ends the user's oldest sessions if there are too many. It is no reason
// to refuse a login: what fails here is done at the next one.
func (m *Manager) limit(ctx context.Context, userID string) {
	if m.cfg.MaxSessions < 0 {
		return
	}
	list, err := m.List(ctx, userID)
	if err != nil || len(list) <= m.cfg.MaxSessions {
		return
	}
	for _, info := range list[m.cfg.MaxSessions:] {
		if id, err := ParseID(info.ID); err == nil {
			_ = m.revoke(ctx, id, ReasonLimit)
		}
	}
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
func (m *Manager) remembered(r *http.Request, userID string) (bool, error) {
	t, ok := m.readRefresh(r)
	if !ok || !t.remember {
		return false, nil
	}
	snap, err := m.find(r.Context(), t.sessionID())
	return err == nil && snap.Record != nil && snap.Record.UserID == userID, err
}

// create adds the row and reads it back: the times, the roles and the epochs of
// a session are the store's to say.
func (m *Manager) create(r *http.Request, t refreshTicket, login Login) (Snapshot, error) {
	_, absolute := m.cfg.timeouts(t.remember)
	ip := login.IP
	if ip == "" {
		ip, _, _ = net.SplitHostPort(r.RemoteAddr)
	}
	err := m.ask(r.Context(), func(ctx context.Context) error {
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
	snap, err := m.find(r.Context(), t.sessionID())
	if err == nil && snap.Record == nil {
		err = m.trouble(errPending)
	}
	return snap, err
}

func (m *Manager) find(ctx context.Context, id ID) (snap Snapshot, err error) {
	err = m.ask(ctx, func(ctx context.Context) (err error) {
		snap, err = m.store.Find(ctx, id)
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
