package drill

import (
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// engine is what the drill does in another way on each database.
type engine struct {
	// accounts returns the DSN of the drill itself and that of the nodes. The account of
	// the nodes is app and has the rights of an app: a server that is read-only refuses its
	// changes. With texts, every statement reaches the database with its text.
	accounts func(t testing.TB, server nodetest.Server, texts bool) (own, nodes string)

	watchRows   []string // creates the table drill_rows, see readRows, and what fills it
	connections string   // returns the number of the nodes' connections
	update      string   // the beginning of a statement that changes a session

	readOnly, writable []string

	restoring, restore, restored string // see replaced

	waitForLock, noWaiting []string // see deadlocks
	pause, deadlocks       string

	tooManyConnections func(*world)
}

// onThis is the engine of the database that the drill runs on.
func onThis() engine {
	if nodetest.OnPostgres() {
		return postgresEngine
	}
	return mysqlEngine
}

var mysqlEngine = engine{
	accounts: func(t testing.TB, server nodetest.Server, texts bool) (own, nodes string) {
		t.Helper()
		cfg, err := mysql.ParseDSN(server.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Params = map[string]string{"innodb_lock_wait_timeout": "5"}
		run(t, nodetest.Open(t, cfg.FormatDSN()), "CREATE USER app@'%'", "GRANT ALL ON "+cfg.DBName+".* TO app@'%'")
		app := mysql.NewConfig()
		app.User, app.Net, app.Addr, app.DBName = "app", "tcp", server.Addr(), cfg.DBName
		app.InterpolateParams = true // the DSN that the documentation gives; texts needs it, too
		return cfg.FormatDSN(), app.FormatDSN()
	},
	watchRows: []string{
		`CREATE TABLE drill_rows (
			n          BIGINT AUTO_INCREMENT PRIMARY KEY,
			at         BIGINT NOT NULL,
			what       VARCHAR(16) NOT NULL,
			id         BINARY(16) NOT NULL,
			user_id    BIGINT NOT NULL,
			generation BIGINT UNSIGNED NOT NULL,
			revoked    BOOLEAN NOT NULL,
			reason     VARBINARY(32) NOT NULL
		)`,
		mysqlTrigger("INSERT", "'created'", "NEW"),
		mysqlTrigger("UPDATE", `CASE
			WHEN @drill_restores IS NOT NULL THEN 'restored'
			WHEN OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL THEN 'revoked'
			WHEN OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL THEN 'unrevoked'
			WHEN OLD.generation <> NEW.generation OR OLD.confirmed <> NEW.confirmed THEN 'confirmed'
			ELSE '' END`, "NEW"),
		mysqlTrigger("DELETE", "'deleted'", "OLD"),
	},
	connections: "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'app'",
	update:      "UPDATE `sessions` SET",
	readOnly:    []string{"SET GLOBAL read_only = 1"},
	writable:    []string{"SET GLOBAL read_only = 0"},
	restoring:   "SET @drill_restores = 1",
	restore: `UPDATE sessions s JOIN drill_copy c ON s.id = c.id SET s.generation = c.generation, s.confirmed = c.confirmed,
		s.previous = c.previous, s.confirmed_at = c.confirmed_at, s.expires_at = c.expires_at, s.reload = c.reload,
		s.changed_at = c.changed_at, s.revoked_at = c.revoked_at, s.revoke_reason = c.revoke_reason`,
	restored: "SET @drill_restores = NULL",
	waitForLock: []string{`CREATE TRIGGER drill_lock BEFORE UPDATE ON sessions FOR EACH ROW
		SET @drill_lock = (SELECT n FROM drill_lock WHERE id = 1 LOCK IN SHARE MODE)`},
	noWaiting:          []string{"DROP TRIGGER drill_lock"},
	pause:              "DO SLEEP(0.1)",
	deadlocks:          "SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'lock_deadlocks'",
	tooManyConnections: tooManyOnMySQL,
}

// mysqlTrigger records one change. Its parameters are the event, the change, and the name
// of the row.
func mysqlTrigger(event, what, row string) string {
	return `CREATE TRIGGER drill_` + event + ` AFTER ` + event + ` ON sessions FOR EACH ROW
		INSERT INTO drill_rows (at, what, id, user_id, generation, revoked, reason)
		SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED), what, ` + row + `.id, ` + row + `.user_id, ` + row + `.generation,
			` + row + `.revoked_at IS NOT NULL, COALESCE(` + row + `.revoke_reason, '')
		FROM (SELECT ` + what + ` AS what) w WHERE what <> ''`
}

var postgresEngine = engine{
	accounts: func(t testing.TB, server nodetest.Server, texts bool) (own, nodes string) {
		t.Helper()
		dsn := server.Database(t)
		own = dsn + " lock_timeout=5s"
		// A statement looks for a deadlock once, when it has waited for this time: after the
		// pause of the drill's own transaction, see deadlocks.
		run(t, nodetest.Open(t, own), "CREATE ROLE app LOGIN", "ALTER ROLE app SET deadlock_timeout = '200ms'", "GRANT USAGE, CREATE ON SCHEMA public TO app")
		nodes, err := nodetest.Through(dsn+" user=app target_session_attrs=read-write", server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if texts { // an execution of a prepared statement has its name only
			nodes += " default_query_exec_mode=exec"
		}
		return own, nodes
	},
	watchRows: []string{
		`CREATE TABLE drill_rows (
			n          BIGSERIAL PRIMARY KEY,
			at         BIGINT NOT NULL,
			what       TEXT NOT NULL,
			id         BYTEA NOT NULL,
			user_id    BIGINT NOT NULL,
			generation BIGINT NOT NULL,
			revoked    BOOLEAN NOT NULL,
			reason     BYTEA NOT NULL
		)`,
		// The nodes' account has no right to the drill's table.
		`CREATE FUNCTION drill_watch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
		DECLARE
			s sessions;
			what TEXT := '';
		BEGIN
			IF TG_OP = 'DELETE' THEN
				s := OLD;
				what := 'deleted';
			ELSE
				s := NEW;
			END IF;
			IF TG_OP = 'INSERT' THEN
				what := 'created';
			ELSIF TG_OP = 'UPDATE' THEN
				IF current_setting('drill.restores', TRUE) = '1' THEN
					what := 'restored';
				ELSIF OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL THEN
					what := 'revoked';
				ELSIF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL THEN
					what := 'unrevoked';
				ELSIF OLD.generation <> NEW.generation OR OLD.confirmed <> NEW.confirmed THEN
					what := 'confirmed';
				END IF;
			END IF;
			IF what <> '' THEN
				INSERT INTO drill_rows (at, what, id, user_id, generation, revoked, reason)
				VALUES ((EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT, what, s.id, s.user_id, s.generation,
					s.revoked_at IS NOT NULL, COALESCE(s.revoke_reason, ''));
			END IF;
			RETURN NULL;
		END $$`,
		"CREATE TRIGGER drill_watch AFTER INSERT OR UPDATE OR DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION drill_watch()",
	},
	connections: "SELECT COUNT(*) FROM pg_stat_activity WHERE usename = 'app'",
	update:      `UPDATE "sessions" SET`,
	readOnly:    []string{"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"},
	writable:    []string{"ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"},
	restoring:   "SELECT set_config('drill.restores', '1', FALSE)",
	restore: `UPDATE sessions s SET generation = c.generation, confirmed = c.confirmed, previous = c.previous,
		confirmed_at = c.confirmed_at, expires_at = c.expires_at, reload = c.reload, changed_at = c.changed_at,
		revoked_at = c.revoked_at, revoke_reason = c.revoke_reason
		FROM drill_copy c WHERE s.id = c.id`,
	restored: "SELECT set_config('drill.restores', '', FALSE)",
	waitForLock: []string{
		`CREATE FUNCTION drill_wait() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
		BEGIN
			PERFORM n FROM drill_lock WHERE id = 1 FOR SHARE;
			RETURN NEW;
		END $$`,
		"CREATE TRIGGER drill_wait BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION drill_wait()",
	},
	noWaiting:          []string{"DROP TRIGGER drill_wait ON sessions"},
	pause:              "SET LOCAL deadlock_timeout = '1min'; SELECT pg_sleep(0.1)", // so that the node's statement finds the deadlock
	deadlocks:          "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
	tooManyConnections: tooManyOnPostgres,
}

// run runs statements of the drill itself.
func run(t testing.TB, db nodetest.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
