package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// runner compiles and runs the tests of one directory after the other.
type runner struct {
	root  string
	dir   string           // for binaries and overlays
	usual map[string]usual // by test directory

	mu      sync.Mutex          // guards killers
	killers map[string][]string // by file and test directory: tests that have killed a mutant of the file
}

// usual is how the tests of a directory run without a mutant.
type usual struct {
	took time.Duration
	slow []string // tests that take long: they run after all others
}

// unmutated runs the tests of a directory without a mutant. They must pass.
func (r *runner) unmutated(ctx context.Context, dir string) (u usual, err error) {
	work, err := os.MkdirTemp(r.dir, "base-")
	if err != nil {
		return u, err
	}
	defer os.RemoveAll(work)
	binary, err := r.compile(ctx, dir, work, nil)
	if err != nil {
		return u, err
	}
	began := time.Now()
	o, err := r.run(ctx, dir, work, binary, 10*time.Minute)
	if err != nil {
		return u, err
	}
	if o.killed {
		return u, fmt.Errorf("the tests of %s fail without a mutant, by %s:\n%s", dir, o.by, o.output)
	}
	u.took = time.Since(began)
	u.slow = slowOf(o.took, u.took)
	return u, nil
}

// slowOf returns the tests that took more than a fiftieth of the time of all.
func slowOf(took map[string]time.Duration, all time.Duration) (slow []string) {
	for test, its := range took {
		if its > all/50 {
			slow = append(slow, test)
		}
	}
	slices.Sort(slow)
	return slow
}

// try runs the tests of the directories against a mutant until one fails. An error
// says that they could not be run: a mutant that does not compile proves nothing.
func (r *runner) try(ctx context.Context, m mutant, dirs []string) (o outcome, err error) {
	work, err := os.MkdirTemp(r.dir, "mutant-")
	if err != nil {
		return o, err
	}
	defer os.RemoveAll(work)
	for _, dir := range dirs {
		binary, err := r.compile(ctx, dir, work, &m)
		if err != nil {
			return o, err
		}
		u := r.usual[dir]
		// Four times what is usual: other programs may slow the machine down.
		limit := 30*time.Second + 4*u.took
		key := m.file + " " + dir
		for _, part := range u.parts(r.knownKillers(key)) {
			if o, err = r.run(ctx, dir, work, binary, limit, part...); err != nil {
				return o, err
			}
			if o.killed {
				r.addKiller(key, o.by)
				return o, nil
			}
		}
	}
	return o, nil
}

// parts are the flags that run all tests, in up to three parts. First come those that have
// killed other mutants of the same file, and last those that are slow.
func (u usual) parts(killers []string) (parts [][]string) {
	slow := slices.DeleteFunc(slices.Clone(u.slow), func(test string) bool { return slices.Contains(killers, test) })
	of := func(tests []string) string { return "^(" + strings.Join(tests, "|") + ")$" }
	if len(killers) > 0 {
		parts = append(parts, []string{"-test.run=" + of(killers)})
	}
	rest := []string(nil)
	if others := slices.Concat(killers, slow); len(others) > 0 {
		rest = []string{"-test.skip=" + of(others)}
	}
	parts = append(parts, rest)
	if len(slow) > 0 {
		parts = append(parts, []string{"-test.run=" + of(slow)})
	}
	return parts
}

func (r *runner) knownKillers(key string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.killers[key])
}

var testName = regexp.MustCompile(`\bTest\w+`)

// addKiller remembers the test that killed a mutant. by may name a part of the test, or
// say how it ended.
func (r *runner) addKiller(key, by string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.killers == nil {
		r.killers = map[string][]string{}
	}
	if test := testName.FindString(by); test != "" && !slices.Contains(r.killers[key], test) {
		r.killers[key] = append(r.killers[key], test)
	}
}

// compile makes the test binary of a directory, with a mutant if there is one. It
// copies nothing but the mutant's file.
func (r *runner) compile(ctx context.Context, dir, work string, m *mutant) (binary string, err error) {
	binary = filepath.Join(work, strings.ReplaceAll(dir, "/", "-")+".test")
	// Nobody debugs the binary. What a debugger needs takes a sixth of the compiler's time.
	args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-gcflags=github.com/sessionkit/sessionkit/...=-dwarf=false", "-o", binary}
	if m != nil {
		overlay, err := writeOverlay(r.root, work, *m)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay="+overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, ".")...)
	cmd.Dir = filepath.Join(r.root, filepath.FromSlash(dir))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("it does not compile: %w\n%s", err, out)
	}
	return binary, nil
}

func writeOverlay(root, work string, m mutant) (string, error) {
	changed := filepath.Join(work, filepath.Base(m.file))
	if err := os.WriteFile(changed, m.mutated(), 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(root, filepath.FromSlash(m.file)): changed},
	})
	if err != nil {
		return "", err
	}
	name := filepath.Join(work, "overlay.json")
	return name, os.WriteFile(name, overlay, 0o600)
}

// run runs a test binary and ends it at the first test that fails: no more is to
// be learned. What the binary starts ends with it, its files are in work.
func (r *runner) run(ctx context.Context, dir, work, binary string, limit time.Duration, flags ...string) (o outcome, err error) {
	inTime, cancel := context.WithTimeout(ctx, limit+10*time.Second) // the binary itself is to say who hangs
	defer cancel()
	flags = append(flags, "-test.v", "-test.short", "-test.failfast", "-test.paniconexit0", "-test.timeout="+limit.String())
	cmd := exec.CommandContext(inTime, binary, flags...)
	cmd.Dir = filepath.Join(r.root, filepath.FromSlash(dir))
	// Less garbage collection: many tests of session allocate much and keep little.
	cmd.Env = append(os.Environ(), "TMPDIR="+work, "GOGC=400")
	cmd.WaitDelay = 5 * time.Second
	read, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		return o, err
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		write.Close()
		ended <- err
	}()
	watch(read, &o, func() { _ = cmd.Process.Kill() })
	err = <-ended
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return o, ctx.Err()
	case o.killed:
	case inTime.Err() != nil:
		o.killed, o.timeout, o.by = true, true, "timeout"
	case errors.As(err, &exit):
		o.killed, o.by = true, "the end of the process"
	case err != nil:
		return o, err
	}
	return o, nil
}
