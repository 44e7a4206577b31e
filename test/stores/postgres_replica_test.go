package stores

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// Migrate refuses a replica and names the remedy. A DSN with that remedy finds the primary
// among several servers, also after a failover.
func TestPostgreSQL_MigrateRefusesAReplica(t *testing.T) {
	primary := dbtest.StartPostgres(t)
	dsn := primary.Database(t)
	newPostgres(t, openPostgres(t, dsn), postgresUsers, sqlstore.Config{})
	standby := primary.Standby(t)
	replica := openPostgres(t, standby.Same(dsn))
	arrived := func(query string) {
		t.Helper()
		for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) { // there is no event to wait for
			var yes bool
			err := replica.QueryRowContext(t.Context(), query).Scan(&yes)
			if err == nil && yes {
				return
			}
			if time.Since(begin) > 20*time.Second {
				t.Fatalf("%s: %t, error %v", query, yes, err)
			}
		}
	}
	arrived("SELECT to_regclass('sessions_epoch') IS NOT NULL")

	const remedy = "target_session_attrs=read-write"
	err := migratePostgres(t, replica, sqlstore.Config{Dialect: sqlstore.PostgreSQL})
	if err == nil || !strings.Contains(err.Error(), "the server is a replica: open the primary, such as by "+remedy+" in the DSN") || strings.Count(err.Error(), "Migrate: ") != 1 {
		t.Fatalf("Migrate on a replica: %v; want the one fault and its remedy", err)
	}

	// The servers in another order than they are needed.
	there, here := host(t, standby.Same(dsn)), host(t, dsn)
	db := openPostgres(t, dsn+" host="+there.Host+","+here.Host+" port="+fmt.Sprint(there.Port)+","+fmt.Sprint(here.Port)+" "+remedy)
	rows, err := sqlstore.New(db, sqlstore.Config{Dialect: sqlstore.PostgreSQL})
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate with %s: %v", remedy, err)
	}
	execute(t, db, "INSERT INTO users (id) VALUES (1)")
	login := store.NewSession{ID: store.ID{1}, UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour}
	if err := rows.Create(t.Context(), login); err != nil {
		t.Fatal(err)
	}
	arrived("SELECT EXISTS (SELECT 1 FROM sessions)")

	primary.Kill(t)
	arrived("SELECT pg_promote()")
	var found store.Snapshot
	for range 3 { // the connections to the old primary end
		if found, err = rows.Find(t.Context(), login.ID); err == nil {
			break
		}
	}
	if err != nil || found.Record == nil || found.Record.UserID != "1" {
		t.Errorf("after the failover: %+v, error %v; want the session", found, err)
	}
	if did, err := rows.Revoke(t.Context(), login.ID, "1", store.ReasonLogout); err != nil || !did {
		t.Errorf("revoking after the failover: %t, error %v", did, err)
	}
}

func host(t *testing.T, dsn string) *pgx.ConnConfig {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
