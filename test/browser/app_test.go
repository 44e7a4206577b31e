package browser

import (
	"bufio"
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// app is a process of the example with its own database.
type app struct {
	*testing.T
	url   string // without a slash at the end
	flags []string
	log   lockedBuffer

	process *exec.Cmd
	exited  chan struct{}
}

// startApp starts the example on a free port. It ends with the test.
func startApp(t *testing.T, flags ...string) *app {
	t.Helper()
	return runApp(t, append(slices.Clone(flags), "-db", filepath.Join(t.TempDir(), "example.db")))
}

// anotherNode starts a second process on the same database, with the same key.
func (a *app) anotherNode() *app {
	a.Helper()
	return runApp(a.T, a.flags)
}

func runApp(t *testing.T, flags []string) *app {
	t.Helper()
	a := &app{T: t, flags: flags}
	a.start("localhost:0")
	t.Cleanup(func() {
		a.kill()
		if t.Failed() {
			t.Logf("the log of the example at %s:\n%s", a.url, a.log.tail(40))
		}
	})
	return a
}

func (a *app) start(addr string) {
	a.Helper()
	cmd := exec.Command(example, append(slices.Clone(a.flags), "-addr", addr)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SESSION_KEYS=") })
	cmd.Stderr = &a.log
	cmd.SysProcAttr = diesWithTests()
	out, err := cmd.StdoutPipe()
	if err != nil {
		a.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		a.Fatal(err)
	}
	a.process, a.exited = cmd, make(chan struct{})

	ready := make(chan string, 1)
	go func() {
		defer close(a.exited)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if url, ok := strings.CutPrefix(lines.Text(), "sessionkit example: "); ok {
				ready <- url
			}
		}
		_ = cmd.Wait() // its error is in the log
	}()
	select {
	case a.url = <-ready:
	case <-a.exited:
		a.Fatalf("the example did not start:\n%s", a.log.tail(40))
	case <-time.After(patience):
		a.kill()
		a.Fatalf("the example printed no URL in %v:\n%s", patience, a.log.tail(40))
	}
}

// stop stops the example as an operator does, and waits for its end.
func (a *app) stop() {
	a.Helper()
	if err := a.process.Process.Signal(syscall.SIGTERM); err != nil {
		a.Fatalf("stopping the example: %v", err)
	}
	select {
	case <-a.exited:
	case <-time.After(patience):
		a.kill()
		a.Fatalf("the example did not stop in %v:\n%s", patience, a.log.tail(40))
	}
}

// restart starts it again on the same port.
func (a *app) restart() {
	a.Helper()
	a.start(a.host())
}

func (a *app) kill() {
	_ = a.process.Process.Kill() // it may have ended
	<-a.exited
}

// sawNoReuse fails if the example has reported reuse of a refresh cookie.
func (a *app) sawNoReuse() {
	a.Helper()
	if n := a.log.count("kind=reuse"); n != 0 {
		a.Errorf("%s reports %d reuses of a refresh cookie", a.url, n)
	}
}

func (a *app) host() string {
	u, err := url.Parse(a.url)
	if err != nil {
		a.Fatal(err)
	}
	return u.Host
}

func (a *app) tls() bool { return strings.HasPrefix(a.url, "https:") }

// The names of the cookies, with TLS and without. The refresh cookie has the first of its
// names after a login, and the names alternate from then on.
func (a *app) access() string { return a.prefix() + "session" }
func (a *app) refreshes() [2]string {
	return [2]string{a.prefix() + "refresh-0", a.prefix() + "refresh-1"}
}
func (a *app) cookies() []string { names := a.refreshes(); return append(names[:], a.access()) }

func (a *app) prefix() string {
	if a.tls() {
		return "__Host-Http-"
	}
	return "sessionkit-"
}

// lockedBuffer holds the output of the process. It is safe for concurrent use.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Count(b.buf.Bytes(), []byte(text))
}

func (b *lockedBuffer) tail(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(b.buf.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
