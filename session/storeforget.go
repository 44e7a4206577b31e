package session

import (
	"context"
	"errors"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// forgetEvery is how often Run looks at all rows.
const forgetEvery = time.Hour

var errNoForgetter = errors.New("session: Config.KeepClientFor is set, and the store cannot forget: it must implement store.ClientForgetter, as sqlstore does; or leave it 0")

// forgetter returns the store as one that forgets clients, also if another one is wrapped
// around it. nil: it is none.
func (c *storeClient) forgetter() store.ClientForgetter {
	for s := c.store; ; {
		wrapper, ok := s.(interface{ Unwrap() store.Store })
		f, _ := s.(store.ClientForgetter)
		if f != nil || !ok {
			return f
		}
		s = wrapper.Unwrap()
	}
}

// forgetClients walks along all rows, in small batches, and empties what Config.KeepClientFor
// says. Any number of nodes may do so at once, and no request waits for them. After an error it
// goes on from where it was.
func (m *Manager) forgetClients(ctx context.Context) {
	for after, pause := (store.ID{}), time.Duration(0); ; {
		last, err := m.forgetOnce(ctx, after)
		switch {
		case err != nil:
			pause = pruneEvery
		case last.IsZero():
			return
		default:
			after, pause = last, prunePause
		}
		if !sleep(ctx, jitter(pause)) {
			return
		}
	}
}

func (m *Manager) forgetOnce(ctx context.Context, after store.ID) (store.ID, error) {
	c := m.store.begin(ctx, nil)
	defer c.end()
	last, _, err := do(c, "ForgetClients", func(ctx context.Context) (store.ID, error) {
		return c.forgetter().ForgetClients(ctx, m.cfg.KeepClientFor, after, pruneBatch)
	})
	return last, err
}
