package drill

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// The clock of a running process cannot be changed from outside: Go reads the clock of
// the kernel directly, without libc. So the example is built again with an overlay that
// changes time.Now of the standard library: SIGUSR1 sets the clock forward by an hour,
// SIGUSR2 sets it back by an hour. As with a real clock, timers are not affected.
const (
	setForward = "USR1"
	setBack    = "USR2"
)

const clockSetter = `package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

func init() {
	steps := make(chan os.Signal, 1)
	signal.Notify(steps, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for step := range steps {
			if step == syscall.SIGUSR1 {
				time.Set.Add(3600)
			} else {
				time.Set.Add(-3600)
			}
		}
	}()
}
`

var buildShiftable = sync.OnceValues(func() (program string, err error) {
	dir, err := os.MkdirTemp("", "sessionkit-clock-")
	if err != nil {
		return "", err
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	std := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	source, err := os.ReadFile(std)
	if err != nil {
		return "", err
	}
	const reads, imports = "\tsec, nsec, mono := runtimeNow()\n", "import (\n"
	changed := strings.Replace(string(source), reads, reads+"\tsec += Set.Load()\n", 1)
	changed = strings.Replace(changed, imports, imports+"\t\"sync/atomic\"\n", 1) + "\nvar Set atomic.Int64\n"
	example, err := nodetest.Dir()
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		std: filepath.Join(dir, "time.go"),
		filepath.Join(example, "clock_of_the_drill.go"): filepath.Join(dir, "clock.go"),
	}})
	if err != nil {
		return "", err
	}
	for name, text := range map[string]string{"time.go": changed, "clock.go": clockSetter, "overlay.json": string(overlay)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	program = filepath.Join(dir, "example")
	return program, nodetest.Build(program, "-overlay", filepath.Join(dir, "overlay.json"))
})

// shiftable returns the path of an example whose clock can be set. The first build
// compiles all packages; Go's cache keeps them.
func shiftable(t *testing.T) string {
	t.Helper()
	program, err := buildShiftable()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(filepath.Dir(program)) }) // only one scenario needs it
	return program
}
