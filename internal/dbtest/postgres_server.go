package dbtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// StartPostgres starts a PostgreSQL server for this test alone. The server listens on a
// Unix socket and on the loopback interface (see Addr), so that a test can insert a proxy.
// StartPostgres ignores EnvPostgres. The test fails if the server cannot start.
func StartPostgres(tb testing.TB) *Postgres {
	tb.Helper()
	p, err := newPostgres(true)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.close)
	return p
}

// Standby starts a replica of the server that can be read, for this test alone.
func (p *Postgres) Standby(tb testing.TB) *Postgres {
	tb.Helper()
	s := &Postgres{bin: p.bin}
	tb.Cleanup(s.close)
	must(tb, s.begin("pg_basebackup", "-d", p.dsn(), "-c", "fast", "--write-recovery-conf", "--no-sync"))
	return s
}

// Same returns the DSN of the database on this server that dsn names on its primary.
func (p *Postgres) Same(dsn string) string {
	_, name, _ := strings.Cut(dsn, " dbname=sessionkit") // the name that Database has given
	return p.dsn() + " dbname=sessionkit" + name
}

// Addr returns the host and port of the server on the loopback interface. They stay the
// same after Restart. The account is postgres, without a password.
func (p *Postgres) Addr() string { return net.JoinHostPort("127.0.0.1", p.port) }

// Log returns what the server has logged since its start. Each entry begins with LogEntry.
func (p *Postgres) Log(tb testing.TB) string {
	tb.Helper()
	log, err := os.ReadFile(filepath.Join(p.dir, "log"))
	must(tb, err)
	return string(log)
}

// LogEntry is the beginning of each entry in the log of a PostgreSQL server.
const LogEntry = "@@ "

// Stop ends all connections, shuts the server down cleanly, and waits until it has ended.
func (p *Postgres) Stop(tb testing.TB) { tb.Helper(); must(tb, p.order("CONT", "INT", "wait")) }

// Kill ends the server immediately, and waits until it has ended. SIGKILL ends the
// processes of the connections: their clients get no last message. The main process then
// ends at once, and removes its shared memory, which would stay after SIGKILL.
func (p *Postgres) Kill(tb testing.TB) {
	tb.Helper()
	must(tb, p.order("STOP", "ask")) // so that it starts no more processes
	main, err := p.mainProcess()
	must(tb, err)
	must(tb, signal("KILL", children(main)...))
	must(tb, p.order("QUIT", "CONT", "wait"))
}

// Freeze suspends the server: it no longer answers, but its connections stay open.
// Freeze returns when the server has stopped answering.
func (p *Postgres) Freeze(tb testing.TB) {
	tb.Helper()
	must(tb, p.order("STOP", "ask"))
	main, err := p.mainProcess()
	must(tb, err)
	must(tb, signal("STOP", children(main)...))
	for _, process := range append(children(main), main) {
		for isRunning(process) {
			time.Sleep(time.Millisecond) // there is no event to wait for
		}
	}
}

// Thaw resumes a server after Freeze.
func (p *Postgres) Thaw(tb testing.TB) {
	tb.Helper()
	main, err := p.mainProcess()
	must(tb, err)
	must(tb, signal("CONT", append(children(main), main)...))
}

// Restart starts the server after Stop or Kill, with the same data, socket and address,
// and waits until it answers.
func (p *Postgres) Restart(tb testing.TB) { tb.Helper(); must(tb, p.run()) }

// mainProcess returns the process that all others of the server are children of.
func (p *Postgres) mainProcess() (pid string, err error) {
	text, err := os.ReadFile(filepath.Join(p.dir, "data", "postmaster.pid"))
	pid, _, _ = strings.Cut(string(text), "\n")
	return pid, err
}

// children returns the processes that a process has started.
func children(parent string) (pids []string) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		if fields := processStat(file); len(fields) > 1 && fields[1] == parent {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

// isRunning reports whether a process has neither stopped nor ended. A process that has
// ended is a zombie until its parent asks for it.
func isRunning(pid string) bool {
	fields := processStat(filepath.Join("/proc", pid, "stat"))
	return len(fields) > 0 && fields[0] != "T" && fields[0] != "Z"
}

// processStat returns the fields of a file /proc/PID/stat behind the program's name:
// the state, the parent, and others.
func processStat(file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// signal sends a signal to processes. Some of them may have ended.
func signal(name string, pids ...string) error {
	if len(pids) == 0 {
		return nil
	}
	output, err := exec.CommandContext(context.Background(), "kill", append([]string{"-s", name}, pids...)...).CombinedOutput()
	if err != nil && !strings.Contains(string(output), "No such process") {
		return fmt.Errorf("kill -s %s: %w: %s", name, err, output)
	}
	return nil
}

// newPostgres starts a server. Its port is below 32768, as that of newServer.
func newPostgres(tcp bool) (p *Postgres, err error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	for range 3 {
		p = &Postgres{bin: bin}
		if tcp {
			p.port = strconv.Itoa(20000 + rand.IntN(12000))
		}
		if err = p.begin("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"); err == nil {
			return p, nil
		}
		p.close()
	}
	return nil, fmt.Errorf("dbtest: starting PostgreSQL: %w", err)
}

// begin creates the data of a server by a program, and starts the server.
func (p *Postgres) begin(program string, args ...string) (err error) {
	if p.dir, err = temporary("postgres"); err != nil {
		return err
	}
	var as []string
	if os.Geteuid() == 0 { // the server refuses to run as root
		const nobody = 65534
		if err := os.Chown(p.dir, nobody, nobody); err != nil {
			return err
		}
		as = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"}
	}
	data := filepath.Join(p.dir, "data")
	// A commit must survive the end of the server process, but not of the machine.
	command := append(slices.Clone(as), filepath.Join(p.bin, "postgres"), "-D", data, "-k", p.dir,
		"-c", "log_line_prefix="+LogEntry, "-c", "fsync=off", "-c", "full_page_writes=off",
		"-c", "max_connections=300", "-c", "shared_buffers=32MB", "-c", "dynamic_shared_memory_type=mmap")
	if p.port == "" {
		command = append(command, "-c", "listen_addresses=")
	} else {
		command = append(command, "-c", "listen_addresses=127.0.0.1", "-p", p.port)
	}
	// After SIGKILL the processes of its connections would run on for a moment, and its
	// shared memory would stay. SIGQUIT ends all of them at once.
	if err := p.guard("QUIT", command); err != nil {
		return err
	}
	create := append(slices.Clone(as), append([]string{filepath.Join(p.bin, program), "-D", data}, args...)...)
	cmd := exec.CommandContext(context.Background(), create[0], create[1:]...)
	cmd.Dir = p.dir
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("creating its data: %w\n%s", err, output)
	}
	return p.run()
}

// run starts the server through the guardian, and waits until the server answers.
func (p *Postgres) run() error {
	if err := p.order("start"); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); ; {
		_, err := p.psql("SELECT 1")
		if err == nil {
			return nil
		}
		log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
		if strings.Contains(string(log), "FATAL:  could not") || time.Now().After(deadline) {
			return fmt.Errorf("%w; its log ends with:\n%s", err, log[max(0, len(log)-2000):])
		}
		time.Sleep(20 * time.Millisecond) // there is no event to wait for
	}
}
