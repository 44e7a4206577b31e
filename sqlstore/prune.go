package sqlstore

import (
	"context"
	"fmt"
	"slices"
)

// pruneBatch is how many rows one DELETE removes: so few that no other statement
// waits for it noticeably.
const pruneBatch = 200

// Prune implements store.Store. Any number of nodes may prune at once: each row is
// counted by the one that removed it.
func (s *Store) Prune(ctx context.Context, limit int) (int, error) {
	n, err := s.prune(ctx, s.sql.findExpired, nil, s.sql.prune, limit)
	return n, failed("pruning sessions", err)
}

// prune removes rows in batches: find reads the ids of some, and remove removes those. It
// returns how many it removed, also with an error.
func (s *Store) prune(ctx context.Context, find string, args []any, remove string, limit int) (removed int, err error) {
	for removed < limit {
		batch := min(limit-removed, pruneBatch)
		ids, err := s.findIDs(ctx, find, append(slices.Clip(args), batch)...)
		if err != nil {
			return removed, fmt.Errorf("looking for rows: %w", err)
		}
		if len(ids) == 0 {
			break
		}
		n, err := s.changeIDs(ctx, remove, nil, ids)
		removed += n
		if err != nil {
			return removed, err
		}
		if n < batch { // there are no more, or another node is pruning
			break
		}
	}
	return removed, nil
}

// findIDs runs a query that reads the ids of rows.
func (s *Store) findIDs(ctx context.Context, query string, args ...any) (ids []any, err error) {
	err = s.query(ctx, query, args, func(scan scanRow) error {
		var id []byte
		if err := scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
		return nil
	})
	return ids, err
}
