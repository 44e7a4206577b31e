package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// ForgetClients implements store.ClientForgetter with one query along the primary key, and one
// UPDATE for each 200 rows that have something to forget. Any number of nodes may do it at once.
func (s *Store) ForgetClients(ctx context.Context, age time.Duration, after store.ID, limit int) (last store.ID, err error) {
	if limit < 1 {
		return store.ID{}, nil
	}
	var due []any
	found := 0
	err = s.query(ctx, s.sql.findClients, []any{age.Microseconds(), after[:], limit}, func(scan scanRow) error {
		var id []byte
		var isDue bool
		if err := scan(&id, &isDue); err != nil {
			return err
		}
		if isDue {
			due = append(due, id)
		}
		copy(last[:], id)
		found++
		return nil
	})
	if err != nil {
		return store.ID{}, failed("looking for clients to forget", err)
	}
	for some := range slices.Chunk(due, pruneBatch) {
		if _, err := s.changeIDs(ctx, s.sql.forgetThese, []any{[]byte{}, []byte{}}, some); err != nil {
			return store.ID{}, failed("forgetting clients", err)
		}
	}
	if found < limit {
		return store.ID{}, nil
	}
	return last, nil
}
