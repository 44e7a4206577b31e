package dbtest

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Server is a database server for one test that stops, kills or freezes it. Its data
// remain after Stop and Kill. Its directory is removed at the end of the test. Make
// one with Start. A Server is not safe for concurrent use. If a method fails, the
// test fails.
type Server struct {
	guarded
	tcp string // host:port; empty if the server listens on the socket only

	given string // DSN of a server from Env; the other fields are then empty

	options []string // additional options of the program
}

// guarded is a server process of any kind, with the guardian that ends it.
type guarded struct {
	dir      string
	guardian *exec.Cmd
	orders   io.WriteCloser
	answers  *bufio.Reader
}

// Start starts a server for this test alone. The server listens on a Unix socket and
// on the loopback interface (see Addr), so that a test can insert a proxy. The test
// fails if the server cannot start, or if Env names a server of another version.
func Start(tb testing.TB) *Server {
	tb.Helper()
	return StartWith(tb)
}

// StartWith is Start with additional options of the server program. They also apply when
// the server creates its data, and after each Restart.
func StartWith(tb testing.TB, options ...string) *Server {
	tb.Helper()
	s, err := newServer(true, options...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.close)
	logVersion(tb, s)
	return s
}

// Addr returns the host and port of the server on the loopback interface. They stay
// the same after Restart. The account is root, without a password.
func (s *Server) Addr() string { return s.tcp }

// Stop shuts the server down cleanly and waits until it has ended.
func (s *Server) Stop(tb testing.TB) { tb.Helper(); must(tb, s.order("CONT", "TERM", "wait")) }

// Kill ends the server immediately with SIGKILL, and waits until it has ended.
func (s *Server) Kill(tb testing.TB) { tb.Helper(); must(tb, s.order("KILL", "wait")) }

// Freeze suspends the server: it no longer answers, but its connections stay open.
// Freeze returns when the server has stopped answering.
func (s *Server) Freeze(tb testing.TB) {
	tb.Helper()
	must(tb, s.order("STOP", "ask"))
	for s.answersWithin(100 * time.Millisecond) { // the threads do not stop at the same time
	}
}

// answersWithin reports whether the server answers within d.
func (s *Server) answersWithin(d time.Duration) bool {
	db, err := sql.Open("mysql", s.dsn())
	if err != nil {
		return false
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return db.PingContext(ctx) == nil
}

// Thaw resumes a server after Freeze.
func (s *Server) Thaw(tb testing.TB) { tb.Helper(); must(tb, s.order("CONT", "ask")) }

// Restart starts the server after Stop or Kill, with the same data, socket and
// address, and waits until it answers.
func (s *Server) Restart(tb testing.TB) { tb.Helper(); must(tb, s.run()) }

// RestartWith is Restart with additional options of the server program. The options
// apply until the next Restart.
func (s *Server) RestartWith(tb testing.TB, options ...string) {
	tb.Helper()
	must(tb, s.run(options...))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
}

func (s *Server) socket() string { return filepath.Join(s.dir, "s.sock") }

// dsn returns the DSN of the server, without a database.
func (s *Server) dsn() string {
	if s.given != "" {
		return s.given
	}
	return "root@unix(" + s.socket() + ")/"
}

// guard is a shell script, the guardian, that controls the server for this process.
// It reads orders from its standard input, one a line, and executes them in sequence.
// The orders start, wait and ask are answered with a line; any other order is the
// name of a signal. The input ends when this process ends, for whatever reason. The
// guardian then ends the server with the signal $END, also a frozen one, and removes its
// directory. It does the same on SIGTERM, which timeout(1) sends to the whole process group.
const guard = `
trap '' INT HUP
trap : TERM
dir=$1; shift
p=
while read -r order; do
	case $order in
	start*) "$@" ${order#start} >>"$dir/log" 2>&1 & p=$!; echo started ;;
	wait) wait $p; p=; echo ended ;;
	ask) echo here ;;
	*) kill -s $order $p ;;
	esac
done
[ -n "$p" ] && kill -s "$END" $p && kill -s CONT $p && wait $p
rm -rf "$dir"
`

// newServer starts a server. Its port is below 32768, because the system assigns
// higher ports to outgoing connections. If the port is in use, newServer tries
// another.
func newServer(tcp bool, options ...string) (s *Server, err error) {
	p, err := findProgram()
	if err != nil {
		return nil, err
	}
	for range 3 {
		s = &Server{options: options}
		if tcp {
			s.tcp = net.JoinHostPort("127.0.0.1", strconv.Itoa(20000+rand.IntN(12000)))
		}
		if err = s.begin(p); err == nil {
			return s, nil
		}
		s.close()
	}
	return nil, fmt.Errorf("dbtest: starting %s: %w", p.path, err)
}

func (s *Server) begin(p program) error {
	if err := s.startGuardian(p); err != nil {
		return err
	}
	if err := p.createData(s.dir, s.options...); err != nil {
		return err
	}
	if err := s.run(); err != nil || s.tcp == "" {
		return err
	}
	return s.admitTCP()
}

// admitTCP creates the account for connections to Addr.
func (s *Server) admitTCP() error {
	return s.exec(
		"CREATE USER IF NOT EXISTS root@'127.0.0.1'",
		"GRANT ALL PRIVILEGES ON *.* TO root@'127.0.0.1' WITH GRANT OPTION",
	)
}

// startGuardian creates the directory and starts the guardian. It must run before
// every other step, so that the guardian cleans up if a later step fails.
func (s *Server) startGuardian(p program) error {
	var err error
	if s.dir, err = temporary("mysql"); err != nil {
		return err
	}
	return s.guard("KILL", p.command(s))
}

// guard starts the guardian of a server, which ends it with a signal.
func (g *guarded) guard(end string, command []string) error {
	g.guardian = exec.Command("sh", append([]string{"-c", guard, "sh", g.dir}, command...)...)
	// The server finds the program wsrep_sst_copy there, see Cluster.
	g.guardian.Env = append(os.Environ(), "PATH="+g.dir+":"+os.Getenv("PATH"), "END="+end)
	var err error
	if g.orders, err = g.guardian.StdinPipe(); err != nil {
		return err
	}
	answers, err := g.guardian.StdoutPipe()
	if err != nil {
		return err
	}
	g.answers = bufio.NewReader(answers)
	if err := g.guardian.Start(); err != nil {
		g.guardian = nil
		return err
	}
	return nil
}

// order sends orders to the guardian and waits for one answer, that of the last order.
func (g *guarded) order(orders ...string) error {
	for _, order := range orders {
		if _, err := io.WriteString(g.orders, order+"\n"); err != nil {
			return err
		}
	}
	_, err := g.answers.ReadString('\n')
	return err
}

// run starts the server through the guardian, and waits until the server answers.
func (s *Server) run(options ...string) error {
	logFile := filepath.Join(s.dir, "log")
	if err := os.Truncate(logFile, 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := s.order(strings.Join(append([]string{"start"}, options...), " ")); err != nil {
		return err
	}
	deadline := time.Now().Add(time.Minute)
	for {
		err := s.exec("DO 0")
		if err == nil {
			return nil
		}
		log, _ := os.ReadFile(logFile)
		if bytes.Contains(log, []byte("Aborting")) || time.Now().After(deadline) {
			_ = s.order("KILL", "wait")
			return fmt.Errorf("%w; its log ends with:\n%s", err, log[max(0, len(log)-2000):])
		}
		time.Sleep(10 * time.Millisecond) // there is no event to wait for
	}
}

func (s *Server) exec(statements ...string) error {
	db, err := sql.Open("mysql", s.dsn()+"?timeout=5s&readTimeout=5s")
	if err != nil {
		return err
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			return err
		}
	}
	return nil
}

// close ends the server and removes its directory.
func (g *guarded) close() {
	if g.guardian == nil {
		_ = os.RemoveAll(g.dir)
		return
	}
	_ = g.orders.Close()
	_ = g.guardian.Wait()
}

// temporary creates a directory, in memory if possible. /dev/shm also keeps the path
// of the Unix socket short, which has a maximum length; TMPDIR may be long.
func temporary(server string) (string, error) {
	if dir, err := os.MkdirTemp("/dev/shm", "sessionkit-"+server+"-"); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "sessionkit-"+server+"-")
}
