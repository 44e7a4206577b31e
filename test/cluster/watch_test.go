package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/sessionkit/sessionkit/session/store"
)

// watch is the store of one node. It records what the store answers.
type watch struct {
	store.Store
	log *logbook
}

// logbook counts the answers of the stores of all nodes.
type logbook struct {
	mu        sync.Mutex
	calls     map[string]int // by method
	errors    map[string]int // store errors, by class
	confirmed []time.Time    // times of acknowledged confirmations
}

func newLogbook() *logbook { return &logbook{calls: map[string]int{}, errors: map[string]int{}} }

func (l *logbook) note(call string, err error, confirmed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[call]++
	if confirmed {
		l.confirmed = append(l.confirmed, time.Now())
	}
	if err != nil && !definite(err) {
		l.errors[class(err)]++
	}
}

// class is the class of a store error: the error number of the server, or the way
// in which the connection failed.
func class(err error) string {
	var refused *mysql.MySQLError
	var dial *net.OpError
	switch {
	case errors.As(err, &refused):
		return fmt.Sprint(refused.Number)
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline"
	case errors.Is(err, mysql.ErrInvalidConn):
		return "invalid connection"
	case errors.As(err, &dial):
		return dial.Op
	}
	return err.Error()
}

// longestGap is the longest time between two confirmations.
func (l *logbook) longestGap() (longest time.Duration) {
	for i := 1; i < len(l.confirmed); i++ {
		longest = max(longest, l.confirmed[i].Sub(l.confirmed[i-1]))
	}
	return longest
}

func counts(m map[string]int) string {
	if len(m) == 0 {
		return "none"
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, fmt.Sprintf("%s: %d", key, m[key]))
	}
	return strings.Join(all, ", ")
}

func (w watch) Create(ctx context.Context, n store.NewSession) error {
	err := w.Store.Create(ctx, n)
	w.log.note("Create", err, false)
	return err
}

func (w watch) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	snap, err := w.Store.Find(ctx, id)
	w.log.note("Find", err, false)
	return snap, err
}

func (w watch) Confirm(ctx context.Context, p store.PresentedTicket) (bool, error) {
	ok, err := w.Store.Confirm(ctx, p)
	w.log.note("Confirm", err, ok)
	return ok, err
}

func (w watch) RecordLate(ctx context.Context, p store.PresentedTicket) (bool, error) {
	ok, err := w.Store.RecordLate(ctx, p)
	w.log.note("RecordLate", err, false)
	return ok, err
}

func (w watch) RevokeReused(ctx context.Context, p store.PresentedTicket) (bool, error) {
	ok, err := w.Store.RevokeReused(ctx, p)
	w.log.note("RevokeReused", err, false)
	return ok, err
}

func (w watch) Revoke(ctx context.Context, id store.ID, userID string, reason store.Reason) (bool, error) {
	ok, err := w.Store.Revoke(ctx, id, userID, reason)
	w.log.note("Revoke", err, false)
	return ok, err
}

func (w watch) RevokeUser(ctx context.Context, r store.UserRevocation) (int, error) {
	n, err := w.Store.RevokeUser(ctx, r)
	w.log.note("RevokeUser", err, false)
	return n, err
}
