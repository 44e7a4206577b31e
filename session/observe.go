package session

import (
	"context"
	"errors"
	"slices"
)

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

// Outcome says in one word how an Operation has ended, for a label of metrics: it has few values, and no
// text of an error, which may quote a database.
type Outcome string

// How operations end.
const (
	OutcomeOK Outcome = "ok"

	// OutcomeOver says that the session is over, or that the cookie or the token is not good: the user has
	// to log in.
	OutcomeOver Outcome = "over"

	// OutcomeRefused says that the user may not log in, or that what is known of the user does not
	// fit into the access cookie.
	OutcomeRefused Outcome = "refused"

	// OutcomeUnavailable says that the store gave no definite answer, or was not asked, as for a
	// prefetch. Nobody is logged out by it. No OperationStore has it.
	OutcomeUnavailable Outcome = "unavailable"

	// OutcomeError says anything else. Of an OperationStore it is a try without a definite answer,
	// such as a deadlock or a lost connection: the next try may succeed.
	OutcomeError Outcome = "error"
)

// OutcomeOf returns the outcome that an error stands for, which is that of an Operation or nil.
func OutcomeOf(err error) Outcome {
	switch {
	case err == nil:
		return OutcomeOK
	case errors.Is(err, ErrUnauthenticated):
		return OutcomeOver
	case errors.Is(err, ErrUserDisabled), errors.Is(err, ErrTooLarge):
		return OutcomeRefused
	case errors.Is(err, ErrStoreUnavailable):
		return OutcomeUnavailable
	}
	return OutcomeError
}

// ObserveAll returns a function for Config.Observe that calls several, such as one for metrics and
// one for traces. Each gets the context of the one before it. They end in the opposite order.
func ObserveAll(observers ...func(context.Context, Operation) (context.Context, func(error))) func(context.Context, Operation) (context.Context, func(error)) {
	observers = slices.Clone(observers)
	return func(ctx context.Context, op Operation) (context.Context, func(error)) {
		ends := make([]func(error), len(observers))
		for i, observe := range observers {
			ctx, ends[i] = observe(ctx, op)
		}
		return ctx, func(err error) {
			for _, end := range slices.Backward(ends) {
				end(err)
			}
		}
	}
}

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
