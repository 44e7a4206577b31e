package vitess

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/internal/dbtest"
)

// The source of vtcombo. The sum is that of the module's content, as in a go.sum.
const (
	vitessModule = "vitess.io/vitess@v0.24.4"
	vitessSum    = "h1:fjIFc28fGYF6Bxu4heHsKvx+huPbA4NmIeLJL4clbc8="
)

// build builds vtcombo with the requirements of its own go.mod, and returns its path.
func build(t *testing.T) string {
	t.Helper()
	begun := time.Now()
	run := func(dir string, args ...string) []byte {
		t.Helper()
		// Half of the test's time is left for the tests.
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir, cmd.Stderr = dir, os.Stderr
		cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %v: %v", args, err)
		}
		return out
	}
	var module struct{ Dir, Sum string }
	if err := json.Unmarshal(run(t.TempDir(), "mod", "download", "-json", vitessModule), &module); err != nil {
		t.Fatal(err)
	}
	if module.Sum != vitessSum {
		t.Fatalf("the sum of %s is %s, not %s", vitessModule, module.Sum, vitessSum)
	}
	program := filepath.Join(directory(t, "sessionkit-vtcombo-"), "vtcombo")
	run(module.Dir, "build", "-mod=readonly", "-o", program, "./go/cmd/vtcombo")
	t.Logf("vtcombo of %s was built in %v", vitessModule, time.Since(begun).Round(time.Second))
	return program
}

// directory returns a new directory in which vtcombo, which is another user, may read and
// write.
func directory(t *testing.T, prefix string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The keyspaces: one is a single database, the other has two shards.
const (
	flat    = "flat"
	sharded = "app"
)

// vtgate is a Vitess with both keyspaces.
type vtgate struct {
	addr string
	rows *dbtest.Server // the MariaDB below it
	log  string
}

// supervise runs a program until its standard input ends, which is when this process ends
// in any way.
const supervise = `
trap '' INT HUP
"$@" </dev/null >>"$LOG" 2>&1 &
p=$!
read -r end
kill -s KILL $p 2>/dev/null
wait $p
`

// start starts MariaDB and vtcombo over it. Both listen on the loopback interface alone.
func start(t *testing.T, program string) *vtgate {
	t.Helper()
	v := &vtgate{rows: dbtest.Start(t)}
	v.rows.Stop(t)
	// The connections of the tablets have the server's character set.
	v.rows.RestartWith(t, "--character-set-server=utf8mb4", "--log-bin="+filepath.Join(t.TempDir(), "bin"), "--binlog-format=ROW", "--server-id=1")
	host, port, err := net.SplitHostPort(v.rows.Addr())
	if err != nil {
		t.Fatal(err)
	}
	dir := directory(t, "sessionkit-vitess-")
	v.log = filepath.Join(dir, "log")
	schema := filepath.Join(dir, "schema", sharded)
	if err := os.MkdirAll(schema, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(schema, "vschema.json"), []byte(`{"sharded": true}`), 0o644); err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 3)
	v.addr = "127.0.0.1:" + ports[0]
	args := []string{program,
		"--proto-topo", fmt.Sprintf(`keyspaces:{name:"%s" shards:{name:"0"} replica_count:1 rdonly_count:-1} keyspaces:{name:"%s" shards:{name:"-80"} shards:{name:"80-"} replica_count:1 rdonly_count:-1} cells:"test"`, flat, sharded),
		"--schema-dir", filepath.Dir(schema), "--tablet-types-to-wait", "PRIMARY",
		"--bind-address", "127.0.0.1", "--port", ports[1],
		"--grpc-bind-address", "127.0.0.1", "--grpc-port", ports[2],
		"--mysql-server-bind-address", "127.0.0.1", "--mysql-server-port", ports[0], "--mysql-auth-server-impl", "none",
		"--vschema-ddl-authorized-users", "%", "--dbddl-plugin", "vttest",
		"--db-host", host, "--db-port", port,
	}
	for _, account := range []string{"app", "dba", "allprivs", "repl", "filtered", "appdebug"} {
		args = append(args, "--db-"+account+"-user", "root")
	}
	if os.Geteuid() == 0 { // vtcombo refuses to run as root
		args = append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"}, args...)
	}
	cmd := exec.Command("sh", append([]string{"-c", supervise, "sh"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "VTDATAROOT="+dir, "HOME="+dir, "LOG="+v.log)
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the last errors of vtcombo:\n%s", v.faults())
		}
	})
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := v.ready()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("vtcombo does not answer: %v", err)
		}
	}
	return v
}

// ready reports why the keyspaces do not serve yet.
func (v *vtgate) ready() error {
	for _, keyspace := range []string{flat, sharded} {
		db, err := sql.Open("mysql", v.dsn(keyspace, "timeout=2s", "readTimeout=2s"))
		if err != nil {
			return err
		}
		defer db.Close()
		if _, err := db.Exec("SELECT COUNT(*) FROM information_schema.tables"); err != nil {
			return err
		}
	}
	return nil
}

// dsn returns the DSN of a keyspace, with the parameters.
func (v *vtgate) dsn(keyspace string, params ...string) string {
	dsn := "root@tcp(" + v.addr + ")/" + keyspace
	for i, param := range params {
		dsn += string("?&"[min(i, 1)]) + param
	}
	return dsn
}

// open opens a keyspace.
func (v *vtgate) open(t *testing.T, keyspace string, params ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", v.dsn(keyspace, params...))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(64) // a shard that does not answer must not use them all up
	db.SetMaxIdleConns(64)
	t.Cleanup(func() { db.Close() })
	return db
}

// faults returns the end of what vtcombo has logged as errors.
func (v *vtgate) faults() string {
	text, err := os.ReadFile(v.log)
	if err != nil {
		return err.Error()
	}
	var faults []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"level":"ERROR"`) || !strings.HasPrefix(line, "{") {
			faults = append(faults, line)
		}
	}
	return strings.Join(faults[max(0, len(faults)-20):], "")
}

// freePorts returns different ports of the loopback interface that nothing uses. They are
// below those that the system gives to outgoing connections.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for len(ports) < n {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(20000+rand.IntN(12000))))
		if err != nil {
			continue
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports
}

func TestMain(m *testing.M) {
	_ = mysql.SetLogger(log.New(io.Discard, "", 0)) // connections break when vtcombo ends
	os.Exit(m.Run())
}
