package scaling

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// pollCost is the cost of polls of the revocation list on a real database. The
// server counts the bytes.
type pollCost struct {
	there, back, each float64 // bytes sent to the database, bytes received, and bytes received for each change
	changes           int
	took              time.Duration // duration of the poll that returned this number of changes
}

// pollPage is how many changes the Manager reads at once.
const pollPage = 1000

// pollCost measures a poll without changes and a poll with the given number of
// changes.
func (d *database) pollCost(changes int) pollCost {
	d.Helper()
	there, back, _ := d.poll(0)
	var revoked atomic.Int64
	d.each(func(ctx context.Context, s *storedSession) {
		if revoked.Add(1) > int64(changes) {
			return
		}
		_, err := d.store.Revoke(ctx, s.id, "", "logout")
		d.must(err)
	})
	_, all, took := d.poll(changes)
	return pollCost{there, back, (all - back) / float64(changes), changes, took}
}

// poll measures one poll. It uses a single connection, because the server counts the
// bytes of each connection.
func (d *database) poll(changes int) (there, back float64, took time.Duration) {
	d.Helper()
	d.db.SetMaxOpenConns(1)
	defer d.db.SetMaxOpenConns(connections)
	counted := func(do func()) (there, back float64) {
		read := func() (there, back float64) {
			var name string
			d.must(d.db.QueryRow("SHOW SESSION STATUS LIKE 'Bytes_received'").Scan(&name, &there))
			d.must(d.db.QueryRow("SHOW SESSION STATUS LIKE 'Bytes_sent'").Scan(&name, &back))
			return there, back
		}
		thereBefore, backBefore := read()
		do()
		there, back = read()
		return there - thereBefore, back - backBefore
	}
	askingThere, askingBack := counted(func() {})
	there, back = counted(func() {
		begin := time.Now()
		shown := 0
		for after, more := (store.Cursor{}), true; more; { // as the Manager does
			c, err := d.store.Changes(d.Context(), farthestPoll, after, pollPage)
			d.must(err)
			shown += len(c.Sessions)
			if more = len(c.Sessions) == pollPage; more {
				after = c.Sessions[pollPage-1].Cursor()
			}
		}
		took = time.Since(begin)
		if shown != changes {
			d.Errorf("a poll returned %d changes, want %d", shown, changes)
		}
	})
	return there - askingThere, back - askingBack, took
}
