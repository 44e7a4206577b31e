package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// Logout ends the session that the request's cookies name, or its access token, and of an impersonation also the
// actor's. It returns a Verdict whose cookies delete them, even on an error. After a request
// with a token there are none; an error that Is ErrUnauthenticated says that nothing has ended,
// because no key opens the token, or because the request has cookies, too (ErrAmbiguous). An error that Is
// ErrStoreUnavailable says that the store could not be told: this node no longer
// accepts the session, and Run repeats the revocation until the store has it. If the
// process ends before that, the revocation is lost, and a copy of the cookies is good
// again.
func (m *Manager) Logout(r *http.Request) (Verdict, error) {
	c := m.store.begin(r.Context(), r)
	defer c.end()
	if m.isByToken(r) {
		return Verdict{}, m.logoutToken(c)
	}
	return Verdict{Cookies: m.tickets.names.cleared()}, m.revoker.revokeSurely(c, m.sessionsOf(r), store.ReasonLogout)
}

// Revoke ends one session of the user's: one device. It returns ErrNotFound if the
// user has no such session, so that nobody can end another user's. A session that is
// over already is no error, for an hour at least: then its row leaves. An error that Is
// ErrStoreUnavailable says that the session may go on.
func (m *Manager) Revoke(ctx context.Context, userID, sessionID string) error {
	id, err := store.ParseID(sessionID)
	if err != nil || userID == "" { // for a Store an empty user means any user
		return ErrNotFound
	}
	c := m.store.begin(ctx, nil)
	defer c.end()
	done, lost, err := c.revoke(id, userID, store.ReasonRevoked)
	if err != nil {
		return err
	}
	ended := Event{Kind: EventRevoked, SessionID: sessionID, UserID: userID, Detail: string(store.ReasonRevoked)}
	if done {
		m.revocations.revoked(id)
		c.raise(ended)
		return nil
	}
	// It was revoked before, perhaps by an earlier try of ours whose answer was lost;
	// or it is not the user's.
	snap, err := c.find(id)
	if err != nil {
		return err
	}
	if snap.Record == nil || snap.Record.UserID != userID {
		return ErrNotFound
	}
	m.revocations.revoked(id)
	if lost && isJustRevoked(snap, store.ReasonRevoked) {
		c.raise(ended)
	}
	return nil
}

// RevokeUser ends all sessions of the user, except those whose ids are in except. It
// returns nil when all have ended, however many there are. If 2 seconds are too short
// for that, it returns an error that Is ErrUnfinished: Run ends the others, in any order,
// spares those in except and whoever has logged in since, and raises EventRevoked with the user's id alone.
// If the process ends before, call RevokeUser again. If the database's clock is set back at
// that time, a login that follows may end as well.
//
// On success it raises no event; Config.Audit gets an entry.
//
// An error that Is ErrStoreUnavailable alone says that the sessions may go on. Any other
// names the faulty id in except, and no session has ended.
func (m *Manager) RevokeUser(ctx context.Context, userID string, except ...string) error {
	keep := make([]store.ID, 0, len(except))
	for _, text := range except {
		id, err := store.ParseID(text)
		if err != nil {
			return fmt.Errorf("session: RevokeUser: cannot except %q: %w", clip(text, 40), err)
		}
		keep = append(keep, id)
	}
	u := userRevocation{UserRevocation: store.UserRevocation{UserID: userID, Except: keep, Reason: store.ReasonRevoked, Limit: pageSize}}
	e := store.AuditEntry{Action: store.AuditUserEnded, UserID: userID}
	if len(keep) > 0 {
		e.Detail = fmt.Sprintf("all but %d", len(keep))
	}
	return m.changeMany(ctx, e, func(c *call) error { return m.revoker.revokeUser(c, u) })
}

// RevokeExternal ends all sessions that an identity provider calls by this id (see
// Login.ExternalID) and that did not begin after a time by the store's clock; zero: all. It
// behaves as RevokeUser does, except that the event at the end of ErrUnfinished names no
// user. With a time, Run goes on also if the store has not answered: the error then Is
// ErrUnfinished and ErrStoreUnavailable. It ends nothing if externalID is empty.
func (m *Manager) RevokeExternal(ctx context.Context, externalID string, before time.Time) error {
	if externalID == "" {
		return nil
	}
	u := userRevocation{UserRevocation: store.UserRevocation{ExternalID: externalID, Before: before, Reason: store.ReasonRevoked, Limit: pageSize}}
	e := store.AuditEntry{Action: store.AuditExternalEnded, Detail: externalID}
	return m.changeMany(ctx, e, func(c *call) error { return m.revoker.revokeUser(c, u) })
}

// RevokeAll ends every session of every user. Its cost does not depend on their
// number. An error that Is ErrStoreUnavailable says that they may go on.
func (m *Manager) RevokeAll(ctx context.Context) error {
	return m.changeMany(ctx, store.AuditEntry{Action: store.AuditAllEnded}, (*call).revokeAll)
}

// ForceRefresh makes the next request of the user on each device ask the store, so
// that changed roles and attributes take effect at once. It logs nobody out. If the
// user has 1,000 live sessions or more, the next request of everybody asks the store.
// An error that Is ErrStoreUnavailable says that it may not have happened.
func (m *Manager) ForceRefresh(ctx context.Context, userID string) error {
	return m.changeMany(ctx, store.AuditEntry{Action: store.AuditForcedRefresh, UserID: userID}, func(c *call) error {
		n, err := c.reload(userID, pageSize)
		if err == nil && n == pageSize {
			err = c.refreshAll()
		}
		return err
	})
}

// changeMany makes a change to sessions whose ids this node does not know, logs it, and then
// polls for them. If only the poll fails, the change is made all the same, and the
// next poll shows it.
func (m *Manager) changeMany(ctx context.Context, e store.AuditEntry, change func(*call) error) error {
	c := m.store.begin(ctx, nil)
	defer c.end()
	err := change(c)
	if errors.Is(err, ErrUnfinished) {
		e.Detail = strings.TrimPrefix(e.Detail+", the rest later", ", ")
	}
	if err == nil || errors.Is(err, ErrUnfinished) {
		c.audit(e)
	}
	if err != nil {
		return err
	}
	_ = m.revocations.poll(c) // an event reports the error
	return nil
}
