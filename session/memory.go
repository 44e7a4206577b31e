package session

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// MemoryStore is a Store in memory, with the users that SetUser gives it: the
// reference implementation, for tests and for trying things out. What it holds
// is gone when the process ends. It is safe for concurrent use.
type MemoryStore struct {
	mu       sync.Mutex // guards what follows
	epoch    uint64
	users    map[string]User
	sessions map[ID]*memoryRow
}

type memoryRow struct {
	Record
	expiresAt time.Time
	changedAt time.Time // zero: never revoked or reloaded
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns a store without users.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{users: map[string]User{}, sessions: map[ID]*memoryRow{}}
}

// SetUser adds a user, or replaces what the store knows of one.
func (s *MemoryStore) SetUser(id string, u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.Roles, u.Attrs = slices.Clone(u.Roles), maps.Clone(u.Attrs)
	s.users[id] = u
}

// DeleteUser removes a user.
func (s *MemoryStore) DeleteUser(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.users, id)
}

func storeNow() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Create implements Store.
func (s *MemoryStore) Create(_ context.Context, n NewSession) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[n.UserID]
	if _, there := s.sessions[n.ID]; there {
		return nil
	}
	if !ok || u.Disabled || n.UserEpoch != 0 && n.UserEpoch != u.Epoch {
		return ErrUserDisabled
	}
	now := storeNow()
	s.sessions[n.ID] = &memoryRow{
		Record: Record{
			ID:          n.ID,
			UserID:      n.UserID,
			UserEpoch:   u.Epoch,
			GlobalEpoch: s.epoch,
			Confirmed:   n.Confirmed,
			ConfirmedAt: now,
			CreatedAt:   now,
			AuthTime:    now,
			EndsAt:      now.Add(n.Lifetime),
			UserAgent:   n.UserAgent,
			IP:          n.IP,
		},
		expiresAt: now.Add(n.KeepFor),
	}
	return nil
}

// Find implements Store.
func (s *MemoryStore) Find(_ context.Context, id ID) (Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := Snapshot{Now: storeNow(), GlobalEpoch: s.epoch}
	if row, ok := s.sessions[id]; ok {
		rec := row.Record
		u, ok := s.users[rec.UserID]
		rec.User = User{Epoch: u.Epoch, Disabled: u.Disabled || !ok, Roles: slices.Clone(u.Roles), Attrs: maps.Clone(u.Attrs)}
		snap.Record = &rec
	}
	return snap, nil
}

// Confirm implements Store.
func (s *MemoryStore) Confirm(_ context.Context, p Presented) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := s.sessions[p.ID]
	if !ok || !row.Takes(p) {
		return false, nil
	}
	now := storeNow()
	row.Previous, row.Confirmed, row.Generation = row.Confirmed, p.Digest, p.Generation
	row.ConfirmedAt, row.expiresAt = now, now.Add(p.KeepFor)
	return true, nil
}

// RevokeReused implements Store.
func (s *MemoryStore) RevokeReused(_ context.Context, p Presented) (bool, error) {
	return s.revoke(ReasonReuse, func(row *memoryRow) bool { return row.ID == p.ID && row.Supersedes(p) }) > 0, nil
}

// Revoke implements Store.
func (s *MemoryStore) Revoke(_ context.Context, id ID, userID string, reason Reason) (bool, error) {
	return s.revoke(reason, func(row *memoryRow) bool {
		return row.ID == id && (userID == "" || row.UserID == userID)
	}) > 0, nil
}

// RevokeUser implements Store.
func (s *MemoryStore) RevokeUser(_ context.Context, userID string, except []ID, reason Reason) error {
	s.revoke(reason, func(row *memoryRow) bool { return row.UserID == userID && !slices.Contains(except, row.ID) })
	return nil
}

func (s *MemoryStore) revoke(reason Reason, which func(*memoryRow) bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range s.sessions {
		if row.RevokedAt.IsZero() && which(row) {
			row.RevokedAt, row.Reason = storeNow(), reason
			row.changedAt = row.RevokedAt
			n++
		}
	}
	return n
}

// RevokeAll implements Store.
func (s *MemoryStore) RevokeAll(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	return nil
}

// Reload implements Store.
func (s *MemoryStore) Reload(_ context.Context, userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := storeNow()
	for _, row := range s.sessions {
		if row.UserID == userID && row.RevokedAt.IsZero() && now.Before(row.EndsAt) {
			row.Reload++
			row.changedAt = now
		}
	}
	return nil
}

// List implements Store.
func (s *MemoryStore) List(_ context.Context, userID string) ([]Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, u := storeNow(), s.users[userID]
	var list []Record
	for _, row := range s.sessions {
		if row.UserID == userID && row.RevokedAt.IsZero() && row.UserEpoch == u.Epoch && !u.Disabled &&
			row.GlobalEpoch == s.epoch && now.Before(row.EndsAt) && now.Before(row.expiresAt) {
			list = append(list, row.Record)
		}
	}
	slices.SortFunc(list, func(a, b Record) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return list, nil
}

// Changes implements Store.
func (s *MemoryStore) Changes(_ context.Context, within time.Duration) (Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Changes{Now: storeNow(), GlobalEpoch: s.epoch}
	since := c.Now.Add(-within)
	for id, row := range s.sessions {
		if !row.changedAt.IsZero() && !row.changedAt.Before(since) {
			c.Sessions = append(c.Sessions, Change{ID: id, Revoked: !row.RevokedAt.IsZero(), Reload: row.Reload})
		}
	}
	return c, nil
}

// Prune implements Store.
func (s *MemoryStore) Prune(_ context.Context, limit int) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := storeNow()
	for id, row := range s.sessions {
		if n < limit && row.expiresAt.Before(now) {
			delete(s.sessions, id)
			n++
		}
	}
	return n, nil
}
