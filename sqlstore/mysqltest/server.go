package mysqltest

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

// Server is a server of a test's own, for tests that stop, kill or freeze it.
// Its data outlive a Stop or a Kill; its directory goes with the test. Its
// methods must not be called at the same time.
type Server struct {
	dir string
	tcp string // host:port; empty: the socket only

	given string // DSN of a server that was not started here; all else is empty

	options []string // of the program, besides those that every server has

	guardian *exec.Cmd
	orders   io.WriteCloser
	answers  *bufio.Reader
}

// Start starts a server for this test alone. It listens on a Unix socket and,
// at Addr, on the loopback interface, so that a test can put a proxy in between.
// It ignores Env.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s, err := newServer(true)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.close)
	logVersion(tb, s)
	return s
}

// Addr is the host and port at which the server listens too, also after a
// Restart. The account is root, without a password.
func (s *Server) Addr() string { return s.tcp }

// Stop shuts the server down in good order and waits for it.
func (s *Server) Stop(tb testing.TB) { tb.Helper(); must(tb, s.order("CONT", "TERM", "wait")) }

// Kill ends the server on the spot, as a power cut would, and waits for it.
func (s *Server) Kill(tb testing.TB) { tb.Helper(); must(tb, s.order("KILL", "wait")) }

// Freeze makes the server stop answering while its connections stay open, and
// returns when it does.
func (s *Server) Freeze(tb testing.TB) {
	tb.Helper()
	must(tb, s.order("STOP", "ask"))
	for s.answersWithin(100 * time.Millisecond) { // its threads stop one after the other
	}
}

// answersWithin reports whether the server answers in time.
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

// Thaw lets a frozen server go on.
func (s *Server) Thaw(tb testing.TB) { tb.Helper(); must(tb, s.order("CONT", "ask")) }

// Restart starts a server that was stopped or killed, with the data, the socket
// and the address it had, and waits until it answers.
func (s *Server) Restart(tb testing.TB) { tb.Helper(); must(tb, s.run()) }

// RestartWith does so with more options, this time.
func (s *Server) RestartWith(tb testing.TB, options ...string) {
	tb.Helper()
	must(tb, s.run(options...))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("mysqltest: %v", err)
	}
}

func (s *Server) socket() string { return filepath.Join(s.dir, "s.sock") }

// dsn is the server's, without a database.
func (s *Server) dsn() string {
	if s.given != "" {
		return s.given
	}
	return "root@unix(" + s.socket() + ")/"
}

// guard looks after the server on behalf of this process. It takes orders on its
// standard input: signals, and three that are answered by a line, after all that
// came before them. When the input ends, because this process has, in whatever
// way, it kills the server and removes its directory.
const guard = `
trap '' INT HUP
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
[ -n "$p" ] && kill -s KILL $p && wait $p
rm -rf "$dir"
`

// newServer starts a server. Ports are taken below 32768, where no outgoing
// connection gets one by chance; if another server was faster, the next is tried.
func newServer(tcp bool) (s *Server, err error) {
	p, err := findProgram()
	if err != nil {
		return nil, err
	}
	for range 3 {
		s = new(Server)
		if tcp {
			s.tcp = net.JoinHostPort("127.0.0.1", strconv.Itoa(20000+rand.IntN(12000)))
		}
		if err = s.begin(p); err == nil {
			return s, nil
		}
		s.close()
	}
	return nil, fmt.Errorf("mysqltest: starting %s: %w", p.path, err)
}

func (s *Server) begin(p program) error {
	if err := s.startGuardian(p); err != nil {
		return err
	}
	if err := p.createData(s.dir); err != nil {
		return err
	}
	if err := s.run(); err != nil || s.tcp == "" {
		return err
	}
	return s.admitTCP()
}

// admitTCP makes the account that Addr has.
func (s *Server) admitTCP() error {
	return s.exec(
		"CREATE USER IF NOT EXISTS root@'127.0.0.1'",
		"GRANT ALL PRIVILEGES ON *.* TO root@'127.0.0.1' WITH GRANT OPTION",
	)
}

// startGuardian comes first: whatever happens from then on, it clears up.
func (s *Server) startGuardian(p program) error {
	var err error
	if s.dir, err = temporary(); err != nil {
		return err
	}
	s.guardian = exec.Command("sh", append([]string{"-c", guard, "sh", s.dir}, p.command(s)...)...)
	// Where a server finds programs of its own, see Cluster.
	s.guardian.Env = append(os.Environ(), "PATH="+s.dir+":"+os.Getenv("PATH"))
	if s.orders, err = s.guardian.StdinPipe(); err != nil {
		return err
	}
	answers, err := s.guardian.StdoutPipe()
	if err != nil {
		return err
	}
	s.answers = bufio.NewReader(answers)
	if err := s.guardian.Start(); err != nil {
		s.guardian = nil
		return err
	}
	return nil
}

// order gives orders to the guardian and waits for the answer to the last one.
func (s *Server) order(orders ...string) error {
	for _, order := range orders {
		if _, err := io.WriteString(s.orders, order+"\n"); err != nil {
			return err
		}
	}
	_, err := s.answers.ReadString('\n')
	return err
}

// run has the guardian start the server and waits until it answers.
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
		time.Sleep(10 * time.Millisecond) // there is nothing to wait for but the socket
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
func (s *Server) close() {
	if s.guardian == nil {
		_ = os.RemoveAll(s.dir)
		return
	}
	_ = s.orders.Close()
	_ = s.guardian.Wait()
}

// temporary makes a directory, in memory where that can be had. Not below
// TMPDIR first: the path of a Unix socket must be short.
func temporary() (string, error) {
	if dir, err := os.MkdirTemp("/dev/shm", "sessionkit-mysql-"); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "sessionkit-mysql-")
}
