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
	"strconv"
	"strings"
	"sync"
	"time"
)

// runner compiles and runs the tests of one directory after the other.
type runner struct {
	root  string
	dir   string           // for binaries and overlays
	usual map[string]usual // by test directory

	only map[string][]string // by test directory: the only tests that run; without an entry all do

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
	o, err := r.run(ctx, dir, work, binary, 10*time.Minute, 0, r.onlyFlags(dir)...)
	if err != nil {
		return u, err
	}
	if o.killed {
		return u, fmt.Errorf("the tests of %s fail without a mutant, by %s:\n%s", dir, o.by, o.output)
	}
	for _, test := range r.only[dir] {
		if _, passed := o.took[test]; !passed {
			return u, fmt.Errorf("%s has no %s, or skips it: name another test in reference.txt, behind sample", dir, test)
		}
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

// errTogether says that mutants cannot share a binary.
var errTogether = errors.New("they cannot be compiled together")

// try runs the tests of the directories against each mutant of a batch until one fails. An
// error says that they could not be run: a mutant that does not compile proves nothing.
func (r *runner) try(ctx context.Context, b batch, done func(*job)) error {
	work, err := os.MkdirTemp(r.dir, "mutant-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	files, left := b.together(), slices.Clone(b)
	for _, dir := range b[0].dirs {
		binary, err := r.compile(ctx, dir, work, files)
		if err == nil && len(b) > 1 {
			err = r.unchosen(ctx, dir, work, binary)
		}
		if err != nil {
			return err
		}
		for i, j := range b {
			if j.killed {
				continue
			}
			began := time.Now()
			if err := r.tryIn(ctx, j, dir, work, binary, i+1); err != nil {
				return err
			}
			j.spent += time.Since(began)
			if j.killed {
				done(j)
				left = slices.DeleteFunc(left, func(other *job) bool { return other == j })
			}
		}
		if len(left) == 0 {
			return nil
		}
	}
	for _, j := range left {
		done(j)
	}
	return nil
}

// unchosen runs the tests of a binary of many mutants without any: they must pass.
func (r *runner) unchosen(ctx context.Context, dir, work, binary string) error {
	o, err := r.run(ctx, dir, work, binary, r.limit(dir), 0, r.onlyFlags(dir)...)
	if err == nil && o.killed {
		err = fmt.Errorf("%w: without a mutant %s fails", errTogether, o.by)
	}
	return err
}

// limit is four times what is usual: other programs may slow the machine down.
func (r *runner) limit(dir string) time.Duration { return 30*time.Second + 4*r.usual[dir].took }

// tryIn runs the tests of one directory against the mutant with that number in the binary.
func (r *runner) tryIn(ctx context.Context, j *job, dir, work, binary string, number int) (err error) {
	key := j.file + " " + dir
	parts := r.usual[dir].parts(r.knownKillers(key))
	if j.only != "" {
		parts = [][]string{{"-test.run=" + exactly([]string{j.only})}}
	}
	for _, part := range parts {
		if j.outcome, err = r.run(ctx, dir, work, binary, r.limit(dir), number, part...); err != nil {
			return err
		}
		if j.killed {
			r.addKiller(key, j.by)
			return nil
		}
	}
	return nil
}

// parts are the flags that run all tests, in up to three parts. First come those that have
// killed other mutants of the same file, and last those that are slow.
func (u usual) parts(killers []string) (parts [][]string) {
	slow := slices.DeleteFunc(slices.Clone(u.slow), func(test string) bool { return slices.Contains(killers, test) })
	if len(killers) > 0 {
		parts = append(parts, []string{"-test.run=" + exactly(killers)})
	}
	rest := []string(nil)
	if others := slices.Concat(killers, slow); len(others) > 0 {
		rest = []string{"-test.skip=" + exactly(others)}
	}
	parts = append(parts, rest)
	if len(slow) > 0 {
		parts = append(parts, []string{"-test.run=" + exactly(slow)})
	}
	return parts
}

// onlyFlags are the flags that choose the only tests of a directory.
func (r *runner) onlyFlags(dir string) []string {
	if len(r.only[dir]) == 0 {
		return nil
	}
	return []string{"-test.run=" + exactly(r.only[dir])}
}

// exactly is the regexp that matches these tests and no others.
func exactly(tests []string) string { return "^(" + strings.Join(tests, "|") + ")$" }

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

// compile makes the test binary of a directory, with these files in place of those of the
// repository. It copies no others.
func (r *runner) compile(ctx context.Context, dir, work string, files map[string][]byte) (binary string, err error) {
	binary = filepath.Join(work, strings.ReplaceAll(dir, "/", "-")+".test")
	// Nobody debugs the binary. What a debugger needs takes a sixth of the compiler's time.
	args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-gcflags=github.com/sessionkit/sessionkit/...=-dwarf=false", "-o", binary}
	if len(files) > 0 {
		overlay, err := writeOverlay(r.root, work, files)
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

func writeOverlay(root, work string, files map[string][]byte) (string, error) {
	replace := map[string]string{}
	for file, text := range files {
		changed := filepath.Join(work, strings.ReplaceAll(file, "/", "-"))
		if err := os.WriteFile(changed, text, 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, filepath.FromSlash(file))] = changed
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(work, "overlay.json")
	return name, os.WriteFile(name, overlay, 0o600)
}

// run runs a test binary and ends it at the first test that fails: no more is to
// be learned. What the binary starts ends with it, its files are in work.
func (r *runner) run(ctx context.Context, dir, work, binary string, limit time.Duration, number int, flags ...string) (o outcome, err error) {
	inTime, cancel := context.WithTimeout(ctx, limit+10*time.Second) // the binary itself is to say who hangs
	defer cancel()
	flags = append(flags, "-test.v", "-test.short", "-test.failfast", "-test.paniconexit0", "-test.timeout="+limit.String())
	cmd := exec.CommandContext(inTime, binary, flags...)
	cmd.Dir = filepath.Join(r.root, filepath.FromSlash(dir))
	// Less garbage collection: many tests of session allocate much and keep little.
	cmd.Env = append(os.Environ(), "TMPDIR="+work, "GOGC=400", chosen+"="+strconv.Itoa(number))
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
