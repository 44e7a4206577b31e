package store

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory is a Store and DeviceLogins in memory, with the users that SetUser adds. It is the reference
// implementation, for tests and trials. Its content is lost when the process ends. It
// is safe for concurrent use. Make one with NewMemory.
type Memory struct {
	mu       sync.Mutex // guards what follows
	epoch    uint64     // the global one
	refresh  uint64     // the refresh epoch
	users    map[string]User
	sessions map[ID]*memoryRow
	devices  map[ID]*DeviceLogin
}

type memoryRow struct {
	Record
	expiresAt time.Time
	changedAt time.Time // zero: neither revoked nor reloaded
}

// copy returns a Record that shares nothing with the row.
func (r *memoryRow) copy() Record {
	rec := r.Record
	rec.Facts = r.Facts.clone()
	return rec
}

var (
	_ Store           = (*Memory)(nil)
	_ DeviceLogins    = (*Memory)(nil)
	_ ClientForgetter = (*Memory)(nil)
)

// NewMemory returns a store without users.
func NewMemory() *Memory {
	return &Memory{users: map[string]User{}, sessions: map[ID]*memoryRow{}, devices: map[ID]*DeviceLogin{}}
}

// SetUser adds a user, or replaces the user with that id.
func (s *Memory) SetUser(id string, u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.Roles, u.Attrs = slices.Clone(u.Roles), maps.Clone(u.Attrs)
	s.users[id] = u
}

// DeleteUser removes a user and so ends their sessions. It does nothing if there is no
// such user.
func (s *Memory) DeleteUser(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.users, id)
}

// Backup returns a copy of the store, for Restore.
func (s *Memory) Backup() *Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	backup := NewMemory()
	backup.epoch, backup.refresh, backup.users = s.epoch, s.refresh, maps.Clone(s.users)
	for id, row := range s.sessions {
		clone := *row
		backup.sessions[id] = &clone
	}
	for id, row := range s.devices {
		clone := *row
		backup.devices[id] = &clone
	}
	return backup
}

// Restore replaces the whole content by that of backup, as a database does that fails
// over to a replica that lags. The backup is not changed and can be used again.
func (s *Memory) Restore(backup *Memory) {
	clone := backup.Backup()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch, s.refresh, s.users, s.sessions, s.devices = clone.epoch, clone.refresh, clone.users, clone.sessions, clone.devices
}

// LoseRevokeAll lowers the global epoch by one, as a database does that loses the last
// RevokeAll in a failover. Call it only after RevokeAll: an epoch of zero would wrap
// around to the largest number.
func (s *Memory) LoseRevokeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch--
}

// ExpiresAt returns when the time of a session's row is over: Prune removes it later than
// that. It is zero if there is no row.
func (s *Memory) ExpiresAt(id ID) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row, ok := s.sessions[id]; ok {
		return row.expiresAt
	}
	return time.Time{}
}

// clock returns the time with the resolution of the databases.
func clock() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Create implements Store.
func (s *Memory) Create(_ context.Context, n NewSession) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[n.UserID]
	if _, there := s.sessions[n.ID]; there {
		return nil
	}
	switch {
	case !ok:
		return ErrUserUnknown
	case u.Disabled:
		return ErrUserBanned
	case n.UserEpoch != 0 && n.UserEpoch != u.Epoch:
		return ErrEpochMoved
	}
	now := clock()
	created := now
	if !n.CreatedAt.IsZero() {
		created = n.CreatedAt
	}
	s.sessions[n.ID] = &memoryRow{
		Record: Record{
			ID:          n.ID,
			UserID:      n.UserID,
			UserEpoch:   u.Epoch,
			GlobalEpoch: s.epoch,
			Confirmed:   n.Confirmed,
			ConfirmedAt: now,
			CreatedAt:   created,
			AuthTime:    now.Add(-n.AuthAge),
			EndsAt:      now.Add(n.Lifetime),
			UserAgent:   n.UserAgent,
			IP:          n.IP,

			NonInteractive: n.NonInteractive,
			IdleTimeout:    n.IdleTimeout,
			Fingerprint:    n.Fingerprint,
			Live:           n.Live,
			Facts:          n.Facts.clone(),
		},
		expiresAt: now.Add(n.RetainFor),
	}
	return nil
}

// Find implements Store.
func (s *Memory) Find(_ context.Context, id ID) (Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := Snapshot{Now: clock(), GlobalEpoch: s.epoch, RefreshEpoch: s.refresh}
	if row, ok := s.sessions[id]; ok {
		rec := row.copy()
		u, ok := s.users[rec.UserID]
		rec.User = User{Epoch: u.Epoch, Disabled: u.Disabled || !ok, Gone: !ok, Roles: slices.Clone(u.Roles), Attrs: maps.Clone(u.Attrs)}
		snap.Record = &rec
	}
	return snap, nil
}

// Confirm implements Store.
func (s *Memory) Confirm(_ context.Context, p PresentedTicket) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := s.sessions[p.ID]
	if !ok || !row.CanConfirm(p) {
		return false, nil
	}
	now := clock()
	row.Previous, row.Confirmed, row.Generation = row.Confirmed, p.Digest, p.Generation
	row.ConfirmedAt, row.LateAt, row.LateBefore = now, time.Time{}, time.Time{}
	row.expiresAt = now.Add(p.RetainFor)
	return true, nil
}

// RecordLate implements Store.
func (s *Memory) RecordLate(_ context.Context, p PresentedTicket) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := clock()
	row, ok := s.sessions[p.ID]
	if !ok || !row.IsLate(p, now) {
		return false, nil
	}
	row.LateBefore = row.LateAt
	if row.LateAt.After(now) {
		row.LateBefore = time.Time{}
	}
	row.LateAt = now
	return true, nil
}

// RevokeReused implements Store.
func (s *Memory) RevokeReused(_ context.Context, p PresentedTicket) (bool, error) {
	return s.revoke(ReasonReuse, 1, func(row *memoryRow) bool { return row.ID == p.ID && row.IsReuse(p) }) > 0, nil
}

// Revoke implements Store.
func (s *Memory) Revoke(_ context.Context, id ID, userID string, reason Reason) (bool, error) {
	return s.revoke(reason, 1, func(row *memoryRow) bool {
		return row.ID == id && (userID == "" || row.UserID == userID)
	}) > 0, nil
}

// RevokeUser implements Store.
func (s *Memory) RevokeUser(_ context.Context, r UserRevocation) (int, error) {
	return s.revoke(r.Reason, r.Limit, func(row *memoryRow) bool {
		selected := row.UserID == r.UserID
		if r.ExternalID != "" {
			selected = row.ExternalID == r.ExternalID
		}
		return selected && !slices.Contains(r.Except, row.ID) &&
			(r.Before.IsZero() || !row.CreatedAt.After(r.Before))
	}), nil
}

// revoke revokes at most limit of the sessions that which selects.
func (s *Memory) revoke(reason Reason, limit int, which func(*memoryRow) bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := clock()
	for _, row := range s.sessions {
		if n >= limit {
			break
		}
		if row.RevokedAt.IsZero() && which(row) {
			row.RevokedAt, row.Reason, row.changedAt = now, reason, now
			if leaves := now.Add(reason.RetainFor()); leaves.Before(row.expiresAt) {
				row.expiresAt = leaves
			}
			n++
		}
	}
	return n
}

// RevokeAll implements Store.
func (s *Memory) RevokeAll(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	return nil
}

// RefreshAll implements Store.
func (s *Memory) RefreshAll(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh++
	return nil
}

// Reload implements Store.
func (s *Memory) Reload(_ context.Context, userID string, limit int) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := clock()
	for _, row := range s.sessions {
		if n < limit && row.UserID == userID && row.RevokedAt.IsZero() && now.Before(row.EndsAt) && now.Before(row.expiresAt) {
			row.Reload++
			row.changedAt = now
			n++
		}
	}
	return n, nil
}

// Update implements Store.
func (s *Memory) Update(_ context.Context, id ID, data map[string]string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := s.sessions[id]
	if !ok || !row.RevokedAt.IsZero() {
		return false, nil
	}
	row.Data, row.changedAt = maps.Clone(data), clock()
	row.Reload++
	return true, nil
}

// List implements Store.
func (s *Memory) List(_ context.Context, userID string, after ID, limit int) ([]Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[userID]
	last, known := s.sessions[after]
	if !ok || u.Disabled || !known && !after.IsZero() {
		return nil, nil
	}
	now := clock()
	return s.newest(limit, func(row *memoryRow) bool {
		return row.UserID == userID && row.RevokedAt.IsZero() && row.UserEpoch == u.Epoch &&
			row.GlobalEpoch >= s.epoch && now.Before(row.EndsAt) && now.Before(row.expiresAt) &&
			(!known || newestFirst(last.Record, row.Record) < 0)
	}), nil
}

// Newest implements Store.
func (s *Memory) Newest(_ context.Context, userID string, nonInteractive bool, limit int) ([]Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest(limit, func(row *memoryRow) bool {
		return row.UserID == userID && row.RevokedAt.IsZero() && row.NonInteractive == nonInteractive
	}), nil
}

// newest returns at most limit of the rows that which selects. s.mu is held.
func (s *Memory) newest(limit int, which func(*memoryRow) bool) (list []Record) {
	for _, row := range s.sessions {
		if which(row) {
			list = append(list, row.copy())
		}
	}
	slices.SortFunc(list, newestFirst)
	return list[:min(limit, len(list))]
}

func newestFirst(a, b Record) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID.String(), b.ID.String()))
}

// Changes implements Store.
func (s *Memory) Changes(_ context.Context, within time.Duration, after Cursor, limit int) (Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Changes{Now: clock(), GlobalEpoch: s.epoch, RefreshEpoch: s.refresh}
	since := c.Now.Add(-within)
	for id, row := range s.sessions {
		change := Change{ID: id, At: row.changedAt, Revoked: !row.RevokedAt.IsZero(), Reload: row.Reload}
		if !row.changedAt.IsZero() && !row.changedAt.Before(since) && change.Cursor().compare(after) > 0 {
			c.Sessions = append(c.Sessions, change)
		}
	}
	slices.SortFunc(c.Sessions, func(a, b Change) int { return a.Cursor().compare(b.Cursor()) })
	c.Sessions = c.Sessions[:min(limit, len(c.Sessions))]
	return c, nil
}

func (c Cursor) compare(d Cursor) int {
	return cmp.Or(c.At.Compare(d.At), bytes.Compare(c.ID[:], d.ID[:]))
}

// Prune implements Store.
func (s *Memory) Prune(_ context.Context, limit int) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := clock()
	for id, row := range s.sessions {
		if n < limit && row.expiresAt.Before(now) {
			delete(s.sessions, id)
			n++
		}
	}
	return n, nil
}
