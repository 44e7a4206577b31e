package base

import (
	"testing"

	"github.com/sessionkit/sessionkit/sqlstore"
)

func TestDatabase_BindNumbersThePlaceholdersForPostgreSQL(t *testing.T) {
	const query = `UPDATE users SET roles = ? WHERE id = ?`
	for dialect, want := range map[sqlstore.Dialect]string{
		sqlstore.SQLite:     query,
		sqlstore.MySQL:      query,
		sqlstore.PostgreSQL: `UPDATE users SET roles = $1 WHERE id = $2`,
	} {
		if got := (Database{Dialect: dialect}).Bind(query); got != want {
			t.Errorf("dialect %v: %s; want %s", dialect, got, want)
		}
	}
}
