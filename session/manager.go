package session

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/sessionkit/sessionkit/session/store"
)

// Manager decides who a request belongs to. It never writes a response. It is
// safe for concurrent use. Make one with New.
type Manager struct {
	cfg         Config
	spans       spans
	events      *events
	store       *storeClient
	tickets     *tickets
	revocations *revocationList
	revoker     *revoker
	resolver    *resolver
	credentials *credentialCache
	begun       *limiter[string]   // logins of devices, by network
	polls       *limiter[store.ID] // of devices
	wrongCodes  *limiter[string]   // user codes, by the user who entered them

	keyGroups atomic.Pointer[[]*keyGroup] // one for each key; see checkKeyUse
	self      *weak.Pointer[Manager]      // names this Manager in its groups

	made         time.Time
	runOrWarned  atomic.Bool // Run was called, or an event has said that it was not
	warnedOfSize sync.Once   // of the access cookie
}

// New returns a Manager that seals with the first of keys. It refuses a faulty
// Config and names every fault at once. It starts no goroutine: see Run.
//
// Two Managers of one process that have a key in common, the same Config.App and
// different stores raise EventMisconfigured when both serve requests. A store that wraps
// another one can say so with a method Unwrap() store.Store.
func New(keys Keys, s store.Store, cfg Config) (*Manager, error) {
	cfg = cfg.withDefaults()
	faults := []error{cfg.faults(), keys.fault()}
	if s == nil {
		faults = append(faults, errors.New("session: New needs a store: make one with sqlstore.New"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}

	spans, e := cfg.spans(), newEvents(cfg)
	client, revocations := newStoreClient(s, e, cfg), newRevocationList(spans.longest)
	if cfg.KeepClientFor > 0 && client.forgetter() == nil {
		return nil, errNoForgetter
	}
	revoker := &revoker{store: client, revocations: revocations, pending: &pendingRevocations{}, giveUpAfter: cfg.longestLife()}
	m := &Manager{
		credentials: newCredentialCache(),
		begun:       newLimiter[string](maxBegun, deviceLife),
		polls:       newLimiter[store.ID](maxPolls, time.Second),
		wrongCodes:  newLimiter[string](maxWrongCodes, time.Minute),
		made:        time.Now(),
		cfg:         cfg,
		spans:       spans,
		events:      e,
		store:       client,
		tickets:     &tickets{names: namesFor(cfg.App, !cfg.DangerouslyAllowHTTP), spans: spans, events: e},
		revocations: revocations,
		revoker:     revoker,
		resolver:    &resolver{cfg: cfg, spans: spans, revoker: revoker, outcomes: newOutcomeCache(spans.share), refusals: newOutcomeCache(spans.longest.repeatRefusal)},
	}
	self := weak.Make(m)
	m.self = &self
	if err := m.SetKeys(keys); err != nil {
		return nil, err
	}
	return m, nil
}

// SetKeys replaces the keys without a restart, for all requests from now on. It
// is safe for concurrent use. On an error the keys stay as they were. A cookie
// sealed by a key that is gone is not opened, but not deleted either: it is good again
// once the key is back.
//
// To change the key on several nodes, add the new key last on each, then move it
// first on each, then drop the old one from each after the longest refresh
// lifetime: when EventOldKey no longer occurs.
//
// To log everybody out because a key has leaked, give every node a new key alone,
// and call RevokeAll. A node that is left out, or an old key that stays in the
// list, still accepts forged access cookies. The first shows as EventUndecodable
// on the other nodes, the second as EventOldKey.
func (m *Manager) SetKeys(keys Keys) error {
	if err := keys.fault(); err != nil {
		return err
	}
	if err := m.tickets.setKeys(keys, m.cfg.App); err != nil {
		return err
	}
	m.events.auditLater(store.AuditEntry{Action: store.AuditKeysSet, Detail: strings.Join(keys.Names(), ", ")})
	return m.joinKeyGroups(keys)
}
