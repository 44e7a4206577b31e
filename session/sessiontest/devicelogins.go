package sessiontest

import (
	"context"
	"errors"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

var _ store.DeviceLogins = (*Store)(nil)

// foundLogin is the answer of FindDeviceLogin.
type foundLogin struct {
	now time.Time
	d   *store.DeviceLogin
}

// onDevices runs one method of store.DeviceLogins between the two hooks. It fails if the store
// behind this one does not have these methods.
func onDevices[T any](ctx context.Context, s *Store, method string, do func(store.DeviceLogins) (T, error)) (T, error) {
	return call(ctx, s, method, func() (none T, err error) {
		devices, ok := s.inner.(store.DeviceLogins)
		if !ok {
			return none, errors.New("sessiontest: the store behind this one keeps no logins of devices: it does not implement store.DeviceLogins")
		}
		return do(devices)
	})
}

// CreateDeviceLogin implements store.DeviceLogins.
func (s *Store) CreateDeviceLogin(ctx context.Context, d store.NewDeviceLogin, limit int) (bool, error) {
	return onDevices(ctx, s, "CreateDeviceLogin", func(devices store.DeviceLogins) (bool, error) { return devices.CreateDeviceLogin(ctx, d, limit) })
}

// FindDeviceLogin implements store.DeviceLogins.
func (s *Store) FindDeviceLogin(ctx context.Context, id store.ID) (time.Time, *store.DeviceLogin, error) {
	return s.findLogin(ctx, "FindDeviceLogin", func(devices store.DeviceLogins) (time.Time, *store.DeviceLogin, error) {
		return devices.FindDeviceLogin(ctx, id)
	})
}

// FindUserCode implements store.DeviceLogins.
func (s *Store) FindUserCode(ctx context.Context, code store.Digest) (time.Time, *store.DeviceLogin, error) {
	return s.findLogin(ctx, "FindUserCode", func(devices store.DeviceLogins) (time.Time, *store.DeviceLogin, error) {
		return devices.FindUserCode(ctx, code)
	})
}

// findLogin applies SetClock to the answer.
func (s *Store) findLogin(ctx context.Context, method string, find func(store.DeviceLogins) (time.Time, *store.DeviceLogin, error)) (time.Time, *store.DeviceLogin, error) {
	found, err := onDevices(ctx, s, method, func(devices store.DeviceLogins) (f foundLogin, err error) {
		f.now, f.d, err = find(devices)
		return f, err
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if found.d != nil {
		d := *found.d
		for _, t := range []*time.Time{&d.CreatedAt, &d.EndsAt, &d.PolledAt} {
			if !t.IsZero() {
				*t = t.Add(s.clock)
			}
		}
		found.d = &d
	}
	return found.now.Add(s.clock), found.d, err
}

// RecordPoll implements store.DeviceLogins.
func (s *Store) RecordPoll(ctx context.Context, id store.ID, last time.Time, interval time.Duration) (bool, error) {
	last = s.asked(last)
	return onDevices(ctx, s, "RecordPoll", func(devices store.DeviceLogins) (bool, error) { return devices.RecordPoll(ctx, id, last, interval) })
}

// DecideDeviceLogin implements store.DeviceLogins.
func (s *Store) DecideDeviceLogin(ctx context.Context, id store.ID, decision store.Decision) (bool, error) {
	return onDevices(ctx, s, "DecideDeviceLogin", func(devices store.DeviceLogins) (bool, error) {
		return devices.DecideDeviceLogin(ctx, id, decision)
	})
}

// PruneDeviceLogins implements store.DeviceLogins.
func (s *Store) PruneDeviceLogins(ctx context.Context, limit int) (int, error) {
	return onDevices(ctx, s, "PruneDeviceLogins", func(devices store.DeviceLogins) (int, error) { return devices.PruneDeviceLogins(ctx, limit) })
}
