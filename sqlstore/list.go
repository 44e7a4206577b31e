package sqlstore

import (
	"context"
	"slices"

	"github.com/sessionkit/sessionkit/session/store"
)

// List implements store.Store.
func (s *Store) List(ctx context.Context, userID string, after store.ID, limit int) ([]store.Record, error) {
	user, ok := s.userKey(userID)
	if !ok {
		return nil, nil
	}
	query, page := s.sql.list, slices.Concat(user, user)
	if !after.IsZero() {
		query, page = s.sql.listAfter, slices.Concat(user, []any{after[:]}, user)
	}
	page = append(page, limit)
	list, err := s.records(ctx, query, append(slices.Concat(page, page), limit))
	return list, failed("listing a user's sessions", err)
}

// Newest implements store.Store.
func (s *Store) Newest(ctx context.Context, userID string, nonInteractive bool, limit int) ([]store.Record, error) {
	user, ok := s.userKey(userID)
	if !ok {
		return nil, nil
	}
	list, err := s.records(ctx, s.sql.newest, append(user, flag(nonInteractive), limit))
	return list, failed("reading a user's newest sessions", err)
}

// records runs a query that returns recordColumns. On an error it returns no record.
func (s *Store) records(ctx context.Context, query string, args []any) (list []store.Record, err error) {
	err = s.query(ctx, query, args, func(scan scanRow) error {
		var row sessionRow
		if err := scan(row.dest()...); err != nil {
			return err
		}
		record, err := row.record(s.userText)
		if err != nil {
			return err
		}
		list = append(list, *record)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
