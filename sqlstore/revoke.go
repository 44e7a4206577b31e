package sqlstore

import (
	"context"
	"math"
	"slices"

	"github.com/sessionkit/sessionkit/session/store"
)

// Revoke implements store.Store.
func (s *Store) Revoke(ctx context.Context, id store.ID, userID string, reason store.Reason) (bool, error) {
	query, args := s.sql.revoke, append(revokedArgs(reason), id[:])
	if userID != "" {
		user, ok := s.userKey(userID)
		if !ok {
			return false, nil
		}
		query, args = query+s.sql.andUser, append(args, user...)
	}
	n, err := s.exec(ctx, query, args...)
	return n > 0, failed("revoking a session", err)
}

// revokedArgs are the parameters of a revocation: the reason, and how long the row is
// kept at most, twice.
func revokedArgs(reason store.Reason) []any {
	keep := reason.RetainFor().Microseconds()
	return []any{[]byte(reason), keep, keep}
}

// RevokeUser implements store.Store.
func (s *Store) RevokeUser(ctx context.Context, r store.UserRevocation) (int, error) {
	query, args := s.sql.findUnrevoked, []any(nil)
	if r.ExternalID != "" {
		query, args = s.sql.findExternal, []any{[]byte(r.ExternalID)}
	} else {
		user, ok := s.userKey(r.UserID)
		if !ok {
			return 0, nil
		}
		args = user
	}
	if r.Limit < 1 {
		return 0, nil
	}
	before := int64(math.MaxInt64)
	if !r.Before.IsZero() {
		before = r.Before.UnixMicro()
	}
	args = append(args, before)
	if len(r.Except) > 0 {
		query += " AND id NOT IN (" + placeholders(len(r.Except)) + ")"
		for _, id := range r.Except {
			args = append(args, id[:])
		}
	}
	query, args = query+s.sql.limit, append(args, r.Limit)
	n, changed, err := s.changeFound(ctx, query, args, s.sql.revokeThese, revokedArgs(r.Reason))
	if err == nil && changed < n && n < r.Limit {
		// A session has ended in between. Perhaps another one goes on from it, which was not
		// there yet.
		var more int
		more, _, err = s.changeFound(ctx, query, args, s.sql.revokeThese, revokedArgs(r.Reason))
		n = min(n+more, r.Limit)
	}
	return n, failed("revoking a user's sessions", err)
}

// changeFound finds the ids of rows with one statement and changes these rows by primary
// key with another. It returns how many it found, and how many of them it changed. A row
// that another node has changed in between is left as it is.
func (s *Store) changeFound(ctx context.Context, find string, args []any, change string, changeArgs []any) (found, changed int, err error) {
	ids, err := s.findIDs(ctx, find, args...)
	if err != nil || len(ids) == 0 {
		return 0, 0, err
	}
	changed, err = s.changeIDs(ctx, change, changeArgs, ids)
	return len(ids), changed, err
}

// changeIDs runs a statement that ends with a list of ids, and returns how many rows it
// changed. Of rows on several shards it changes one at a time: two statements that each
// wait on another shard for the other one would wait for ever, because no server sees
// both.
func (s *Store) changeIDs(ctx context.Context, change string, args, ids []any) (changed int, err error) {
	together := len(ids)
	if s.sharded.Load() {
		together = 1
	}
	for some := range slices.Chunk(ids, together) {
		n, err := s.exec(ctx, change+placeholders(len(some))+s.sql.endOfIDs, slices.Concat(args, some)...)
		changed += int(n)
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// RevokeAll implements store.Store. It changes one row, whatever the number of
// sessions.
func (s *Store) RevokeAll(ctx context.Context) error {
	n, err := s.exec(ctx, s.sql.revokeAll)
	if err == nil && n == 0 {
		err = errNotMigrated
	}
	return failed("revoking all sessions", err)
}

// RefreshAll implements store.Store. It changes one row, whatever the number of
// sessions.
func (s *Store) RefreshAll(ctx context.Context) error {
	n, err := s.exec(ctx, s.sql.refreshAll)
	if err == nil && n == 0 {
		err = errNotMigrated
	}
	return failed("making every client refresh", err)
}

// Reload implements store.Store.
func (s *Store) Reload(ctx context.Context, userID string, limit int) (int, error) {
	user, ok := s.userKey(userID)
	if !ok || limit < 1 {
		return 0, nil
	}
	n, _, err := s.changeFound(ctx, s.sql.findReload, append(user, limit), s.sql.reloadThese, nil)
	return n, failed("reloading a user's sessions", err)
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, id store.ID, data map[string]string) (bool, error) {
	n, err := s.exec(ctx, s.sql.update, dataParameter(data), id[:])
	return n > 0, failed("updating the data of a session", err)
}
