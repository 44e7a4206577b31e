package store_test

import (
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// The tests of the store contract cover both conditions only for rows that are not
// revoked.
func TestRecord_RevokedRowAcceptsNoTicket(t *testing.T) {
	row := store.Record{Generation: 3, Confirmed: store.Digest{3}, Previous: store.Digest{2}}
	child := store.PresentedTicket{Generation: 4, Digest: store.Digest{4}, Parent: store.Digest{3}}
	old := store.PresentedTicket{Generation: 2, Digest: store.Digest{2}, Parent: store.Digest{1}}
	if !row.CanConfirm(child) || row.CanConfirm(old) || row.IsReuse(child) || !row.IsReuse(old) {
		t.Errorf("a live row takes the child: %v, the old ticket: %v; supersedes them: %v, %v; want true, false, false, true",
			row.CanConfirm(child), row.CanConfirm(old), row.IsReuse(child), row.IsReuse(old))
	}
	row.RevokedAt = time.Unix(1, 0)
	if row.CanConfirm(child) || row.CanConfirm(old) || row.IsReuse(child) || row.IsReuse(old) {
		t.Errorf("a revoked row takes the child: %v, the old ticket: %v; supersedes them: %v, %v; want none",
			row.CanConfirm(child), row.CanConfirm(old), row.IsReuse(child), row.IsReuse(old))
	}
}
