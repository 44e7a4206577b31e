package session

import (
	"context"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// revoker ends sessions: on this node at once, and in the store now or as soon as
// the store answers. It is safe for concurrent use.
type revoker struct {
	store       *storeClient
	revocations *revocationList
	pending     *pendingRevocations
	unfinished  unfinishedRevocations
	giveUpAfter time.Duration // the longest life of a session: after it nothing is left to revoke
}

// isCurrent reports whether this node knows of no revocation that is newer than the
// row as the store returned it, or that the store has yet to be told of.
func (rv *revoker) isCurrent(row *store.Record) bool {
	return rv.revocations.accepts(row.ID, row.GlobalEpoch, row.Reload) && !rv.pending.has(row.ID) &&
		!rv.revocations.originEnded(row.ActorSession) && !rv.pending.has(row.ActorSession)
}

// named is a session that is to end, with the users that its event names, if they are known.
type named struct {
	id            store.ID
	userID, actor string
}

func nameOf(row *store.Record) named { return named{row.ID, row.UserID, row.Actor} }

// revoke enters the session into this node's revocation list first: that holds even
// if the store does not answer.
func (rv *revoker) revoke(c *call, s named, reason store.Reason) error {
	rv.revocations.revoking(s.id)
	done, lost, err := c.revoke(s.id, "", reason)
	if err != nil {
		return err
	}
	rv.revocations.revoked(s.id)
	if !done && lost {
		snap, err := c.find(s.id)
		done = err == nil && isJustRevoked(snap, reason)
	}
	if done {
		c.raise(Event{Kind: EventRevoked, SessionID: s.id.String(), UserID: s.userID, Actor: s.actor, Detail: string(reason)})
	}
	return nil
}

// isJustRevoked reports whether a try whose answer was lost has revoked the session of s, as far
// as its row tells.
func isJustRevoked(s store.Snapshot, reason store.Reason) bool {
	row := s.Record
	return row != nil && row.Reason == reason && s.Now.Sub(row.RevokedAt) <= storeTimeout
}

// revokeSurely revokes sessions, and has Run repeat what the store cannot be told
// now. It returns the first error. A session that is revoked already costs no statement:
// a client may send a dead cookie any number of times.
func (rv *revoker) revokeSurely(c *call, sessions []named, reason store.Reason) error {
	var first error
	for _, s := range sessions {
		if rv.revocations.isRevoked(s.id) {
			continue
		}
		if err := rv.revoke(c, s, reason); err != nil {
			rv.revokeLater(c, s, reason)
			if first == nil {
				first = err
			}
		}
	}
	return first
}

// revokeLater has Run repeat a revocation. This node refuses the session meanwhile.
func (rv *revoker) revokeLater(c *call, s named, reason store.Reason) {
	known := rv.pending.has(s.id)
	if !rv.pending.add(s.id, reason, time.Now().Add(rv.giveUpAfter)) {
		c.raise(Event{Kind: EventRevocationLost, SessionID: s.id.String(), UserID: s.userID, Actor: s.actor})
		return
	}
	if known { // a client may send its cookie any number of times
		return
	}
	c.audit(store.AuditEntry{
		Action: store.AuditSessionEnded, UserID: s.userID, SessionID: s.id, Actor: s.actor,
		Detail: string(reason) + ", on this node: the store does not answer, and is told later",
	})
}

// reportReuse tells of a theft. The store has the revocation, so it is no longer
// pending.
func (rv *revoker) reportReuse(c *call, row *store.Record) {
	rv.revocations.revoked(row.ID)
	rv.pending.done(row.ID)
	e := eventOf(EventReuse, row)
	e.LoginUserAgent = row.UserAgent
	c.raise(e)
}

// retryAtOnce is how many pending revocations one round of Run repeats.
const retryAtOnce = 100

// retry tells the store of the revocations that it missed.
func (rv *revoker) retry(ctx context.Context) {
	for id, reason := range rv.pending.some(retryAtOnce) {
		if rv.retryOne(ctx, id, reason) != nil {
			return
		}
	}
}

func (rv *revoker) retryOne(ctx context.Context, id store.ID, reason store.Reason) error {
	c := rv.store.begin(ctx, nil)
	defer c.end()
	done, _, err := c.revoke(id, "", reason)
	if err != nil {
		return err
	}
	if reason == store.ReasonReuse {
		snap, err := c.find(id)
		if err != nil {
			return err
		}
		if row := snap.Record; row != nil && row.Reason == store.ReasonReuse {
			rv.reportReuse(c, row)
		}
	} else if done {
		c.raise(Event{Kind: EventRevoked, SessionID: id.String(), Detail: string(reason)})
	}
	rv.revocations.revoked(id)
	rv.pending.done(id)
	return nil
}
