package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWatch_StopsAtTheFirstFailure(t *testing.T) {
	for _, c := range []struct {
		name, output string
		want         outcome
	}{
		{"pass", "=== RUN   TestA\n--- PASS: TestA (0.00s)\nPASS\n", outcome{}},
		{"a failing test", "=== RUN   TestA\n--- FAIL: TestA (0.00s)\n=== RUN   TestB\n--- FAIL: TestB\n", outcome{killed: true, by: "TestA"}},
		{"a failing part of a test", "=== RUN   TestA/b\n    --- FAIL: TestA/b (0.00s)\n", outcome{killed: true, by: "TestA/b"}},
		{"a test that says FAIL", "=== RUN   TestA\n    a_test.go:1: it says --- FAIL: x\n--- PASS: TestA\nPASS\n", outcome{}},
		{"a panic", "=== RUN   TestA\npanic: oh no\n", outcome{killed: true, by: "panic: oh no in TestA"}},
		{"a fatal error", "=== RUN   TestA\nfatal error: all goroutines are asleep\n", outcome{killed: true, by: "fatal error: all goroutines are asleep in TestA"}},
		{"a hang", "=== RUN   TestA\npanic: test timed out after 1s\n", outcome{killed: true, timeout: true, by: "timeout in TestA"}},
	} {
		var got outcome
		stops := 0
		watch(strings.NewReader(c.output), &got, func() { stops++ })
		if got.output != c.output {
			t.Errorf("%s: the output is %q", c.name, got.output)
		}
		if got.killed != c.want.killed || got.by != c.want.by || got.timeout != c.want.timeout || (stops == 1) != c.want.killed {
			t.Errorf("%s: got %+v and %d stops, want %+v", c.name, got, stops, c.want)
		}
	}
}

// tiny is a module with one function, tested above and below, and not at, 10.
func tiny(t *testing.T) *runner {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":      "module tiny\n\ngo 1.26.0\n",
		"p/p.go":      tinySource,
		"p/p_test.go": "package p\n\nimport \"testing\"\n\nfunc TestSmall(t *testing.T) {\n\tif !Small(9) || Small(11) {\n\t\tt.Error(\"wrong\")\n\t}\n}\n\nfunc TestLater(t *testing.T) { select {} }\n",
		"q/q.go":      "package q\n",
		"q/q_test.go": "package q\n\nimport (\n\t\"testing\"\n\t\"tiny/p\"\n)\n\nfunc TestTen(t *testing.T) {\n\tif !p.Small(10) {\n\t\tt.Error(\"wrong\")\n\t}\n}\n",
		"slow/s_test.go": "package slow\n\nimport (\n\t\"testing\"\n\t\"tiny/p\"\n)\n\nfunc TestASlowOne(t *testing.T) {\n\tif !p.Small(3) || !p.Small(9) {\n\t\tt.Error(\"wrong\")\n\t}\n}\n\n" +
			"func TestNine(t *testing.T) {\n\tif !p.Small(9) {\n\t\tt.Error(\"wrong\")\n\t}\n}\n",
		"bad/b_test.go": "package bad\n\nimport \"testing\"\n\nfunc TestBad(t *testing.T) { t.Error(\"bad\") }\n",
	} {
		name = filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return &runner{root: root, dir: t.TempDir()}
}

const tinySource = "package p\n\nfunc Small(n int) bool { return n <= 10 }\n"

func tinyMutant(t *testing.T, old, text string) mutant {
	t.Helper()
	at := strings.Index(tinySource, old)
	if at < 0 {
		t.Fatalf("%q is not in the source", old)
	}
	return mutant{id: text, file: "p/p.go", source: []byte(tinySource), edit: edit{at, at + len(old), text}}
}

// tryAlone tries a mutant in a binary of its own.
func tryAlone(t *testing.T, r *runner, m mutant, dirs ...string) (outcome, error) {
	t.Helper()
	j, told := &job{mutant: m, dirs: dirs}, 0
	err := r.try(t.Context(), batch{j}, func(*job) { told++ })
	if err == nil && told != 1 {
		t.Errorf("%s: done was called %d times", m.id, told)
	}
	return j.outcome, err
}

func TestRunner_Try(t *testing.T) {
	r := tiny(t)
	for _, c := range []struct {
		name, old, text, by string
		dirs                []string
	}{
		{"a failure ends the tests, though a later one hangs", "<= 10", "< 9", "TestSmall", []string{"p"}},
		{"another directory's tests", "<= 10", "< 10", "TestTen", []string{"q"}},
		{"survives", "<= 10", "< 11", "", []string{"q"}},
		{"dies in the second directory", "n <= 10", "n != 10 && n < 12 || n == 11", "TestTen", []string{"q", "p"}},
	} {
		o, err := tryAlone(t, r, tinyMutant(t, c.old, c.text), c.dirs...)
		if err != nil || o.by != c.by || o.killed != (c.by != "") || o.timeout {
			t.Errorf("%s: got %+v, %v; want %q", c.name, o, err, c.by)
		}
	}
	if _, err := tryAlone(t, r, tinyMutant(t, "n <= 10", "m <= 10"), "p"); err == nil || !strings.Contains(err.Error(), "undefined: m") {
		t.Errorf("a mutant that does not compile: got %v", err)
	}
	left, err := os.ReadDir(r.dir)
	if err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
	if source, err := os.ReadFile(filepath.Join(r.root, "p/p.go")); err != nil || string(source) != tinySource {
		t.Errorf("the source is now %q, %v", source, err)
	}
}

func TestRunner_AHangIsKilledByTheTimeout(t *testing.T) {
	r := tiny(t)
	work := t.TempDir()
	binary, err := r.compile(t.Context(), "p", work, nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err := r.run(t.Context(), "p", work, binary, 200*time.Millisecond, 0)
	if err != nil || !o.killed || !o.timeout || o.by != "timeout in TestLater" {
		t.Errorf("got %+v, %v", o, err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("enough"))
	defer cancel()
	if o, err := r.run(ctx, "p", work, binary, time.Minute, 0); err == nil {
		t.Errorf("an interrupted run: got %+v", o)
	}
}

// A test whose parts run in parallel is said to take no time itself.
func TestWatch_TellsHowLongTestsTookWithTheirParts(t *testing.T) {
	var o outcome
	watch(strings.NewReader("--- PASS: TestA (0.25s)\n    --- PASS: TestB/c (1.00s)\n        --- PASS: TestB/c/d (0.25s)\n--- PASS: TestB (0.00s)\nPASS\n"), &o, func() {})
	if want := map[string]time.Duration{"TestA": 250 * time.Millisecond, "TestB": 1250 * time.Millisecond}; !maps.Equal(o.took, want) {
		t.Errorf("got %v, want %v", o.took, want)
	}
}

// What is slow runs last, and nothing is left out.
func TestRunner_SlowTestsRunAfterTheOthers(t *testing.T) {
	slow := slowOf(map[string]time.Duration{"TestNine": time.Second, "TestASlowOne": 2 * time.Second}, 51*time.Second)
	if !slices.Equal(slow, []string{"TestASlowOne"}) {
		t.Fatalf("slow are %q", slow)
	}
	r := tiny(t)
	r.usual = map[string]usual{"slow": {slow: slow}}
	for text, by := range map[string]string{"n < 9": "TestNine", "n <= 10 && n != 3": "TestASlowOne", "n < 11": ""} {
		r.killers = nil // else the order of the mutants would matter
		o, err := tryAlone(t, r, tinyMutant(t, "n <= 10", text), "slow")
		if err != nil || o.by != by {
			t.Errorf("%s: got %+v, %v; want %q", text, o, err, by)
		}
	}
}

// A test that has killed a mutant of a file runs first for its next one, and each test runs
// once, whatever is known.
func TestUsual_PartsRunEachTestOnce(t *testing.T) {
	u := usual{slow: []string{"TestS", "TestT"}}
	for _, c := range []struct {
		killers []string
		want    [][]string
	}{
		{nil, [][]string{{"-test.skip=^(TestS|TestT)$"}, {"-test.run=^(TestS|TestT)$"}}},
		{[]string{"TestA"}, [][]string{{"-test.run=^(TestA)$"}, {"-test.skip=^(TestA|TestS|TestT)$"}, {"-test.run=^(TestS|TestT)$"}}},
		{[]string{"TestA", "TestT"}, [][]string{{"-test.run=^(TestA|TestT)$"}, {"-test.skip=^(TestA|TestT|TestS)$"}, {"-test.run=^(TestS)$"}}},
	} {
		if got := u.parts(c.killers); !reflect.DeepEqual(got, c.want) {
			t.Errorf("after %q: %q; want %q", c.killers, got, c.want)
		}
	}
	if got := (usual{}).parts(nil); !reflect.DeepEqual(got, [][]string{nil}) {
		t.Errorf("with nothing known: %q; want one part with all tests", got)
	}
}

func TestRunner_RemembersWhatHasKilled(t *testing.T) {
	var r runner
	for _, by := range []string{"TestA/part", "TestA", "timeout in TestB/c", "panic: no TestC in TestC", "the end of the process"} {
		r.addKiller("f.go p", by)
	}
	if got, want := r.knownKillers("f.go p"), []string{"TestA", "TestB", "TestC"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
	if got := r.knownKillers("g.go p"); got != nil {
		t.Errorf("of another file: %q", got)
	}
}

func TestRunner_TestsThatFailWithoutAMutantAreAnError(t *testing.T) {
	r := tiny(t)
	if u, err := r.unmutated(t.Context(), "q"); err != nil || u.took <= 0 {
		t.Errorf("q passes: %+v, %v", u, err)
	}
	if _, err := r.unmutated(t.Context(), "bad"); err == nil || !strings.Contains(err.Error(), "TestBad") {
		t.Errorf("bad fails: %v", err)
	}
}

// A mutant of the sample is killed by the test that reference.txt names, or not at all. The
// other tests do not run: they could fail.
func TestRunner_RunsNoTestButTheNamedOne(t *testing.T) {
	r := tiny(t)
	var jobs []*job
	for text, only := range map[string]string{"n < 9": "TestSmall", "n < 10": "TestSmall", "n < 11": "TestTen"} {
		dir := map[string]string{"TestSmall": "p", "TestTen": "q"}[only]
		jobs = append(jobs, &job{mutant: tinyMutant(t, "n <= 10", text), dirs: []string{dir}, only: only})
	}
	r.only = onlyOf(jobs)
	if err := r.measure(t.Context(), []string{"p", "q"}, 1); err != nil { // TestLater of p would hang
		t.Fatal(err)
	}
	if batches := r.batches(jobs); len(batches) != 2 || len(batches[0]) != 2 {
		t.Errorf("%d batches; want one of two mutants and one of the other", len(batches))
	}
	if err := r.tryAll(t.Context(), jobs, 1); err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		want := map[string]string{"n < 9": "TestSmall", "n < 10": "", "n < 11": ""}[j.id]
		if j.by != want || j.killed != (want != "") {
			t.Errorf("%s is killed by %q; want %q", j.id, j.by, want)
		}
	}
}

func TestRunner_ANamedTestThatIsGoneIsAnError(t *testing.T) {
	r := tiny(t)
	for _, only := range []string{"TestGone", "Test"} {
		r.only = map[string][]string{"q": {"TestTen", only}}
		if _, err := r.unmutated(t.Context(), "q"); err == nil || !strings.Contains(err.Error(), "q has no "+only) {
			t.Errorf("%s: %v", only, err)
		}
	}
}

func TestInParallel_StopsAtTheFirstError(t *testing.T) {
	began := 0
	err := inParallel(t.Context(), 1, 10, func(_ context.Context, i int) error {
		began++
		if i == 3 {
			return io.EOF
		}
		return nil
	})
	if !errors.Is(err, io.EOF) || began > 5 {
		t.Errorf("%d began, and %v", began, err)
	}
	if err := inParallel(t.Context(), 3, 10, func(context.Context, int) error { return nil }); err != nil {
		t.Error(err)
	}
}
