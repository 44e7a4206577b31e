package session

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The steps around judge: read the row, judge the ticket, and where the verdict
// must be written down, write it on the condition that it still holds.

// outcome is what became of a ticket, and the row that it was held against.
type outcome struct {
	class class
	snap  Snapshot
}

// errContended says that the row changed under each of the rounds that a
// request has. Nobody is logged out for that.
var errContended = errors.New("the session's row kept changing")

// maxRounds bounds how often a request reads the row.
const maxRounds = 3

// settle finds out what a ticket is, in one to two statements as a rule. It is
// the only caller of Store.Confirm and Store.RevokeReused.
func (m *Manager) settle(ctx context.Context, t refreshTicket, prefetch bool) (outcome, error) {
	id := t.sessionID()
	idle, _ := m.cfg.timeouts(t.remember)
	presented := Presented{ID: id, Generation: t.generation, Digest: t.digest(), Parent: t.parentDigest(), KeepFor: m.cfg.keepFor(t.remember)}

	var failed error // the first trouble, which is repeated once, from the start
	killing := false // a kill whose answer was lost may have been ours
	for range maxRounds {
		o, written, err := m.round(ctx, id, t, presented, prefetch, idle)
		if err != nil {
			if failed != nil || !again(ctx) {
				return outcome{}, m.trouble(err)
			}
			failed, killing = err, o.class == classReuse
			continue
		}
		if !written {
			continue // the row was changed in between: what it says now decides
		}
		m.note(o, id, killing)
		return o, nil
	}
	if failed == nil {
		failed = errContended
	}
	return outcome{}, m.trouble(failed)
}

// round reads the row once and does what follows from it. It reports whether
// what had to be written was.
func (m *Manager) round(ctx context.Context, id ID, t refreshTicket, p Presented, prefetch bool, idle time.Duration) (o outcome, written bool, err error) {
	o.snap, err = m.store.Find(ctx, id)
	if err != nil {
		return o, false, err
	}
	o.class = m.rules.judge(o.snap, t)
	switch o.class {
	case classSame, classNext, classAhead:
		// A prefetch may never be looked at, and its cookies never be stored.
		// While there is time, it changes nothing (Sec-Purpose, Fetch standard).
		if left := time.UnixMilli(t.expires).Sub(o.snap.Now); prefetch && left > idle/2 {
			o.class = classYoung
			return o, true, nil
		}
	}
	switch o.class {
	case classNext, classAhead:
		written, err = m.store.Confirm(ctx, p)
	case classReuse:
		written, err = m.store.RevokeReused(ctx, p)
	default:
		written = true
	}
	return o, written, err
}

// note tells the operator, and this node's feed.
func (m *Manager) note(o outcome, id ID, killing bool) {
	event := func(kind EventKind) { m.event(Event{Kind: kind, SessionID: id.String()}) }
	switch o.class {
	case classReuse:
		m.feed.revoked(id)
		event(EventReuse)
	case classEnded:
		if killing && o.snap.Record.Reason == ReasonReuse {
			event(EventReuse)
		}
		event(EventEnded)
	case classMissing:
		event(EventEnded)
	case classStraggler:
		event(EventStraggler)
	case classAhead:
		event(EventAhead)
		event(EventRefreshed)
	case classSame, classNext, classYoung:
		event(EventRefreshed)
	}
}

// redeem turns a refresh ticket into a verdict.
func (m *Manager) redeem(r *http.Request, t refreshTicket) (Verdict, error) {
	prefetch := strings.HasPrefix(r.Header.Get("Sec-Purpose"), "prefetch")
	// A second round only if a revocation arrived here while the store was asked:
	// what was read may be older than it.
	for range 2 {
		o, err := m.share(r.Context(), t, prefetch)
		if err != nil {
			return Verdict{}, err
		}
		switch o.class {
		case classPending:
			return Verdict{}, errPending
		case classMissing, classEnded, classReuse:
			return m.refuse(o)
		}
		v, err := m.grant(t, o)
		if err != nil || m.stillGood(o) {
			return v, err
		}
	}
	return Verdict{}, m.trouble(errBehind)
}

var (
	errPending = errors.New("session: a login of a moment ago is not in the store yet: try again")
	errBehind  = errors.New("the store's answer is older than a revocation that this node knows of")
)

// refuse tells a session that is over. Its cookies are deleted, unless a newer
// login on this browser ended it: a late request of the old session must not
// delete the new one's.
func (m *Manager) refuse(o outcome) (Verdict, error) {
	if row := o.snap.Record; row != nil && row.Reason == ReasonReplaced {
		return Verdict{}, unauthenticated("the session was replaced by a newer login")
	}
	return Verdict{Cookies: m.names.cleared()}, unauthenticated("the session is over (" + o.class.String() + ")")
}

// grant makes the session, and the cookies that the class of its ticket earns:
// both for one that was confirmed, an access cookie for a young one, and none
// for a straggler, whose browser owns a newer one already.
func (m *Manager) grant(t refreshTicket, o outcome) (Verdict, error) {
	v := Verdict{manager: m, ticket: m.accessFor(o.snap), decided: time.Now(), child: true}
	v.Session = v.ticket.session()
	if o.class == classStraggler {
		return v, nil
	}
	if o.class == classYoung {
		return v, m.addCookies(&v, nil, o.snap)
	}
	idle, _ := m.cfg.timeouts(t.remember)
	child := t.child(o.snap.Now, idle)
	return v, m.addCookies(&v, &child, o.snap)
}

func (m *Manager) addCookies(v *Verdict, refresh *refreshTicket, snap Snapshot) error {
	value, err := m.sealers.Load().access.seal(&v.ticket)
	if err != nil {
		*v = Verdict{}
		return err
	}
	v.Cookies = append(v.Cookies, m.names.cookie(m.names.access, value, time.UnixMilli(v.ticket.expires).Sub(snap.Now)))
	if refresh == nil {
		return nil
	}
	if value, err = m.sealers.Load().refresh.seal(refresh); err != nil {
		*v = Verdict{}
		return err
	}
	life := min(time.UnixMilli(refresh.expires).Sub(snap.Now), snap.Record.EndsAt.Sub(snap.Now))
	v.Cookies = append(v.Cookies, m.names.cookie(m.names.refresh, value, life))
	return nil
}

// accessFor mints an access ticket from what the store has just said. Its life is
// up to a tenth shorter than AccessTTL, so that users who logged in together do
// not come back together.
func (m *Manager) accessFor(snap Snapshot) accessTicket {
	row := snap.Record
	expires := snap.Now.Add(m.cfg.AccessTTL - rand.N(m.cfg.AccessTTL/10))
	if expires.After(row.EndsAt) {
		expires = row.EndsAt
	}
	return accessTicket{
		id:          row.ID,
		userID:      row.UserID,
		roles:       row.User.Roles,
		attrs:       row.User.Attrs,
		reload:      row.Reload,
		globalEpoch: row.GlobalEpoch,
		authTime:    row.AuthTime.UnixMilli(),
		issued:      snap.Now.UnixMilli(),
		expires:     expires.UnixMilli(),
		ends:        row.EndsAt.UnixMilli(),
	}
}

// session returns what the ticket says. Roles and Attrs are copies: requests
// that shared a row share nothing that a handler could change.
func (t *accessTicket) session() Session {
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	return Session{
		ID:        t.id.String(),
		UserID:    t.userID,
		Roles:     slices.Clone(t.roles),
		Attrs:     maps.Clone(t.attrs),
		AuthTime:  at(t.authTime),
		IssuedAt:  at(t.issued),
		ExpiresAt: at(t.expires),
		EndsAt:    at(t.ends),
	}
}

// share settles a ticket once for all the requests of a page load: those that
// wait for the same answer, and those that come right after it. Each of them
// still mints a child of its own.
func (m *Manager) share(ctx context.Context, t refreshTicket, prefetch bool) (outcome, error) {
	key := string(t.id[:])
	if prefetch {
		key += "p"
	}
	id := t.sessionID()
	if o, ok := m.recent.get(id, key); ok && m.stillGood(o) {
		return o, nil
	}
	result, err, _ := m.flights.Do(key, func() (any, error) {
		var o outcome
		err := m.withTimeout(ctx, func(ctx context.Context) (err error) {
			o, err = m.settle(ctx, t, prefetch)
			return err
		})
		if err == nil {
			m.recent.put(id, key, o)
		}
		return o, err
	})
	if err != nil {
		return outcome{}, err
	}
	return result.(outcome), nil
}

// stillGood reports whether this node knows of no revocation that is newer than
// what the store said.
func (m *Manager) stillGood(o outcome) bool {
	row := o.snap.Record
	return m.feed.believes(row.ID, row.GlobalEpoch, row.Reload)
}

// recent remembers, for a moment, how the ticket of a session that was settled
// last came out. It holds one ticket per session, so that a confirmed child ends
// the memory of its parent.
type recent struct {
	keep time.Duration

	mu      sync.Mutex // guards what follows
	settled map[ID]settled
	order   []settled // oldest first: what has aged is at the front
}

type settled struct {
	id  ID
	key string
	outcome
	at time.Time
}

func newRecent(keep time.Duration) *recent {
	return &recent{keep: keep, settled: map[ID]settled{}}
}

func (r *recent) get(id ID, key string) (outcome, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.settled[id]
	return s.outcome, ok && s.key == key && time.Since(s.at) <= r.keep
}

// put remembers what may be answered again without asking: not a refusal, and
// not a straggler, whose window is short enough to be measured each time.
func (r *recent) put(id ID, key string, o outcome) {
	switch o.class {
	case classSame, classNext, classAhead, classYoung:
	default:
		return
	}
	now := time.Now()
	s := settled{id: id, key: key, outcome: o, at: now}
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.order) > 0 && now.Sub(r.order[0].at) > r.keep {
		if old := r.order[0]; r.settled[old.id].at == old.at {
			delete(r.settled, old.id)
		}
		r.order = r.order[1:]
	}
	r.settled[id] = s
	r.order = append(r.order, s)
}
