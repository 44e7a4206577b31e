package session

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/sessionkit/sessionkit/session/store"
)

// Impersonation: an actor, such as an administrator, acts as another user, in a session of
// that user's that names the actor. The actor's own session goes on meanwhile. Its refresh
// ticket, the origin, travels inside that of the impersonation, until StopImpersonating
// gives it back to the browser. So no client but this browser has it, and the rotation
// finds a thief of the one as it finds a thief of the other.
//
// An impersonation is over when the actor's own session is: see isOver.

// impersonate is Issue for a login with an Actor.
func (m *Manager) impersonate(r *http.Request, login Login) (Verdict, error) {
	if m.cfg.MayImpersonate == nil {
		return Verdict{}, errors.New("session: Login.Actor needs Config.MayImpersonate, which decides who may act as whom")
	}
	return m.change(r, func(c *call, t refreshTicket, o outcome) (Verdict, error) {
		own := o.snap.Record
		switch {
		case own.Actor != "":
			return Verdict{}, fmt.Errorf("%w: the request's session is itself an impersonation", ErrUserDisabled)
		case own.UserID != login.Actor:
			return Verdict{}, fmt.Errorf("%w: Login.Actor is not the user of the request's session", ErrUserDisabled)
		case o.class == classStraggler: // the browser has a newer ticket, which is not known here
			return Verdict{}, unavailable(errStraggler)
		}
		actor := Verdict{ticket: m.tickets.newAccess(o.snap)}.Session()
		if err := m.cfg.MayImpersonate(r, actor, login.UserID); err != nil {
			return Verdict{}, fmt.Errorf("session: Config.MayImpersonate: %w", err)
		}

		origin := t
		if o.class != classYoung {
			origin = t.child(o.snap.Now, m.cfg.idle(t, own.IdleTimeout))
		}
		left := min(own.EndsAt.Sub(o.snap.Now), origin.expires.Sub(o.snap.Now))
		if login.AbsoluteTimeout == 0 || login.AbsoluteTimeout > left {
			login.AbsoluteTimeout = left
		}
		v, err := m.begin(c, login, &origin, nil)
		if err != nil {
			return Verdict{}, err
		}
		// A late answer must not bring back the actor's access cookie. If this fails, an event
		// says so, and the browser may be the actor for one access lifetime.
		if _, err := c.reload(own.UserID, pageSize); err == nil {
			m.revocations.reloaded(own.ID, own.Reload+1)
		}
		return v, nil
	})
}

// StopImpersonating ends the impersonation in the request's session (see Login.Actor), and
// gives the browser the cookies of the actor's own session back. If the request's session
// is no impersonation, it goes on.
//
// The request must carry the refresh cookie of its session. An error that Is
// ErrUnauthenticated says that it has none, or that one of the two sessions is over; the
// actor then has to log in. ErrStoreUnavailable says that the impersonation goes on.
func (m *Manager) StopImpersonating(r *http.Request) (Verdict, error) {
	t, err := m.refreshTicket(r)
	if err != nil {
		return Verdict{}, err
	}
	return m.whileLive(r, t, func(c *call, t refreshTicket, o outcome) (Verdict, error) {
		if t.origin == nil {
			return m.answer(c, t, o)
		}
		own, refused, err := m.ask(c, *t.origin)
		if err != nil {
			return refused, err
		}
		back := *t.origin
		if own.class != classYoung { // its idle time begins again
			back = back.child(own.snap.Now, m.cfg.idle(back, own.snap.Record.IdleTimeout))
		}
		v, err := m.tickets.mintFirst(c, own.snap, &back)
		if err != nil && !errors.Is(err, ErrTooLarge) {
			return Verdict{}, err
		}
		v.asked = own.asked
		// Only now: on an earlier error the impersonation goes on. If this fails, Run
		// repeats it.
		m.revoker.revokeSurely(c, []named{nameOf(o.snap.Record)}, store.ReasonReplaced)
		return v, nil
	})
}

// impersonation returns the one of two live sessions that an actor began from the other.
func impersonation(tickets []refreshTicket) (refreshTicket, bool) {
	for _, t := range tickets {
		for _, other := range tickets {
			if t.origin != nil && t.origin.sessionID() == other.sessionID() {
				return t, true
			}
		}
	}
	return refreshTicket{}, false
}
