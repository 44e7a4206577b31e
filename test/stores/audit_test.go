package stores

import (
	"database/sql"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/store/storetest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// The audit log of MySQL and MariaDB is tested beside package sqlstore.
func TestAuditLog_KeepsTheContract(t *testing.T) {
	for _, d := range []struct {
		dialect sqlstore.Dialect
		open    func(*testing.T) *sql.DB
	}{
		{sqlstore.SQLite, sqlite},
		{sqlstore.PostgreSQL, func(t *testing.T) *sql.DB { return postgres(t) }},
	} {
		t.Run(d.dialect.String(), func(t *testing.T) {
			dbtest.Suite(t, d.open(t), "audit log")
			storetest.RunAudit(t, func(t *testing.T) (store.AuditLog, func() []store.AuditEntry) {
				rows, err := sqlstore.New(d.open(t), sqlstore.Config{Dialect: d.dialect})
				if err != nil {
					t.Fatal(err)
				}
				log := rows.AuditLog(time.Hour)
				for range 2 { // the second time it only reads
					if err := log.Migrate(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				return log, func() []store.AuditEntry {
					entries, err := log.Entries(t.Context(), sqlstore.AuditQuery{})
					if err != nil {
						t.Fatal(err)
					}
					return entries
				}
			})
		})
	}
}
