// Package kubernetes runs example/kubernetes as a pod does: as a process with the arguments of the
// manifest, on a volume whose files change as the kubelet changes them.
package kubernetes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// binary is the program, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "sessionkit-kubernetes-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	example, err := nodetest.Dir()
	if err != nil {
		return 0, err
	}
	binary = filepath.Join(dir, "app")
	if output, err := exec.Command("go", "build", "-C", example, "-o", binary, "./kubernetes").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building the example: %w\n%s", err, output)
	}
	// The connections of the tests break with the database. The driver must not log it.
	if err := mysql.SetLogger(log.New(io.Discard, "", 0)); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// volume is a mounted secret.
type volume struct {
	t   *testing.T
	dir string
	n   int
}

// newVolume mounts a secret: each file is a symlink to one in ..data, which is a symlink itself.
func newVolume(t *testing.T, files map[string]string) *volume {
	t.Helper()
	v := &volume{t: t, dir: t.TempDir()}
	v.swap(files)
	for name := range files {
		if err := os.Symlink("..data/"+name, filepath.Join(v.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// swap changes the content of the volume as the kubelet does: a new folder, one rename of a symlink,
// and the old folder goes.
func (v *volume) swap(files map[string]string) {
	v.t.Helper()
	v.n++
	folder := fmt.Sprintf("..2026_11_27_%d", v.n)
	link := filepath.Join(v.dir, "..data")
	old, _ := os.Readlink(link)
	err := os.Mkdir(filepath.Join(v.dir, folder), 0o700)
	for name, text := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(v.dir, folder, name), []byte(text), 0o400))
	}
	err = errors.Join(err, os.Symlink(folder, link+"_tmp"), os.Rename(link+"_tmp", link))
	if old != "" {
		err = errors.Join(err, os.RemoveAll(filepath.Join(v.dir, old)))
	}
	if err != nil {
		v.t.Fatal(err)
	}
}

// pod is a running process of the program.
type pod struct {
	t      *testing.T
	cmd    *exec.Cmd
	ended  chan struct{}
	probes string // the URL of the probes

	mu  sync.Mutex
	log bytes.Buffer
}

const (
	user     = "demo@example.com"
	password = "a password of the test"
)

// start runs the program with the arguments of the manifest and more, which win. It returns once the
// probes get answers. The environment has neither a home nor a folder for temporary files.
func start(t *testing.T, v *volume, args ...string) *pod {
	t.Helper()
	p := launch(t, v, args...)
	p.probes = "http://" + p.logged("answering probes")["address"].(string)
	return p
}

func launch(t *testing.T, v *volume, args ...string) *pod {
	t.Helper()
	var all []string
	for _, arg := range readManifests(t).container().Args {
		all = append(all, strings.ReplaceAll(arg, mountPath, v.dir))
	}
	all = append(all, "-addr=127.0.0.1:0", "-probes=127.0.0.1:0", "-every=50ms")
	p := &pod{t: t, cmd: exec.Command(binary, append(all, args...)...), ended: make(chan struct{})}
	p.cmd.Env = []string{"DEMO_PASSWORD=" + password, "TMPDIR=/nonexistent", "GODEBUG=" + os.Getenv("GODEBUG")} // make test-fips sets that
	p.cmd.Dir = "/"
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // its state says how it ended
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Log(p.text())
		}
	})
	return p
}

// Write takes what the program logs.
func (p *pod) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *pod) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// lines returns the lines of the log with this message.
func (p *pod) lines(message string) (found []map[string]any) {
	for line := range strings.Lines(p.text()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == message {
			found = append(found, fields)
		}
	}
	return found
}

// events counts the lines of the log about a kind of event.
func (p *pod) events(kind session.EventKind) (n int) {
	for _, line := range p.lines("session") {
		if line["kind"] == kind.String() {
			n++
		}
	}
	return n
}

// logged waits for a line of the log.
func (p *pod) logged(message string) (line map[string]any) {
	p.t.Helper()
	p.until("the log has "+message, func() bool {
		if found := p.lines(message); len(found) > 0 {
			line = found[0]
			return true
		}
		return false
	})
	return line
}

const patience = 30 * time.Second

func (p *pod) until(what string, holds func() bool) {
	p.t.Helper()
	for begin := time.Now(); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > patience {
			p.t.Fatalf("after %v it is not so that %s", patience, what)
		}
	}
}

// report is the answer of /readyz.
type report struct {
	Code      int    `json:"-"`
	Status    string `json:"status"`
	Reason    string `json:"reason"`
	Keys      []string
	KeysError string `json:"keys_error"`
}

func (p *pod) ready() (r report, err error) {
	answer, err := http.Get(p.probes + "/readyz")
	if err != nil {
		return r, err
	}
	defer answer.Body.Close()
	r.Code = answer.StatusCode
	return r, json.NewDecoder(answer.Body).Decode(&r)
}

// becomes waits until /readyz has a status, and returns its report.
func (p *pod) becomes(status string) (r report) {
	p.t.Helper()
	p.until("/readyz says "+status, func() bool {
		var err error
		r, err = p.ready()
		return err == nil && r.Status == status
	})
	return r
}

// uses waits until these keys are in use, and returns the report.
func (p *pod) uses(keys ...string) (r report) {
	p.t.Helper()
	p.until("the keys are in use", func() bool {
		var err error
		r, err = p.ready()
		return err == nil && r.KeysError == "" && slices.Equal(r.Keys, namesOf(keys))
	})
	return r
}

func (p *pod) alive() {
	p.t.Helper()
	answer, err := http.Get(p.probes + "/livez")
	if err != nil {
		p.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		p.t.Errorf("/livez: %d; want 200 in each state", answer.StatusCode)
	}
}

// url returns the address for users, once it is open.
func (p *pod) url() string { return "http://" + p.logged("serving")["address"].(string) }

func (p *pod) browser() *sessiontest.Browser {
	return &sessiontest.Browser{Jar: &sessiontest.Jar{}, Origin: p.url(), Transport: &http.Transport{}}
}

// login returns a browser whose user is logged in.
func (p *pod) login() *sessiontest.Browser {
	p.t.Helper()
	b := p.browser()
	if answer := b.PostForm("/login", map[string][]string{"email": {user}, "password": {password}}); answer.StatusCode != http.StatusSeeOther {
		p.t.Fatalf("login: %d; want 303", answer.StatusCode)
	}
	return b
}

// terminate sends SIGTERM, as the kubelet does.
func (p *pod) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end of the process, and returns its exit code.
func (p *pod) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatal("the process does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}
