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
	keys, log string // files: its keys, and its standard error over all restarts
	url       atomic.Pointer[string]

	out atomic.Bool // of the balancer
	pid atomic.Int64

	guardian *exec.Cmd
	orders   io.WriteCloser
	gone     chan struct{} // closed when the process has ended
}

// guard runs a process on behalf of this one, and passes on the signals that it
// reads. When its input ends, because this process has, in whatever way, it kills
// the other. It lets go of the standard output, whose end is the process's.
const guard = `
trap '' INT HUP
"$@" </dev/null &
p=$!
echo "pid $p"
exec >&-
while read -r order; do kill -s "$order" $p 2>/dev/null; done
kill -s KILL $p 2>/dev/null
wait $p
`

// startNode starts the example with a key file and flags of its own, and waits
// until it serves.
func startNode(t *testing.T, program, key, dsn string, flags ...string) *Node {
	t.Helper()
	dir := t.TempDir()
	n := &Node{
		args: append([]string{program, "-addr", "localhost:0", "-mysql", dsn, "-db", filepath.Join(dir, "beside.db")}, flags...),
		env:  append(os.Environ(), "SESSION_KEYS="),
		keys: filepath.Join(dir, "beside.keys"),
		log:  filepath.Join(dir, "log"),
	}
	n.writeKeys(t, key)
	t.Cleanup(n.stop)
	n.Start(t)
	return n
}

// Start starts the process, also again after kill. It gets another port then.
func (n *Node) Start(t *testing.T) {
	t.Helper()
	n.stop()
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n.guardian = exec.Command("sh", append([]string{"-c", guard, "sh"}, n.args...)...)
	n.guardian.Env, n.guardian.Stderr = n.env, log
	if n.orders, err = n.guardian.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := n.guardian.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.guardian.Start(); err != nil {
		n.guardian = nil
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
		t.Fatalf("the example has ended at once:\n%s", n.LogText())
	case <-time.After(30 * time.Second):
		t.Fatalf("the example does not serve after 30 s:\n%s", n.LogText())
	}
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

// What a node logs when it was told to read its key file once more.
const (
	Reloaded    = "INFO keys reloaded"
	NotReloaded = "ERROR keys not reloaded"
)

// Reload has the node take new keys, and waits until it has said what came of it.
func (n *Node) Reload(t *testing.T, want string, keys ...string) {
	t.Helper()
	n.writeKeys(t, keys...)
	said := func() int { return strings.Count(n.LogText(), want) }
	before := said()
	n.Signal(t, "HUP")
	if took, ok := Eventually(20*time.Second, 5*time.Millisecond, func() bool { return said() > before }); !ok {
		t.Fatalf("%v after SIGHUP, with %d keys in its file, the node has not logged %q", took, len(keys), want)
	}
}

// Signal sends the process a signal: HUP, USR1.
func (n *Node) Signal(t *testing.T, name string) {
	t.Helper()
	if _, err := io.WriteString(n.orders, name+"\n"); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the process on the spot and waits for it.
func (n *Node) Kill(t *testing.T) {
	t.Helper()
	n.Signal(t, "KILL")
	<-n.gone
}

// Goroutines ends the process, and returns how many goroutines it had: on SIGQUIT
// Go writes the stack of each into the log.
func (n *Node) Goroutines(t *testing.T) int {
	t.Helper()
	before := len(n.LogText())
	n.Signal(t, "QUIT")
	<-n.gone
	return len(goroutineLine.FindAllString(n.LogText()[before:], -1))
}

var goroutineLine = regexp.MustCompile(`(?m)^goroutine \d+ `)

// TakeOut takes the node out of the balancer, until its next Start.
func (n *Node) TakeOut() { n.out.Store(true) }

// Terminate asks the process to end as an operator does, with SIGTERM, and waits
// for it.
func (n *Node) Terminate(t *testing.T) {
	t.Helper()
	n.Signal(t, "TERM")
	<-n.gone
}

// PID is the process's number, for /proc.
func (n *Node) PID() int { return int(n.pid.Load()) }

func (n *Node) stop() {
	if n.guardian == nil {
		return
	}
	_ = n.orders.Close()
	_ = n.guardian.Wait()
	n.guardian = nil
}

// Base is where the node is reached without the balancer.
func (n *Node) Base() string { return *n.url.Load() }

// LogText is what the node has logged, over all restarts.
func (n *Node) LogText() string {
	text, err := os.ReadFile(n.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

var eventLine = regexp.MustCompile(` session kind=(\S+)(?: session=([0-9a-f]{32}))?`)

// Events counts what the node has logged of a kind, by session.
func (n *Node) Events(kind string) map[string]int {
	found := map[string]int{}
	for _, match := range eventLine.FindAllStringSubmatch(n.LogText(), -1) {
		if match[1] == kind {
			found[match[2]]++
		}
	}
	return found
}
