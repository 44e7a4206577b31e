package session

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// tickets reads the cookies of requests into tickets, and mints new tickets into
// cookies. It is safe for concurrent use.
type tickets struct {
	names   cookieNames
	spans   spans
	events  *events
	sealers atomic.Pointer[sealers] // setKeys replaces it as a whole

	tooLarge oncePerMinute[store.ID] // limits EventTooLarge
}

// setKeys replaces the keys. On an error they stay as they were.
func (ts *tickets) setKeys(keys Keys, app string) error {
	oldKey := func() { ts.events.raise(nil, Event{Kind: EventOldKey}) }
	s, err := newSealers(keys, app, ts.spans, oldKey)
	if err != nil {
		return err
	}
	ts.sealers.Store(s)
	return nil
}

// access returns the request's access ticket, accepted or not. A ticket that says that a
// session is over counts as absent.
func (ts *tickets) access(r *http.Request) (*accessTicket, bool) {
	sealers := ts.sealers.Load().cookies
	open := func(name, value string) (*accessTicket, store.ID, reading) {
		t, ok := sealers.openAccess(name, value)
		switch {
		case !ok:
			return nil, store.ID{}, readUndecodable
		case t.over:
			return nil, store.ID{}, readNone
		default:
			return t, t.id, readGood
		}
	}
	t, how := readCookie(r, ts.names.access, open, isNewer)
	return t, ts.wasRead(r, how)
}

func isNewer(a, b *accessTicket) bool { return a.IssuedAt.After(b.IssuedAt) }

// over returns the request's ticket that says that the session is over, if there is
// one. It says nothing about any other session.
func (ts *tickets) over(r *http.Request, id store.ID) (*accessTicket, bool) {
	sealers := ts.sealers.Load().cookies
	open := func(name, value string) (*accessTicket, store.ID, reading) {
		if t, ok := sealers.openAccess(name, value); ok && t.over && t.id == id {
			return t, t.id, readGood
		}
		return nil, store.ID{}, readNone
	}
	t, how := readCookie(r, ts.names.access, open, isNewer)
	return t, how == readGood
}

// refresh returns the request's refresh tickets, one for each session: usually one. Of
// the two cookies of a session, the ticket of the higher generation counts. There are
// two sessions if a late answer of the one before a login has arrived after the login's
// answer, or if somebody has planted a cookie.
//
// A cookie that no key opens is reported, also next to a good one: a node with a newer
// key may have sealed it. The good one is judged as if it stood alone. If it were
// spared for the other one's sake, a thief would add nonsense to his own.
func (ts *tickets) refresh(r *http.Request) []refreshTicket {
	open, newer := ts.sealers.Load().cookies.openRefresh, func(a, b refreshTicket) bool { return a.generation > b.generation }
	even, howEven := readCookie(r, ts.names.refresh[0], open, newer)
	odd, howOdd := readCookie(r, ts.names.refresh[1], open, newer)
	if how := min(howEven, howOdd); how == readUndecodable && max(howEven, howOdd) == readGood {
		ts.wasRead(r, how)
	}
	switch {
	case !ts.wasRead(r, max(howEven, howOdd)):
		return nil
	case howOdd != readGood || even.root == odd.root && even.generation > odd.generation:
		return []refreshTicket{even}
	case howEven != readGood || even.root == odd.root:
		return []refreshTicket{odd}
	default:
		return []refreshTicket{even, odd}
	}
}

// refreshOf returns the request's refresh ticket of a session.
func (ts *tickets) refreshOf(r *http.Request, id store.ID) (refreshTicket, bool) {
	for _, t := range ts.refresh(r) {
		if t.sessionID() == id {
			return t, true
		}
	}
	return refreshTicket{}, false
}

// wasRead reports whether a ticket was read. A cookie that cannot be opened is never
// deleted: a node with a newer key may have sealed it.
func (ts *tickets) wasRead(r *http.Request, how reading) bool {
	switch how {
	case readUndecodable:
		ts.events.raise(r, Event{Kind: EventUndecodable})
	case readAmbiguous:
		ts.events.raise(r, Event{Kind: EventAmbiguous})
	}
	return how == readGood
}

// sessions returns the sessions in the request's cookies: usually one, and of an
// impersonation also the one it began from. It leaves out those that ended long ago. Only an
// access ticket says whose they are.
func (ts *tickets) sessions(r *http.Request, isLongPast func(time.Time) bool) (all []named) {
	add := func(s named) {
		if s.id.IsZero() {
			return
		}
		for i := range all {
			if all[i].id == s.id {
				all[i] = s
				return
			}
		}
		all = append(all, s)
	}
	for _, t := range ts.refresh(r) {
		if !isLongPast(t.expires) {
			add(named{id: t.sessionID()})
			if t.origin != nil {
				add(named{id: t.origin.sessionID()})
			}
		}
	}
	if t, ok := ts.access(r); ok {
		add(named{t.id, t.UserID, t.Actor})
		add(named{id: t.origin, userID: t.Actor})
	}
	return all
}

// mint returns the Verdict on a session that the store has just described, with an
// access cookie, and with a refresh cookie unless the refresh ticket is nil. With
// ErrTooLarge the Verdict is complete but for the access cookie.
func (ts *tickets) mint(c *call, snap store.Snapshot, refresh *refreshTicket) (Verdict, error) {
	sealers := ts.sealers.Load().cookies
	v := Verdict{ticket: ts.newAccess(snap)}
	value, tooLarge := sealers.access.seal(ts.names.access, v.ticket)
	if tooLarge == nil {
		sealers.cache.put(&cachedTicket{value: value, ticket: *v.ticket})
		v.Cookies = append(v.Cookies, ts.names.cookie(ts.names.access, value, v.ticket.ExpiresAt.Sub(snap.Now)))
	} else if ts.tooLarge.first(v.ticket.id) {
		c.raise(eventOf(EventTooLarge, snap.Record))
	}
	if refresh == nil {
		return v, tooLarge
	}
	cookie, err := ts.refreshCookie(ts.names.refreshFor(refresh.generation), snap, refresh)
	if err != nil {
		return Verdict{}, err
	}
	v.Cookies = append(v.Cookies, cookie)
	return v, tooLarge
}

// mintFirst is mint for the first answer of a session to a browser, which may have had
// another session. The refresh ticket has both names: a late answer of that one replaces
// one of the two cookies at most.
func (ts *tickets) mintFirst(c *call, snap store.Snapshot, refresh *refreshTicket) (Verdict, error) {
	v, tooLarge := ts.mint(c, snap, refresh)
	if tooLarge != nil && !errors.Is(tooLarge, ErrTooLarge) {
		return Verdict{}, tooLarge
	}
	cookie, err := ts.refreshCookie(ts.names.refreshFor(refresh.generation+1), snap, refresh)
	if err != nil {
		return Verdict{}, err
	}
	v.Cookies = append(v.Cookies, cookie)
	return v, tooLarge
}

// refreshCookie seals a ticket into a refresh cookie of the name.
func (ts *tickets) refreshCookie(name string, snap store.Snapshot, t *refreshTicket) (*http.Cookie, error) {
	value, err := ts.sealers.Load().cookies.refresh.seal(name, t)
	if err != nil {
		return nil, err
	}
	life := min(t.expires.Sub(snap.Now), snap.Record.EndsAt.Sub(snap.Now))
	return ts.names.cookie(name, value, life), nil
}

// fits returns ErrTooLarge if the session would outgrow the access cookie with other data.
func (ts *tickets) fits(snap store.Snapshot, data map[string]string) error {
	t := ts.newAccess(snap)
	t.Data = data
	_, err := ts.sealers.Load().cookies.access.seal(ts.names.access, t)
	return err
}

// mintOver returns the access cookie that says that a session is over. With it a browser
// that keeps a dead refresh cookie is refused for a while, without the store.
func (ts *tickets) mintOver(id store.ID, now time.Time, reused bool) (*http.Cookie, error) {
	t := &accessTicket{id: id, over: true, reused: reused}
	t.IssuedAt, t.ExpiresAt = stamp(now), stamp(now.Add(ts.spans.cookies.over))
	value, err := ts.sealers.Load().cookies.access.seal(ts.names.access, t)
	if err != nil {
		return nil, err
	}
	return ts.names.cookie(ts.names.access, value, ts.spans.cookies.over), nil
}

// newAccess makes an access ticket. Its life is shortened at random, so that users
// who logged in together refresh apart.
func (ts *tickets) newAccess(snap store.Snapshot) *accessTicket {
	row := snap.Record
	w := ts.spans.of(row.Client)
	expires := snap.Now.Add(w.access - rand.N(w.accessJitter))
	if expires.After(row.EndsAt) {
		expires = row.EndsAt
	}
	return &accessTicket{
		Session: Session{
			ID:        row.ID.String(),
			UserID:    row.UserID,
			Roles:     row.User.Roles,
			Attrs:     row.User.Attrs,
			AuthTime:  stamp(row.AuthTime),
			IssuedAt:  stamp(snap.Now),
			ExpiresAt: stamp(expires),
			EndsAt:    stamp(row.EndsAt),

			Methods:    row.Methods,
			Actor:      row.Actor,
			ExternalID: row.ExternalID,
			Client:     row.Client,
			Data:       row.Data,
		},
		id:          row.ID,
		origin:      row.ActorSession,
		reload:      row.Reload,
		globalEpoch: row.GlobalEpoch,
		refresh:     snap.RefreshEpoch,
	}
}

// sendable returns those of the Verdict's cookies that may still be sent.
func (ts *tickets) sendable(v Verdict, revocations *revocationList) []*http.Cookie {
	t := v.ticket
	switch {
	case t == nil: // of a logout or a refusal
		return v.Cookies
	case !revocations.accepts(t.id, t.globalEpoch, t.reload) || revocations.originEnded(t.origin):
		return nil
	case v.child && time.Since(v.asked) > ts.spans.cookies.deliverChild:
		return ts.names.withoutRefresh(v.Cookies)
	default:
		return v.Cookies
	}
}
