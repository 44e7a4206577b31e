package drill

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/drill/history"
)

// rowsTable is the table in which triggers of the database record each change of a
// session's row. The time is that of the change, by the clock of the database. The start
// of the statement may be earlier, because it may wait for a lock.
const rowsTable = `CREATE TABLE drill_rows (
	n          BIGINT AUTO_INCREMENT PRIMARY KEY,
	at         BIGINT NOT NULL,
	what       VARCHAR(16) NOT NULL,
	id         BINARY(16) NOT NULL,
	user_id    BIGINT NOT NULL,
	generation BIGINT UNSIGNED NOT NULL,
	revoked    BOOLEAN NOT NULL,
	reason     VARBINARY(32) NOT NULL
)`

// trigger records one change. Its parameters are the event, the change, and the name of
// the row.
const trigger = `CREATE TRIGGER drill_%s AFTER %[1]s ON sessions FOR EACH ROW
	INSERT INTO drill_rows (at, what, id, user_id, generation, revoked, reason)
	SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED), what, %[3]s.id, %[3]s.user_id, %[3]s.generation,
		%[3]s.revoked_at IS NOT NULL, COALESCE(%[3]s.revoke_reason, '')
	FROM (SELECT %[2]s AS what) w WHERE what <> ''`

// whatChanged tells the kind of a change. When the drill restores rows, it sets the variable @drill_restores.
const whatChanged = `CASE
	WHEN @drill_restores IS NOT NULL THEN 'restored'
	WHEN OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL THEN 'revoked'
	WHEN OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL THEN 'unrevoked'
	WHEN OLD.generation <> NEW.generation OR OLD.confirmed <> NEW.confirmed THEN 'confirmed'
	ELSE '' END`

func watchRows(t testing.TB, db *sql.DB) {
	t.Helper()
	for _, statement := range []string{
		rowsTable,
		fmt.Sprintf(trigger, "INSERT", "'created'", "NEW"),
		fmt.Sprintf(trigger, "UPDATE", whatChanged, "NEW"),
		fmt.Sprintf(trigger, "DELETE", "'deleted'", "OLD"),
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
}

// readRows returns the changes. Those of one row are in their order, because the triggers
// number them while the row is locked.
func readRows(t testing.TB, db *sql.DB) (all []history.Entry) {
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
