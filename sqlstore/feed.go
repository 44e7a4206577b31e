package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// Changes implements session.Store. It reads a range of an index that holds
// little else than what it returns.
func (s *Store) Changes(ctx context.Context, within time.Duration) (session.Changes, error) {
	changes, err := s.changes(ctx, within)
	if err != nil {
		return session.Changes{}, fmt.Errorf("sqlstore: reading recent changes: %w", err)
	}
	return changes, nil
}

func (s *Store) changes(ctx context.Context, within time.Duration) (changes session.Changes, err error) {
	rows, err := s.db.QueryContext(ctx, s.sql.changes, within.Microseconds())
	if err != nil {
		return changes, err
	}
	defer rows.Close()
	migrated := false
	for rows.Next() {
		migrated = true
		var (
			now     sql.Null[int64]
			id      []byte
			revoked bool
			reload  sql.Null[uint64]
		)
		if err := rows.Scan(&now, &changes.GlobalEpoch, &id, &revoked, &reload); err != nil {
			return changes, err
		}
		changes.Now = moment(now)
		if id == nil {
			continue // nothing has changed: this row carries the epoch alone
		}
		change := session.Change{Revoked: revoked, Reload: reload.V}
		if change.ID, err = sessionID(id); err != nil {
			return changes, err
		}
		changes.Sessions = append(changes.Sessions, change)
	}
	if err := rows.Err(); err != nil {
		return changes, err
	}
	if !migrated {
		return changes, errNotMigrated
	}
	return changes, nil
}

// pruneAtOnce keeps one DELETE so small that nobody waits for it.
const pruneAtOnce = 200

// Prune implements session.Store. Any number of nodes may prune at once: a row
// is counted by the one that has removed it. What was removed before an error
// is counted too.
func (s *Store) Prune(ctx context.Context, limit int) (int, error) {
	removed := 0
	for removed < limit {
		batch := min(limit-removed, pruneAtOnce)
		ids, err := s.outlived(ctx, batch)
		if err != nil {
			return removed, fmt.Errorf("sqlstore: looking for sessions to prune: %w", err)
		}
		if len(ids) == 0 {
			break
		}
		n, err := s.exec(ctx, "pruning sessions", s.sql.prune+marks(len(ids))+")", ids...)
		removed += int(n)
		if err != nil {
			return removed, err
		}
		if int(n) < batch { // no more, or another node is at it
			break
		}
	}
	return removed, nil
}

func (s *Store) outlived(ctx context.Context, limit int) (ids []any, err error) {
	rows, err := s.db.QueryContext(ctx, s.sql.outlived, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
