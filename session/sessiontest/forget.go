package sessiontest

import (
	"context"
	"errors"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

var _ store.ClientForgetter = (*Store)(nil)

// ForgetClients implements store.ClientForgetter. It fails if the store behind this one does not
// have the method.
func (s *Store) ForgetClients(ctx context.Context, age time.Duration, after store.ID, limit int) (store.ID, error) {
	return call(ctx, s, "ForgetClients", func() (store.ID, error) {
		f, ok := s.inner.(store.ClientForgetter)
		if !ok {
			return store.ID{}, errors.New("sessiontest: the store behind this one cannot forget: it does not implement store.ClientForgetter")
		}
		return f.ForgetClients(ctx, age, after, limit)
	})
}
