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

	"github.com/sessionkit/sessionkit/session"
)

// watch is a node's store, and notes what it answers.
type watch struct {
	session.Store
	log *logbook
}

// logbook is what all nodes have answered.
type logbook struct {
	mu        sync.Mutex
	calls     map[string]int
	troubles  map[string]int // by kind of error
	confirmed []time.Time    // when a confirmation was acknowledged
}

func newLogbook() *logbook { return &logbook{calls: map[string]int{}, troubles: map[string]int{}} }

func (l *logbook) note(call string, err error, confirmed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[call]++
	if confirmed {
		l.confirmed = append(l.confirmed, time.Now())
	}
	if err != nil && !definite(err) {
		l.troubles[kind(err)]++
	}
}

// kind is the class of a trouble: the server's error number, or how the
// connection failed.
func kind(err error) string {
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

// silence is the longest time without a confirmation.
func (l *logbook) silence() (longest time.Duration) {
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

func (w watch) Create(ctx context.Context, n session.NewSession) error {
	err := w.Store.Create(ctx, n)
	w.log.note("Create", err, false)
	return err
}

func (w watch) Find(ctx context.Context, id session.ID) (session.Snapshot, error) {
	snap, err := w.Store.Find(ctx, id)
	w.log.note("Find", err, false)
	return snap, err
}

func (w watch) Confirm(ctx context.Context, p session.Presented) (bool, error) {
	ok, err := w.Store.Confirm(ctx, p)
	w.log.note("Confirm", err, ok)
	return ok, err
}

func (w watch) RevokeReused(ctx context.Context, p session.Presented) (bool, error) {
	ok, err := w.Store.RevokeReused(ctx, p)
	w.log.note("RevokeReused", err, false)
	return ok, err
}

func (w watch) Revoke(ctx context.Context, id session.ID, userID string, reason session.Reason) (bool, error) {
	ok, err := w.Store.Revoke(ctx, id, userID, reason)
	w.log.note("Revoke", err, false)
	return ok, err
}

func (w watch) RevokeUser(ctx context.Context, userID string, except []session.ID, reason session.Reason) error {
	err := w.Store.RevokeUser(ctx, userID, except, reason)
	w.log.note("RevokeUser", err, false)
	return err
}
