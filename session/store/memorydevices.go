package store

import (
	"context"
	"time"
)

// CreateDeviceLogin implements DeviceLogins. It keeps the limit exactly.
func (s *Memory) CreateDeviceLogin(_ context.Context, n NewDeviceLogin, limit int) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.devices[n.ID]; there {
		return true, nil
	}
	now, pending := clock(), 0
	for _, d := range s.devices {
		if d.UserCode == n.UserCode {
			return false, nil
		}
		if d.Network == n.Network && now.Before(d.EndsAt) {
			pending++
		}
	}
	if pending >= limit {
		return false, nil
	}
	s.devices[n.ID] = &DeviceLogin{
		ID:        n.ID,
		UserCode:  n.UserCode,
		Confirmed: n.Confirmed,
		Live:      n.Live,
		Client:    n.Client,
		UserAgent: n.UserAgent,
		IP:        n.IP,
		Network:   n.Network,
		CreatedAt: now,
		EndsAt:    now.Add(n.Lifetime),
		Interval:  n.Interval,
	}
	return true, nil
}

// FindDeviceLogin implements DeviceLogins.
func (s *Memory) FindDeviceLogin(_ context.Context, id ID) (time.Time, *DeviceLogin, error) {
	return s.findDevice(func(d *DeviceLogin) bool { return d.ID == id })
}

// FindUserCode implements DeviceLogins.
func (s *Memory) FindUserCode(_ context.Context, code Digest) (time.Time, *DeviceLogin, error) {
	return s.findDevice(func(d *DeviceLogin) bool { return d.UserCode == code })
}

// findDevice returns a copy of the login that which selects.
func (s *Memory) findDevice(which func(*DeviceLogin) bool) (now time.Time, found *DeviceLogin, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		if which(d) {
			login := *d
			found = &login
		}
	}
	return clock(), found, nil
}

// RecordPoll implements DeviceLogins.
func (s *Memory) RecordPoll(_ context.Context, id ID, last time.Time, interval time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := clock()
	d, ok := s.devices[id]
	if !ok || !now.Before(d.EndsAt) || !d.PolledAt.Equal(last) {
		return false, nil
	}
	if now.Equal(last) {
		now = now.Add(time.Microsecond)
	}
	d.PolledAt, d.Interval = now, interval
	return true, nil
}

// DecideDeviceLogin implements DeviceLogins.
func (s *Memory) DecideDeviceLogin(_ context.Context, id ID, decision Decision) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.devices[id]
	if !ok || decision == Undecided || d.Decision != Undecided || !clock().Before(d.EndsAt) {
		return false, nil
	}
	d.Decision = decision
	return true, nil
}

// PruneDeviceLogins implements DeviceLogins.
func (s *Memory) PruneDeviceLogins(_ context.Context, limit int) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := clock().Add(-RetainDeviceLogin)
	for id, d := range s.devices {
		if n < limit && d.EndsAt.Before(before) {
			delete(s.devices, id)
			n++
		}
	}
	return n, nil
}
