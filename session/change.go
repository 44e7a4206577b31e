package session

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// Update replaces the Data of the request's session, for example when the user chooses
// another tenant. The Verdict has the session with the new Data, and its cookies.
//
// Access cookies from before do not count any more: a late answer does not bring the old
// Data back. On other nodes this takes effect within about a second with Run, and else at
// the next refresh.
//
// It raises no event of its own, and no entry of Config.Audit: to audit it, log the call.
//
// The request must carry the refresh cookie of its session, as every request of a browser
// does. An error that Is ErrUnauthenticated says that it has none, or that of another session
// than the request was admitted by, or that the session is over; ErrTooLarge, that the session would outgrow its cookie: the Data are as before;
// ErrStoreUnavailable, that the Data may have changed or not. Any other error says what is
// wrong with the Data.
func (m *Manager) Update(r *http.Request, data map[string]string) (Verdict, error) {
	if err := dataFault(data); err != nil {
		return Verdict{}, fmt.Errorf("session: Update: the data: %w", err)
	}
	return m.change(r, func(c *call, t refreshTicket, o outcome) (Verdict, error) {
		row := o.snap.Record
		if err := m.tickets.fits(o.snap, data); err != nil {
			return Verdict{}, err
		}
		done, err := c.update(row.ID, data)
		if err != nil {
			return Verdict{}, err
		}
		if !done {
			return Verdict{}, unauthenticated("the session has ended meanwhile")
		}
		asked := time.Now()
		snap, err := c.find(row.ID)
		switch {
		case err != nil:
			return Verdict{}, err
		case snap.Record == nil || isOver(snap) || m.revocations.knowsEnd(row.ID, row.GlobalEpoch) || m.revocations.originEnded(row.ActorSession):
			return Verdict{}, unauthenticated("the session has ended meanwhile")
		}
		m.revocations.reloaded(row.ID, snap.Record.Reload)
		o.snap, o.asked = snap, asked
		return m.answer(c, t, o)
	})
}

// StepUp begins a new session for the user of the request, who has just proved who they
// are by one more method, such as a second factor. The app must have verified it. The
// old session ends: a refresh cookie that was copied before is worth nothing.
//
// The new session has the method in addition to those of the old one, and AuthTime is
// now, also if the old session had it. It keeps the absolute end, Remember, Data and all else
// that the login said, and the time of the login: what ends sessions by that time, such as
// RevokeExternal, ends it as it would have ended the old one.
//
// The errors are those of Issue. One that Is ErrUnauthenticated says that the request has
// no session that goes on, or not its refresh cookie. An impersonation (see Login.Actor) is
// refused with ErrUserDisabled.
func (m *Manager) StepUp(r *http.Request, method string) (Verdict, error) {
	return m.change(r, func(c *call, t refreshTicket, o outcome) (Verdict, error) {
		login, err := renewed(o.snap, t)
		if err != nil {
			return Verdict{}, err
		}
		if !slices.Contains(login.Methods, method) {
			login.Methods = append(slices.Clone(login.Methods), method)
		}
		if err := methodsFault(login.Methods); err != nil {
			return Verdict{}, fmt.Errorf("session: StepUp: %w", err)
		}
		v, err := m.begin(c, login, nil, o.snap.Record)
		if err == nil {
			c.audit(store.AuditEntry{Action: store.AuditStepUp, UserID: login.UserID, SessionID: v.ticket.id, Detail: method})
		}
		return v, err
	})
}

// PasswordChanged renews the session of the request after the app has stored a new password
// and raised the user's session epoch, which is now epoch. It begins a new session for this
// browser, with all that the old one had but AuthTime: the time of its login, its absolute
// end, Remember, Methods, Data and the like stay. Then it ends all other sessions of the user.
//
// Call it in the request that changes the password. The raised epoch has ended every session
// of the user, this one too: an access cookie is still accepted, for AccessTTL at most. If
// the store cannot be told to end the other sessions at once, Run tells it; without Run they
// end then.
//
// The errors are those of StepUp. After an error the password is changed, and the user must
// log in again.
func (m *Manager) PasswordChanged(r *http.Request, epoch uint64) (Verdict, error) {
	if epoch == 0 {
		return Verdict{}, errors.New("session: PasswordChanged: the epoch is 0: pass the one that the user has now")
	}
	seen, ok := m.seen(r)
	if !ok {
		return Verdict{}, unauthenticated("no session has admitted the request")
	}
	t, ok := m.tickets.refreshOf(r, seen.id)
	if !ok {
		return Verdict{}, unauthenticated("the request has no refresh cookie of the session that admitted it")
	}
	c := m.store.begin(r.Context(), r)
	defer c.end()
	snap, err := c.find(seen.id)
	if err != nil {
		return Verdict{}, err
	}
	if snap.Record != nil { // the session is over by its epoch; does it go on otherwise?
		row := *snap.Record
		row.UserEpoch = row.User.Epoch
		snap.Record = &row
	}
	switch class := m.resolver.judge(r, snap, t); {
	case class == classReuse:
		m.revoker.reportReuse(c, snap.Record)
		return Verdict{}, ErrReused
	case !class.goesOn():
		return Verdict{}, unauthenticated("the session has ended otherwise than by the new epoch")
	case !m.revoker.isCurrent(snap.Record):
		return Verdict{}, c.reportUnavailable(errStale)
	}
	login, err := renewed(snap, t)
	if err != nil {
		return Verdict{}, err
	}
	login.Epoch = epoch
	v, err := m.begin(c, login, nil, snap.Record)
	if err != nil {
		return Verdict{}, err
	}
	c.audit(store.AuditEntry{Action: store.AuditPasswordChanged, UserID: login.UserID, SessionID: v.ticket.id})
	others := store.UserRevocation{
		UserID: login.UserID, Except: []store.ID{v.ticket.id}, Reason: store.ReasonRevoked, Limit: pageSize,
		// With a time, Run repeats it if the store does not answer. The ticket's is rounded down.
		Before: v.ticket.IssuedAt.Add(tick * time.Millisecond),
	}
	if m.revoker.revokeUser(c, userRevocation{UserRevocation: others}) == nil {
		_ = m.revocations.poll(c) // an event reports the error
	}
	return v, nil
}

// renewed is the login that begins a session anew, with all that it has.
func renewed(snap store.Snapshot, t refreshTicket) (Login, error) {
	row := snap.Record
	if row.Actor != "" {
		return Login{}, errImpersonated
	}
	return Login{
		UserID: row.UserID, Remember: t.remember, Epoch: row.UserEpoch, NonInteractive: row.NonInteractive, IP: row.IP,
		Methods: row.Methods, ExternalID: row.ExternalID, Data: row.Data,
		IdleTimeout: row.IdleTimeout, AbsoluteTimeout: row.EndsAt.Sub(snap.Now),
	}, nil
}

// seen returns the access ticket of the session that has admitted the request.
func (m *Manager) seen(r *http.Request) (*accessTicket, bool) {
	if t, ok := ticketIn(r.Context()); ok {
		return t, true
	}
	t, ok := m.tickets.access(r)
	return t, ok && m.accepts(t)
}

// change lets do change the session of the request, if it goes on.
//
// The handler has seen who the access cookie belongs to, and the refresh cookie decides what
// is changed. Of two sessions, a user could prove their own second factor for another's.
func (m *Manager) change(r *http.Request, do func(c *call, t refreshTicket, o outcome) (Verdict, error)) (Verdict, error) {
	t, err := m.refreshTicket(r)
	if err != nil {
		return Verdict{}, err
	}
	if seen, ok := m.seen(r); ok && seen.id != t.sessionID() {
		return Verdict{}, unauthenticated("the refresh cookie is of another session than the one that the request was admitted by")
	}
	return m.whileLive(r, t, do)
}

// whileLive resolves a refresh ticket, as a refresh does, and calls do if its session goes
// on.
func (m *Manager) whileLive(r *http.Request, t refreshTicket, do func(c *call, t refreshTicket, o outcome) (Verdict, error)) (Verdict, error) {
	c := m.store.begin(r.Context(), r)
	defer c.end()
	o, refused, err := m.ask(c, t)
	if err != nil {
		return refused, err
	}
	if !m.revoker.isCurrent(o.snap.Record) {
		return Verdict{}, c.reportUnavailable(errStale)
	}
	return do(c, t, o)
}
