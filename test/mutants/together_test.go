package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each mutant of a binary is tried apart from the others, in every directory until it dies.
func TestRunner_TriesEachMutantOfABatch(t *testing.T) {
	r := tiny(t)
	r.usual = map[string]usual{}
	var b batch
	var told []string
	for _, text := range []string{"n < 9", "n < 10", "n < 11", "n != 3 && n <= 10"} {
		b = append(b, &job{mutant: tinyMutant(t, "n <= 10", text), dirs: []string{"q", "slow"}})
	}
	if err := r.try(t.Context(), b, func(j *job) { told = append(told, j.id+" by "+j.by) }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(told)
	if want := []string{"n != 3 && n <= 10 by TestASlowOne", "n < 10 by TestTen", "n < 11 by ", "n < 9 by TestTen"}; !slices.Equal(told, want) {
		t.Errorf("got %q; want %q", told, want)
	}
}

// A binary whose tests fail without a mutant says nothing about any.
func TestRunner_ABatchWhoseTestsFailWithoutAMutantIsRefused(t *testing.T) {
	r := tiny(t)
	r.usual = map[string]usual{}
	var b batch
	for _, text := range []string{"n < 9", "n < 10"} {
		b = append(b, &job{mutant: tinyMutant(t, "n <= 10", text), dirs: []string{"bad"}})
	}
	if err := r.try(t.Context(), b, func(j *job) { t.Errorf("%s is done", j.id) }); !errors.Is(err, errTogether) {
		t.Errorf("got %v; want errTogether", err)
	}
}

func TestChoosable_FunctionsThatCanBeCalledByTheNamesOfTheirParameters(t *testing.T) {
	for source, want := range map[string]string{ // want: the call; empty: not choosable
		"func f() { x = 1 }": "{ f__7(); return }",
		"func f(a, b int, c ...string) int { x = 1; return a }": "{ return f__7(a, b, c...) }",
		"func (t *T) f(a int) (b, c int) { x = 1; return }":     "{ return t.f__7(a) }",
		"func (t T) f(g func(int)) { x = 1 }":                   "{ t.f__7(g); return }",
		"func f(int) { x = 1 }":                                 "",
		"func f(_ int) { x = 1 }":                               "",
		"func (T) f() { x = 1 }":                                "",
		"func (_ T) f() { x = 1 }":                              "",
		"func f[A any](a A) { x = 1 }":                          "",
		"func (g G[A]) f() { x = 1 }":                           "",
		"func init() { x = 1 }":                                 "",
		"var y = func() { x = 1 }":                              "",
	} {
		text := "package p\n\n" + source + "\n"
		at := strings.Index(text, "x = 1")
		m := mutant{file: "p/p.go", source: []byte(text), edit: edit{at, at + 5, "x = 2"}}
		inserts, ok := choosable(m, 7)
		if !ok {
			if want != "" {
				t.Errorf("%s: not choosable", source)
			}
			continue
		}
		got := string(apply(m.source, inserts))
		if want == "" || !strings.Contains(got, "{ if mutantChosen == 7 "+want+";") || strings.Count(got, "x = 1") != 1 || strings.Count(got, "x = 2") != 1 {
			t.Errorf("%s: got\n%s\nwant %q", source, got, want)
		}
	}
}

func TestBatches_LeaveNoMutantOut(t *testing.T) {
	r := &runner{usual: map[string]usual{"fast": {took: time.Second}, "slow": {took: time.Hour}}}
	var jobs []*job
	add := func(n int, text string, dirs ...string) {
		for range n {
			m := tinyMutant(t, "n <= 10", text)
			m.id = fmt.Sprint(len(jobs))
			jobs = append(jobs, &job{mutant: m, dirs: dirs})
		}
	}
	add(maxTogether+minTogether, "n < 9", "fast")
	add(minTogether-1, "n < 9", "fast", "fast")
	add(minTogether, "n < 9", "fast", "slow")
	outside := tinyMutant(t, "Small", "Little")
	jobs = append(jobs, &job{mutant: outside, dirs: []string{"fast"}})
	seen := map[*job]int{}
	var sizes []int
	for _, b := range r.batches(jobs) {
		sizes = append(sizes, len(b))
		for _, j := range b {
			seen[j]++
		}
	}
	if want := append([]int{maxTogether, minTogether}, slices.Repeat([]int{1}, 2*minTogether)...); !slices.Equal(sizes, want) {
		t.Errorf("the batches have %v mutants; want %v", sizes, want)
	}
	for _, j := range jobs {
		if seen[j] != 1 {
			t.Errorf("mutant %s is in %d batches", j.id, seen[j])
		}
	}
}
