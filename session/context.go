package session

import "context"

// contextKey is where a request's context carries its *Verdict.
type contextKey struct{}

// NewContext returns a context that carries s, for tests of handlers. Guards
// ignore it.
func (s Session) NewContext(ctx context.Context) context.Context {
	return context.WithValue(ctx, contextKey{}, &Verdict{ticket: &accessTicket{Session: s}})
}

// Value is for a guard that puts its own context into the request: that context's
// Value method asks here first, and continues with its parent if the answer is nil.
// FromContext and Manager.Done then find the session. A Verdict without a session
// hides what another guard has put there: its users are not this one's.
func (v *Verdict) Value(key any) any {
	if key == (contextKey{}) {
		return v
	}
	return nil
}

// ticketIn returns the ticket of the session that a context carries.
func ticketIn(ctx context.Context) (*accessTicket, bool) {
	v, ok := ctx.Value(contextKey{}).(*Verdict)
	if !ok || v.ticket == nil {
		return nil, false
	}
	return v.ticket, true
}

// FromContext returns the session that a guard found for this request. ok is
// false if the request has no session, or if no guard stands before the handler.
// Each call returns a copy of its own.
func FromContext(ctx context.Context) (s Session, ok bool) {
	var room [fewRoles]string
	s.Roles, ok = copyFrom(ctx, &s, room[:0])
	return s, ok
}

func copyFrom(ctx context.Context, s *Session, room []string) ([]string, bool) {
	t, ok := ticketIn(ctx)
	if !ok {
		return nil, false
	}
	return t.copy(s, room), true
}
