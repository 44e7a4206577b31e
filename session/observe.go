package session

import "context"

// An Operation is what Config.Observe measures. It has no data of a user's.
type Operation struct {
	Kind OperationKind

	// Call is the method of store.Store, such as "Find", of an OperationStore; else empty.
	Call string
}

// OperationKind names a kind of Operation. It is the text that metrics and traces show.
type OperationKind string

// What is measured. An access cookie or an access token that is good is not: it costs no I/O.
const (
	// OperationRefresh is one request whose refresh cookie or refresh token is presented. It may
	// share the answer of another request, and then has no OperationStore. Its error
	// Is ErrUnauthenticated if the session is over.
	OperationRefresh OperationKind = "refresh"

	// OperationLogin is one call that begins a session.
	OperationLogin OperationKind = "login"

	// OperationStore is one try of one call of the store, which is one statement most of the
	// time. A call without a definite answer is tried up to three times.
	OperationStore OperationKind = "store"
)

// observe tells Config.Observe that an operation begins. It returns what must be called at its
// end with the place of its error: defer c.observe(kind, &err)().
func (c *call) observe(kind OperationKind, err *error) func() {
	ctx, end := c.observer(c.ctx, Operation{Kind: kind})
	c.ctx = ctx
	return func() { end(*err) }
}

// observed makes one try of a step of the store.
func observed[T any](ctx context.Context, c *storeClient, name string, step func(context.Context) (T, error)) (T, error) {
	ctx, end := c.observer(ctx, Operation{Kind: OperationStore, Call: name})
	result, err := step(ctx)
	end(err)
	return result, err
}

// unobserved is the default of Config.Observe.
func unobserved(ctx context.Context, _ Operation) (context.Context, func(error)) {
	return ctx, func(error) {}
}

// State is how a Manager stands at a moment.
type State struct {
	// StoreDown says that the store does not answer, as EventStoreDown and EventStoreBack tell.
	// The node is ready all the same: it serves requests with good access cookies, and no other
	// node would do better.
	StoreDown bool

	// Revocations is how many ended and changed sessions this node refuses the access cookies
	// of. An entry leaves some time after the last of these cookies has expired.
	Revocations int

	// PendingRevocations is how many sessions have ended on this node alone, because the store
	// did not answer, and UnfinishedRevocations how many calls of RevokeUser and the like. Run
	// tells the store. If the process ends before, they are lost.
	PendingRevocations, UnfinishedRevocations int

	// PendingAudit is how many entries wait for Config.Audit.
	PendingAudit int

	// CachedTickets is how many opened access cookies and tokens this node holds. They grant
	// nothing, and are bounded: see the cost table of the documentation.
	CachedTickets int
}

// State returns how the Manager stands, for metrics and for a readiness report. It asks no
// store. It walks over a table of 32,768 places, so call it once in some seconds and not for
// each request. It is safe for concurrent use.
func (m *Manager) State() State {
	s := State{
		StoreDown:             m.store.breaker.isDown(),
		Revocations:           m.revocations.size(),
		PendingRevocations:    m.revoker.pending.size(),
		UnfinishedRevocations: m.revoker.unfinished.size(),
		CachedTickets:         m.tickets.sealers.Load().cached(),
	}
	if m.events.audit != nil {
		s.PendingAudit = m.events.audit.size()
	}
	return s
}
