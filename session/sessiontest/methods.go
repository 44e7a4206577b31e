package sessiontest

import (
	"context"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

var (
	_ store.Store   = (*Store)(nil)
	_ store.OneStep = (*Store)(nil)
)

// noValue is the result of a method that returns only an error.
type noValue = struct{}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, n store.NewSession) error {
	n.CreatedAt = s.asked(n.CreatedAt)
	_, err := call(ctx, s, "Create", func() (noValue, error) { return noValue{}, s.inner.Create(ctx, n) })
	return err
}

// Find implements store.Store.
func (s *Store) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	find := func() (store.Snapshot, error) {
		snap, err := s.inner.Find(ctx, id)
		return s.changed(snap), err
	}
	if id.IsZero() { // a probe
		return intercept(ctx, s, "Find", find)
	}
	return call(ctx, s, "Find", find)
}

// changed applies SetClock and AgeLogin to a snapshot.
func (s *Store) changed(snap store.Snapshot) store.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap.Now = snap.Now.Add(s.clock)
	if snap.Record != nil {
		record := s.changedRecord(*snap.Record)
		snap.Record = &record
	}
	return snap
}

// changedRecord is changed for a record. s.mu is held.
func (s *Store) changedRecord(record store.Record) store.Record {
	for _, t := range []*time.Time{&record.ConfirmedAt, &record.LateAt, &record.LateBefore, &record.CreatedAt, &record.AuthTime, &record.EndsAt, &record.RevokedAt} {
		if !t.IsZero() {
			*t = t.Add(s.clock)
		}
	}
	record.AuthTime = record.AuthTime.Add(-s.aged[record.ID.String()])
	return record
}

// unshifted returns p with its time in the clock of the inner store.
func (s *Store) unshifted(p store.PresentedTicket) store.PresentedTicket {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.SupersededAfter = p.SupersededAfter.Add(-s.clock)
	p.From, p.Until = p.From.Add(-s.clock), p.Until.Add(-s.clock)
	return p
}

// Confirm implements store.Store.
func (s *Store) Confirm(ctx context.Context, p store.PresentedTicket) (bool, error) {
	p = s.unshifted(p)
	return call(ctx, s, "Confirm", func() (bool, error) { return s.inner.Confirm(ctx, p) })
}

// FindAndConfirm implements store.OneStep. If the store behind this one does not, it is
// Find.
func (s *Store) FindAndConfirm(ctx context.Context, p store.PresentedTicket) (store.Snapshot, bool, error) {
	oneStep, ok := s.inner.(store.OneStep)
	if !ok {
		snap, err := s.Find(ctx, p.ID)
		return snap, false, err
	}
	p, confirmed := s.unshifted(p), false
	snap, err := call(ctx, s, "FindAndConfirm", func() (snap store.Snapshot, err error) {
		snap, confirmed, err = oneStep.FindAndConfirm(ctx, p)
		return s.changed(snap), err
	})
	return snap, confirmed && err == nil, err
}

// RecordLate implements store.Store.
func (s *Store) RecordLate(ctx context.Context, p store.PresentedTicket) (bool, error) {
	return call(ctx, s, "RecordLate", func() (bool, error) { return s.inner.RecordLate(ctx, p) })
}

// RevokeReused implements store.Store.
func (s *Store) RevokeReused(ctx context.Context, p store.PresentedTicket) (bool, error) {
	p = s.unshifted(p)
	return call(ctx, s, "RevokeReused", func() (bool, error) { return s.inner.RevokeReused(ctx, p) })
}

// Revoke implements store.Store.
func (s *Store) Revoke(ctx context.Context, id store.ID, userID string, reason store.Reason) (bool, error) {
	return call(ctx, s, "Revoke", func() (bool, error) { return s.inner.Revoke(ctx, id, userID, reason) })
}

// RevokeUser implements store.Store.
func (s *Store) RevokeUser(ctx context.Context, r store.UserRevocation) (int, error) {
	r.Before = s.asked(r.Before)
	return call(ctx, s, "RevokeUser", func() (int, error) { return s.inner.RevokeUser(ctx, r) })
}

// asked undoes SetClock for a time that the caller has from an answer.
func (s *Store) asked(t time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.IsZero() {
		return t
	}
	return t.Add(-s.clock)
}

// RevokeAll implements store.Store.
func (s *Store) RevokeAll(ctx context.Context) error {
	_, err := call(ctx, s, "RevokeAll", func() (noValue, error) { return noValue{}, s.inner.RevokeAll(ctx) })
	return err
}

// Reload implements store.Store.
func (s *Store) Reload(ctx context.Context, userID string, limit int) (int, error) {
	return call(ctx, s, "Reload", func() (int, error) { return s.inner.Reload(ctx, userID, limit) })
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, id store.ID, data map[string]string) (bool, error) {
	return call(ctx, s, "Update", func() (bool, error) { return s.inner.Update(ctx, id, data) })
}

// RefreshAll implements store.Store.
func (s *Store) RefreshAll(ctx context.Context) error {
	_, err := call(ctx, s, "RefreshAll", func() (noValue, error) { return noValue{}, s.inner.RefreshAll(ctx) })
	return err
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, userID string, after store.ID, limit int) ([]store.Record, error) {
	return call(ctx, s, "List", func() ([]store.Record, error) {
		list, err := s.inner.List(ctx, userID, after, limit)
		return s.changedRecords(list), err
	})
}

// Newest implements store.Store.
func (s *Store) Newest(ctx context.Context, userID string, nonInteractive bool, limit int) ([]store.Record, error) {
	return call(ctx, s, "Newest", func() ([]store.Record, error) {
		list, err := s.inner.Newest(ctx, userID, nonInteractive, limit)
		return s.changedRecords(list), err
	})
}

// changedRecords applies SetClock and AgeLogin to a list.
func (s *Store) changedRecords(list []store.Record) []store.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := make([]store.Record, len(list))
	for i, record := range list {
		changed[i] = s.changedRecord(record)
	}
	return changed
}

// Changes implements store.Store.
func (s *Store) Changes(ctx context.Context, within time.Duration, after store.Cursor, limit int) (store.Changes, error) {
	after.At = s.asked(after.At)
	return call(ctx, s, "Changes", func() (store.Changes, error) {
		changes, err := s.inner.Changes(ctx, within, after, limit)
		s.mu.Lock()
		defer s.mu.Unlock()
		changes.Now = changes.Now.Add(s.clock)
		for i := range changes.Sessions {
			changes.Sessions[i].At = changes.Sessions[i].At.Add(s.clock)
		}
		return changes, err
	})
}

// Prune implements store.Store.
func (s *Store) Prune(ctx context.Context, limit int) (int, error) {
	return call(ctx, s, "Prune", func() (int, error) { return s.inner.Prune(ctx, limit) })
}
