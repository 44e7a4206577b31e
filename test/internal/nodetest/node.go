package nodetest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Node is one process of the example.
type Node struct {
	args, env []string
	keys, log string // files: the keys, and the standard error of all its processes
	url       atomic.Pointer[string]

	out atomic.Bool // the balancer does not use this node
	pid atomic.Int64

	supervisor *exec.Cmd
	signals    io.WriteCloser // the input of the supervisor: names of signals
	gone       chan struct{}  // closed when the process has ended
}

// supervise is a shell script that runs the process and sends it the signals whose names
// it reads. Its input ends when this process ends in any way; it then kills the process.
// It closes its standard output, so that the output ends with the process.
const supervise = `
trap '' INT HUP
"$@" </dev/null &
p=$!
echo "pid $p"
exec >&-
while read -r signal; do kill -s "$signal" $p 2>/dev/null; done
kill -s KILL $p 2>/dev/null
wait $p
`

// startNode starts the example with the given key and flags, and waits until it serves.
func startNode(t *testing.T, program, key, dsn string, flags ...string) *Node {
	t.Helper()
	dir := t.TempDir()
	n := &Node{
		args: append([]string{program, "-addr", "localhost:0", nodeFlag(), dsn, "-db", filepath.Join(dir, "beside.db")}, flags...),
		env:  append(os.Environ(), "SESSION_KEYS="),
		keys: filepath.Join(dir, "beside.keys"),
		log:  filepath.Join(dir, "log"),
	}
	n.writeKeys(t, key)
	t.Cleanup(n.stop)
	n.Start(t)
	return n
}

// Start starts the process, or starts it again on another port.
func (n *Node) Start(t *testing.T) {
	t.Helper()
	n.stop()
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n.supervisor = exec.Command("sh", append([]string{"-c", supervise, "sh"}, n.args...)...)
	n.supervisor.Env, n.supervisor.Stderr = n.env, log
	if n.signals, err = n.supervisor.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := n.supervisor.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.supervisor.Start(); err != nil {
		n.supervisor = nil
		t.Fatal(err)
	}

	n.gone = make(chan struct{})
	ready := make(chan string, 1)
	go func() {
		defer close(n.gone)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if url, ok := strings.CutPrefix(lines.Text(), "sessionkit example: "); ok {
				ready <- url
			}
			if pid, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
				number, _ := strconv.ParseInt(pid, 10, 64)
				n.pid.Store(number)
			}
		}
	}()
	select {
	case url := <-ready:
		n.url.Store(&url)
		n.out.Store(false)
	case <-n.gone:
		t.Fatalf("the example ended before it served:\n%s", n.LogText())
	case <-time.After(30 * time.Second):
		t.Fatalf("the example did not serve within 30 s:\n%s", n.LogText())
	}
}

// StartProgram is Start with another program, such as that of a later release.
func (n *Node) StartProgram(t *testing.T, program string) {
	t.Helper()
	n.args[0] = program
	n.Start(t)
}

// writeKeys moves a new key file into place.
func (n *Node) writeKeys(t *testing.T, keys ...string) {
	t.Helper()
	if err := os.WriteFile(n.keys+".new", []byte(strings.Join(keys, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(n.keys+".new", n.keys); err != nil {
		t.Fatal(err)
	}
}

// What a node logs after a SIGHUP, when it reads its key file again.
const (
	Reloaded    = "INFO keys reloaded"
	NotReloaded = "ERROR keys not reloaded"
)

// Reload gives the node new keys and waits until it has logged want, Reloaded or NotReloaded.
func (n *Node) Reload(t *testing.T, want string, keys ...string) {
	t.Helper()
	n.writeKeys(t, keys...)
	logged := func() int { return strings.Count(n.LogText(), want) }
	before := logged()
	n.Signal(t, "HUP")
	if took, ok := Eventually(20*time.Second, 5*time.Millisecond, func() bool { return logged() > before }); !ok {
		t.Fatalf("%v after SIGHUP, with %d keys in its file, the node has not logged %q", took, len(keys), want)
	}
}

// Signal sends a signal to the process, such as HUP or USR1.
func (n *Node) Signal(t *testing.T, name string) {
	t.Helper()
	if _, err := io.WriteString(n.signals, name+"\n"); err != nil {
		t.Fatal(err)
	}
}

// Kill sends SIGKILL and waits for the end of the process.
func (n *Node) Kill(t *testing.T) {
	t.Helper()
	n.Signal(t, "KILL")
	<-n.gone
}

// Goroutines ends the process and returns the number of its goroutines. On SIGQUIT Go
// writes the stack of each into the log.
func (n *Node) Goroutines(t *testing.T) int {
	t.Helper()
	before := len(n.LogText())
	n.Signal(t, "QUIT")
	<-n.gone
	return len(goroutineLine.FindAllString(n.LogText()[before:], -1))
}

var goroutineLine = regexp.MustCompile(`(?m)^goroutine \d+ `)

// TakeOut removes the node from the balancer until its next Start.
func (n *Node) TakeOut() { n.out.Store(true) }

// Terminate sends SIGTERM, as an operator does, and waits for the end of the process.
func (n *Node) Terminate(t *testing.T) {
	t.Helper()
	n.Signal(t, "TERM")
	<-n.gone
}

// PID returns the process id.
func (n *Node) PID() int { return int(n.pid.Load()) }

func (n *Node) stop() {
	if n.supervisor == nil {
		return
	}
	_ = n.signals.Close()
	_ = n.supervisor.Wait()
	n.supervisor = nil
}

// Base returns the URL of the node itself, without the balancer.
func (n *Node) Base() string { return *n.url.Load() }

// LogText returns the log of all processes of the node.
func (n *Node) LogText() string {
	text, err := os.ReadFile(n.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

var eventLine = regexp.MustCompile(` session kind=(\S+)(?: session=([0-9a-f]{32}))?`)

// Events counts the events of a kind that the node has logged, by session id.
func (n *Node) Events(kind string) map[string]int {
	found := map[string]int{}
	for _, match := range eventLine.FindAllStringSubmatch(n.LogText(), -1) {
		if match[1] == kind {
			found[match[2]]++
		}
	}
	return found
}
