package session

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Logout ends the session that the request's cookies name, and returns a verdict
// that deletes them, whatever else happens. An error says that the store could
// not be told: this node believes the session's access cookies no more, and Run
// repeats the revocation until the store has it.
func (m *Manager) Logout(r *http.Request) (Verdict, error) {
	ctx, cancel := limited(r.Context())
	defer cancel()
	return Verdict{Cookies: m.names.cleared()}, m.end(ctx, m.presented(r), ReasonLogout)
}

// end revokes sessions that this browser is done with.
func (m *Manager) end(ctx context.Context, ids []ID, reason Reason) error {
	var first error
	for _, id := range ids {
		if err := m.revoke(ctx, id, reason); err != nil {
			if !m.undone.add(id, reason, time.Now().Add(m.cfg.RememberAbsoluteTimeout)) {
				m.event(Event{Kind: EventUndone, SessionID: id.String()})
			}
			if first == nil {
				first = err
			}
		}
	}
	return first
}

// revoke marks the session here first: what this node can do by itself holds
// even if the store does not answer.
func (m *Manager) revoke(ctx context.Context, id ID, reason Reason) error {
	m.feed.revoked(id)
	var done bool
	err := m.ask(ctx, func(ctx context.Context) (err error) {
		done, err = m.store.Revoke(ctx, id, "", reason)
		return err
	})
	if done {
		m.event(Event{Kind: EventRevoked, SessionID: id.String()})
	}
	return err
}

// Revoke ends one session of the user's: one device. It returns ErrNotFound if
// the user has no such session, so that nobody can end another's; a session that
// is over already is no error. Any other error says that the store gave no
// definite answer.
func (m *Manager) Revoke(ctx context.Context, userID, sessionID string) error {
	id, err := ParseID(sessionID)
	if err != nil || userID == "" { // a Store takes no user for any user
		return ErrNotFound
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	var done bool
	err = m.ask(ctx, func(ctx context.Context) (err error) {
		done, err = m.store.Revoke(ctx, id, userID, ReasonRevoked)
		return err
	})
	if err != nil {
		return err
	}
	if done {
		m.feed.revoked(id)
		m.event(Event{Kind: EventRevoked, SessionID: sessionID})
		return nil
	}
	// Revoked before, perhaps by a first try of ours whose answer was lost; or
	// not the user's.
	snap, err := m.find(ctx, id)
	if err != nil {
		return err
	}
	if snap.Record == nil || snap.Record.UserID != userID {
		return ErrNotFound
	}
	m.feed.revoked(id)
	return nil
}

// RevokeUser ends every session of the user's but those in except, which are
// session ids. An error says that the store gave no definite answer.
func (m *Manager) RevokeUser(ctx context.Context, userID string, except ...string) error {
	keep := make([]ID, 0, len(except))
	for _, text := range except {
		id, err := ParseID(text)
		if err != nil {
			return fmt.Errorf("session: RevokeUser was told to spare %q: %w", clip(text, 40), err)
		}
		keep = append(keep, id)
	}
	return m.askAndPoll(ctx, func(ctx context.Context) error {
		return m.store.RevokeUser(ctx, userID, keep, ReasonRevoked)
	})
}

// RevokeAll ends every session of every user. It costs the same however many
// there are.
func (m *Manager) RevokeAll(ctx context.Context) error {
	return m.askAndPoll(ctx, m.store.RevokeAll)
}

// Reload makes the user's next request on each device ask the store, so that
// changed roles and attributes count at once. It logs nobody out.
func (m *Manager) Reload(ctx context.Context, userID string) error {
	return m.askAndPoll(ctx, func(ctx context.Context) error { return m.store.Reload(ctx, userID) })
}

// askAndPoll does a step whose sessions this node cannot name, and looks at once
// which they were. If only the look fails, the step is done all the same, and
// the next poll shows it.
func (m *Manager) askAndPoll(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	if err := m.ask(ctx, step); err != nil {
		return err
	}
	_ = m.poll(ctx) // reported as an event
	return nil
}

// Check asks the store whether the session is still good at this moment, for
// what must not rest on a cookie of up to AccessTTL's age. It returns nil, an
// error that Is ErrUnauthenticated, or the store's trouble.
func (m *Manager) Check(ctx context.Context, s Session) error {
	id, err := ParseID(s.ID)
	if err != nil {
		return unauthenticated("the session has no id")
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	snap, err := m.find(ctx, id)
	switch {
	case err != nil:
		return err
	case snap.Record == nil || snap.over() || snap.Record.UserID != s.UserID:
		return unauthenticated("the session is over")
	}
	return nil
}

// Info is what a user may see of one of their sessions. Nothing in it makes a
// cookie.
type Info struct {
	ID         string
	UserAgent  string    // as the browser gave it at login
	IP         string    // the network address at login
	CreatedAt  time.Time // of the login
	LastSeenAt time.Time // of the last confirmed refresh: up to AccessTTL behind
	AuthTime   time.Time // when the user last proved who they are
}

// List returns the user's live sessions, the newest first.
func (m *Manager) List(ctx context.Context, userID string) ([]Info, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	return m.list(ctx, userID)
}

func (m *Manager) list(ctx context.Context, userID string) ([]Info, error) {
	var records []Record
	err := m.ask(ctx, func(ctx context.Context) (err error) {
		records, err = m.store.List(ctx, userID)
		return err
	})
	infos := make([]Info, 0, len(records))
	for _, rec := range records {
		infos = append(infos, Info{
			ID:         rec.ID.String(),
			UserAgent:  rec.UserAgent,
			IP:         rec.IP,
			CreatedAt:  rec.CreatedAt,
			LastSeenAt: rec.ConfirmedAt,
			AuthTime:   rec.AuthTime,
		})
	}
	return infos, err
}
