package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// Changes implements store.Store. It reads a range of the index on changed_at, which
// contains little more than the answer.
func (s *Store) Changes(ctx context.Context, within time.Duration, after store.Cursor, limit int) (store.Changes, error) {
	changes, err := s.changes(ctx, within, after, limit)
	if err != nil {
		return store.Changes{}, failed("reading recent changes", err)
	}
	return changes, nil
}

func (s *Store) changes(ctx context.Context, within time.Duration, after store.Cursor, limit int) (changes store.Changes, err error) {
	migrated, at := false, after.At.UnixMicro() // the zero Cursor is two thousand years ago
	err = s.query(ctx, s.sql.changes, []any{within.Microseconds(), at, at, after.ID[:], limit}, func(scan scanRow) error {
		migrated = true
		var (
			now     sql.Null[int64]
			id      []byte
			at      sql.Null[int64]
			revoked bool
			reload  sql.Null[uint64]
		)
		if err := scan(&now, &changes.GlobalEpoch, &changes.RefreshEpoch, &id, &at, &revoked, &reload); err != nil {
			return err
		}
		changes.Now = fromMicros(now)
		if id == nil {
			return nil // nothing has changed: this row holds the clock and the epoch alone
		}
		change := store.Change{At: fromMicros(at), Revoked: revoked, Reload: reload.V}
		var err error
		if change.ID, err = sessionID(id); err != nil {
			return err
		}
		changes.Sessions = append(changes.Sessions, change)
		return nil
	})
	if err == nil && !migrated {
		err = errNotMigrated
	}
	slices.SortFunc(changes.Sessions, func(a, b store.Change) int {
		return cmp.Or(a.At.Compare(b.At), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return changes, err
}
