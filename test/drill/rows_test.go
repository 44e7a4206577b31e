package drill

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/drill/history"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// watchRows makes triggers of the database record each change of a session's row in the
// table drill_rows. The time is that of the change, by the clock of the database. The start
// of the statement may be earlier, because it may wait for a lock.
func watchRows(t testing.TB, db nodetest.DB) {
	t.Helper()
	run(t, db, onThis().watchRows...)
}

// readRows returns the changes. Those of one row are in their order, because the triggers
// number them while the row is locked.
func readRows(t testing.TB, db nodetest.DB) (all []history.Entry) {
	t.Helper()
	rows, err := db.Query("SELECT at, what, id, user_id, generation, revoked, reason FROM drill_rows ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var e history.Entry
		var at int64
		var id []byte
		if err := rows.Scan(&at, &e.Change, &id, &e.User, &e.Generation, &e.Revoked, &e.Reason); err != nil {
			t.Fatal(err)
		}
		e.At, e.Session = time.UnixMicro(at), hex.EncodeToString(id)
		all = append(all, e)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
