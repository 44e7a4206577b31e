package session

import (
	"context"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// What a call asks of a store that keeps the logins of devices: see storeClient, which makes
// every step.

// deviceLogins returns the store as one that keeps the logins of devices, also if another one
// is wrapped around it.
func (c *storeClient) deviceLogins() (store.DeviceLogins, error) {
	for s := c.store; ; {
		if d, ok := s.(store.DeviceLogins); ok {
			return d, nil
		}
		wrapper, ok := s.(interface{ Unwrap() store.Store })
		if !ok {
			return nil, errNoDeviceLogins
		}
		s = wrapper.Unwrap()
	}
}

// now returns the store's clock.
func (c *call) now() (time.Time, error) {
	if seen := c.lastSeen.Load(); seen != nil && time.Since(seen.read) < maxReadingAge {
		return c.estimate(), nil
	}
	snap, err := c.find(store.ID{})
	return snap.Now, err
}

func (c *call) createDeviceLogin(n store.NewDeviceLogin, limit int) (bool, error) {
	return askDeviceLogins(c, "CreateDeviceLogin", func(ctx context.Context, d store.DeviceLogins) (bool, error) {
		return d.CreateDeviceLogin(ctx, n, limit)
	})
}

func (c *call) recordPoll(id store.ID, last time.Time, interval time.Duration) (bool, error) {
	return askDeviceLogins(c, "RecordPoll", func(ctx context.Context, d store.DeviceLogins) (bool, error) {
		return d.RecordPoll(ctx, id, last, interval)
	})
}

func (c *call) decideDeviceLogin(id store.ID, decision store.Decision) (bool, error) {
	return askDeviceLogins(c, "DecideDeviceLogin", func(ctx context.Context, d store.DeviceLogins) (bool, error) {
		return d.DecideDeviceLogin(ctx, id, decision)
	})
}

// foundDeviceLogin is the answer of FindDeviceLogin.
type foundDeviceLogin struct {
	now time.Time
	d   *store.DeviceLogin
}

func (c *call) findDeviceLogin(id store.ID) (time.Time, *store.DeviceLogin, error) {
	found, err := askDeviceLogins(c, "FindDeviceLogin", func(ctx context.Context, d store.DeviceLogins) (f foundDeviceLogin, err error) {
		f.now, f.d, err = d.FindDeviceLogin(ctx, id)
		return f, err
	})
	return found.now, found.d, err
}

func (c *call) findUserCode(code store.Digest) (time.Time, *store.DeviceLogin, error) {
	found, err := askDeviceLogins(c, "FindUserCode", func(ctx context.Context, d store.DeviceLogins) (f foundDeviceLogin, err error) {
		f.now, f.d, err = d.FindUserCode(ctx, code)
		return f, err
	})
	return found.now, found.d, err
}

func (c *call) pruneDeviceLogins(limit int) (int, error) {
	return askDeviceLogins(c, "PruneDeviceLogins", func(ctx context.Context, d store.DeviceLogins) (int, error) { return d.PruneDeviceLogins(ctx, limit) })
}

// askDeviceLogins makes one step against the store: see do.
func askDeviceLogins[T any](c *call, name string, step func(context.Context, store.DeviceLogins) (T, error)) (result T, err error) {
	d, err := c.deviceLogins()
	if err != nil {
		return result, err
	}
	result, _, err = do(c, name, func(ctx context.Context) (T, error) { return step(ctx, d) })
	return result, err
}
