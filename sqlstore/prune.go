package sqlstore

import (
	"context"
)

// pruneBatch is how many rows one DELETE removes: so few that no other statement
// waits for it noticeably.
const pruneBatch = 200

// Prune implements store.Store. Any number of nodes may prune at once: each row is
// counted by the one that removed it.
func (s *Store) Prune(ctx context.Context, limit int) (int, error) {
	removed := 0
	for removed < limit {
		batch := min(limit-removed, pruneBatch)
		ids, err := s.findIDs(ctx, s.sql.findExpired, batch)
		if err != nil {
			return removed, failed("looking for sessions to prune", err)
		}
		if len(ids) == 0 {
			break
		}
		n, err := s.changeIDs(ctx, s.sql.prune, nil, ids)
		removed += n
		if err != nil {
			return removed, failed("pruning sessions", err)
		}
		if n < batch { // there are no more, or another node is pruning
			break
		}
	}
	return removed, nil
}

// findIDs runs a query that reads ids of sessions.
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
