package nodes

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// node is one process of the example.
type node struct {
	args, env []string
	log       string // the file that its standard error goes to, over all restarts
	url       atomic.Pointer[string]

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
exec >&-
while read -r order; do kill -s "$order" $p 2>/dev/null; done
kill -s KILL $p 2>/dev/null
wait $p
`

// startNode starts the example with flags of its own and waits until it serves.
func startNode(t *testing.T, key, dsn string, flags ...string) *node {
	t.Helper()
	dir := t.TempDir()
	n := &node{
		args: append([]string{program, "-addr", "localhost:0", "-mysql", dsn, "-db", filepath.Join(dir, "unused.db")}, flags...),
		env:  append(os.Environ(), "SESSION_KEYS="+key),
		log:  filepath.Join(dir, "log"),
	}
	t.Cleanup(n.stop)
	n.start(t)
	return n
}

// start starts the process, also again after kill. It gets another port then.
func (n *node) start(t *testing.T) {
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
		}
	}()
	select {
	case url := <-ready:
		n.url.Store(&url)
	case <-n.gone:
		t.Fatalf("the example has ended at once:\n%s", n.logText())
	case <-time.After(30 * time.Second):
		t.Fatalf("the example does not serve after 30 s:\n%s", n.logText())
	}
}

// kill ends the process on the spot and waits for it.
func (n *node) kill(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(n.orders, "KILL\n"); err != nil {
		t.Fatal(err)
	}
	<-n.gone
}

func (n *node) stop() {
	if n.guardian == nil {
		return
	}
	_ = n.orders.Close()
	_ = n.guardian.Wait()
	n.guardian = nil
}

// base is where the node is reached without the balancer.
func (n *node) base() string { return *n.url.Load() }

func (n *node) logText() string {
	text, err := os.ReadFile(n.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

var eventLine = regexp.MustCompile(` session kind=(\S+)(?: session=([0-9a-f]{32}))?`)

// events counts what the node has logged of a kind, by session.
func (n *node) events(kind string) map[string]int {
	found := map[string]int{}
	for _, match := range eventLine.FindAllStringSubmatch(n.logText(), -1) {
		if match[1] == kind {
			found[match[2]]++
		}
	}
	return found
}
