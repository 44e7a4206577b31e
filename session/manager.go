package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// storeTimeout bounds what one call of the Manager's waits for the store, all
// statements together.
const storeTimeout = 2 * time.Second

// Manager decides who a request belongs to. It never writes a response, and is
// safe for concurrent use.
type Manager struct {
	cfg      Config
	store    Store
	rules    rules
	names    cookieNames
	sealers  atomic.Pointer[sealers] // replaced as a whole by SetKeys
	feed     *feed
	flights  singleflight.Group // of settle, by ticket
	recent   *recent
	undone   *undone
	breaker  *breaker
	behind   atomic.Bool // whether this node's clock is, as the store last said
	counters counters
}

// New returns a Manager that seals with the first of keys. It refuses a faulty
// Config, naming every fault at once, and starts nothing: see Run.
func New(keys Keys, store Store, cfg Config) (*Manager, error) {
	cfg = cfg.withDefaults()
	faults := []error{cfg.faults(), keys.fault()}
	if store == nil {
		faults = append(faults, errors.New("session: New was given no store: make one with sqlstore.New"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}

	m := &Manager{
		cfg:    cfg,
		store:  store,
		rules:  rulesFor(cfg.AccessTTL),
		names:  namesFor(cfg.App, !cfg.DangerouslyAllowHTTP),
		feed:   newFeed(cfg.AccessTTL),
		recent: newRecent(min(time.Second, cfg.AccessTTL/12)),
		undone: &undone{},

		counters: newCounters(),
	}
	m.breaker = &breaker{probe: m.probe, event: m.event}
	if err := m.SetKeys(keys); err != nil {
		return nil, err
	}
	return m, nil
}

// SetKeys replaces the keys, for the requests that come from now on, without a
// restart. Cookies under a key that is no longer among them are not opened any
// more: who holds only such cookies must log in again, though nothing deletes
// them, and they are good again once the key is back. On an error the keys stay
// as they were. It is safe for concurrent use.
//
// So over several nodes a new key is first added last on each, then moved first
// on each, and the old one is dropped from each after the longest refresh life:
// when EventOldKey has ceased.
//
// To log everybody out because a key has leaked, give every node a new key
// alone, and call RevokeAll: a node that is left out, or an old key that stays in
// the list, goes on letting forged access cookies in. The first shows as
// EventUndecodable on the others, the second as EventOldKey.
func (m *Manager) SetKeys(keys Keys) error {
	if err := keys.fault(); err != nil {
		return err
	}
	s, err := newSealers(keys, m.cfg, m.names, func() { m.event(Event{Kind: EventOldKey}) })
	if err != nil {
		return err
	}
	m.sealers.Store(s)
	return nil
}

// Authenticate decides who a request belongs to.
//
// A good access cookie answers by itself, without the store. Otherwise the
// refresh cookie is held against the store, and the verdict carries new cookies.
// An error that Is ErrUnauthenticated says that the request is nobody's; the
// verdict's cookies then delete what is left of a session that is over. One that
// Is ErrTooLarge says that the user's roles have outgrown a cookie. Any other
// says that the store gave no answer: nobody is logged out by it.
func (m *Manager) Authenticate(r *http.Request) (Verdict, error) {
	if t, ok := m.readAccess(r); ok && m.believes(t) {
		return Verdict{manager: m, ticket: t}, nil
	}
	t, ok := m.readRefresh(r)
	if !ok {
		return Verdict{}, unauthenticated("no cookie that can be read")
	}
	return m.redeem(r, t)
}

// believes says whether an access ticket counts without asking the store. Its
// times are the store's, and now is this node's: where the two disagree the
// ticket is not believed, and the store is asked.
func (m *Manager) believes(t *accessTicket) bool {
	now := time.Now()
	return !m.behind.Load() &&
		now.Before(t.ExpiresAt) &&
		!t.IssuedAt.After(now.Add(clockTolerance)) &&
		m.feed.believes(t.id, t.globalEpoch, t.reload)
}

// compareClocks holds this node's clock against what the store's has just said. A
// ticket that comes from the future shows that this node is behind; but it would
// be one of the present by and by, when its session may be over and the feed's
// mark of that forgotten. So while this node is behind, it believes none.
func (m *Manager) compareClocks(store time.Time) {
	m.behind.Store(time.Until(store) > clockTolerance)
}

// look reads a session.
func (m *Manager) look(ctx context.Context, id ID) (Snapshot, error) {
	snap, err := m.store.Find(ctx, id)
	if err == nil {
		m.compareClocks(snap.Now)
	}
	return snap, err
}

// readAccess returns the request's access ticket, believed or not.
func (m *Manager) readAccess(r *http.Request) (*accessTicket, bool) {
	t, how := readCookie(r, m.names.access, m.sealers.Load().openAccess,
		func(a, b *accessTicket) bool { return a.IssuedAt.After(b.IssuedAt) })
	return t, m.noted(how)
}

// readRefresh returns the request's refresh ticket.
func (m *Manager) readRefresh(r *http.Request) (refreshTicket, bool) {
	t, how := readCookie(r, m.names.refresh, m.sealers.Load().openRefresh,
		func(a, b refreshTicket) bool { return a.generation > b.generation })
	return t, m.noted(how)
}

// noted reports whether a ticket was read. One that cannot be is never a reason
// to delete a cookie: its key may be a newer node's.
func (m *Manager) noted(how reading) bool {
	switch how {
	case readUndecodable:
		m.event(Event{Kind: EventUndecodable})
	case readAmbiguous:
		m.event(Event{Kind: EventAmbiguous})
	}
	return how == readGood
}

// limited returns a context for all that one call asks of the store, out of reach
// of a request that ends: a browser that closes must not leave a write half known.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}

// tries is how often a step is done that gets no answer.
const tries = 3

// ask does one step against the store, and again if it gives no definite answer:
// a lost reply or a deadlock is over by then, as a rule. Every step is harmless
// when repeated.
func (m *Manager) ask(ctx context.Context, step func(context.Context) error) error {
	if err := m.breaker.refusal(); err != nil {
		return noAnswer(err)
	}
	err := repeat(ctx, step)
	if !answers(err) {
		m.breaker.suspect()
		return m.trouble(err)
	}
	m.breaker.spoke()
	return err
}

func repeat(ctx context.Context, step func(context.Context) error) (err error) {
	for try := 1; ; try++ {
		if err = step(ctx); answers(err) || try == tries || !again(ctx) {
			return err
		}
	}
}

// askInTime asks with storeTimeout for it.
func (m *Manager) askInTime(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	return m.ask(ctx, step)
}

// answers says whether a step's result is an answer of the store's.
func answers(err error) bool {
	return err == nil || errors.Is(err, ErrUserDisabled) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnauthenticated)
}

// again waits a moment before a step is repeated, so that two that met in a
// deadlock do not meet again. It reports whether there is time left.
func again(ctx context.Context) bool {
	return sleep(ctx, rand.N(40*time.Millisecond))
}

// probe finds out whether the store answers at all.
func (m *Manager) probe() error {
	ctx, cancel := limited(context.Background())
	defer cancel()
	return repeat(ctx, func(ctx context.Context) error {
		_, err := m.look(ctx, ID{}) // nobody's
		return err
	})
}

// trouble tells the operator of a call that the store did not answer.
func (m *Manager) trouble(err error) error {
	m.event(Event{Kind: EventStoreTrouble, Err: err})
	return noAnswer(err)
}

func noAnswer(err error) error {
	return fmt.Errorf("session: the store gave no definite answer: %w", err)
}
