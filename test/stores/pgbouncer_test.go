package stores

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/store/storetest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// Behind PgBouncer, each transaction of a client may run on another connection of the
// server. The two modes of pgx that prepare no statements work.
func TestPgBouncer_TransactionModeKeepsTheStoreContract(t *testing.T) {
	pooler := startPgBouncer(t)
	for _, mode := range []string{"exec", "simple_protocol"} {
		if testing.Short() && mode != "exec" {
			continue
		}
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, postgresBackend(t, pooler.database(t, "default_query_exec_mode="+mode), false))
		})
	}
}

// The documentation names this error. Prepared statements are the default of pgx.
func TestPgBouncer_TransactionModeRefusesPreparedStatements(t *testing.T) {
	pooler := startPgBouncer(t)
	db := openPostgres(t, pooler.database(t))
	rows := newPostgres(t, db, postgresUsers, sqlstore.Config{})
	execute(t, db, "INSERT INTO users (id) VALUES (1)")
	const callers = 8
	said := make(chan error, callers)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range 200 {
				if _, err := rows.Find(t.Context(), store.ID{1}); err != nil {
					said <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(said)
	n := 0
	for err := range said {
		n++
		fault, ok := errors.AsType[*pgconn.PgError](err)
		if !ok || !strings.Contains(fault.Message, "prepared statement") {
			t.Errorf("got %v; want an error about a prepared statement", err)
		}
	}
	if n == 0 {
		t.Error("all calls were answered: docs/operations.md says that they fail")
	}
}

// pgBouncer is a PgBouncer in transaction mode in front of the server of the tests.
type pgBouncer struct {
	server *pgx.ConnConfig
	addr   string
}

// database creates a database and returns a DSN that leads through the pooler.
func (p *pgBouncer) database(t *testing.T, params ...string) string {
	t.Helper()
	cfg, err := pgx.ParseConfig(dbtest.PostgresDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("postgres://%s@%s/%s?%s", cfg.User, p.addr, cfg.Database, strings.Join(params, "&"))
}

// startPgBouncer starts a PgBouncer, which ends with the test. It has fewer connections to
// each database than the clients of a test.
func startPgBouncer(t *testing.T) *pgBouncer {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // Debian's, which is not in everybody's PATH
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatal("no pgbouncer is installed: run .ci/deps, or apt-get install --no-install-recommends pgbouncer")
	}
	server, err := pgx.ParseConfig(dbtest.PostgresDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") // a free port
	if err != nil {
		t.Fatal(err)
	}
	p := &pgBouncer{server, listener.Addr().String()}
	listener.Close()
	_, port, _ := net.SplitHostPort(p.addr)

	dir, err := os.MkdirTemp("/dev/shm", "sessionkit-pgbouncer-") // nobody may not enter every TMPDIR
	if err != nil {
		dir, err = os.MkdirTemp("", "sessionkit-pgbouncer-")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	behind := fmt.Sprintf("host=%s port=%d", server.Host, server.Port)
	if server.Password != "" {
		behind += " user=" + server.User + " password=" + server.Password
	}
	for name, text := range map[string]string{
		"users": fmt.Sprintf("%q \"\"\n", server.User),
		"ini": fmt.Sprintf(`[databases]
* = %s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = transaction
default_pool_size = 4
max_client_conn = 500
`, behind, port, filepath.Join(dir, "users")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{program, filepath.Join(dir, "ini")}
	if os.Geteuid() == 0 { // it refuses to run as root; the socket of the server belongs to nobody
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"}, args...)
	}

	// The shell's input ends with this process, also if that is killed.
	cmd := exec.Command("sh", append([]string{"-c", `"$@" </dev/null & cat >/dev/null; kill -s KILL $!`, "sh"}, args...)...)
	log := &bytes.Buffer{}
	cmd.Stderr = log
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		input.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the log of PgBouncer ends with:\n%s", log.Bytes()[max(0, log.Len()-3000):])
		}
	})

	db, err := sql.Open("pgx", p.database(t, "default_query_exec_mode=exec"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) { // there is no event to wait for
		err := db.PingContext(t.Context())
		if err == nil {
			return p
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("PgBouncer does not answer: %v", err)
		}
	}
}
