package main

import (
	"fmt"
	"strings"
	"testing"
)

// jobsOf returns jobs with that many killed, surviving and equivalent mutants.
func jobsOf(mechanical bool, killed, survived, equivalent int) (jobs []*job) {
	for i := range killed + survived + equivalent {
		j := &job{mutant: mutant{id: fmt.Sprint("m", i), file: "a/b.go", source: []byte("x\n"), edit: edit{0, 1, "y"}, mechanical: mechanical}}
		j.killed = i < killed
		j.equivalent = i >= killed+survived
		jobs = append(jobs, j)
	}
	return jobs
}

func TestReport_SaysWhatIsGoodEnough(t *testing.T) {
	for _, c := range []struct {
		name string
		jobs []*job
		want bool
	}{
		{"all", append(jobsOf(true, 20, 0, 0), jobsOf(false, 5, 0, 0)...), true},
		{"95 of 100 mechanical ones", jobsOf(true, 95, 5, 0), true},
		{"94 of 100 mechanical ones", jobsOf(true, 94, 6, 0), false},
		{"equivalent ones do not count", jobsOf(true, 19, 1, 50), true},
		{"nor do they help", jobsOf(true, 18, 2, 50), false},
		{"one reference mutant survives", append(jobsOf(true, 1000, 0, 0), jobsOf(false, 1000, 1, 0)...), false},
		{"an equivalent reference mutant", jobsOf(false, 1, 0, 1), true},
		{"reference mutants do not make up for mechanical ones", append(jobsOf(true, 9, 1, 0), jobsOf(false, 1000, 0, 0)...), false},
	} {
		var b strings.Builder
		if got := report(&b, c.jobs); got != c.want {
			t.Errorf("%s: %v, want %v; it says\n%s", c.name, got, c.want, &b)
		}
	}
}

func TestReport_AnEquivalentMutantThatIsKilledIsAFailure(t *testing.T) {
	jobs := jobsOf(false, 0, 0, 1)
	jobs[0].killed, jobs[0].by = true, "TestX"
	var b strings.Builder
	if report(&b, jobs) || !strings.Contains(b.String(), "m0 is listed as equivalent and was killed by TestX") {
		t.Errorf("it says\n%s", &b)
	}
}

func TestReport_ShowsTheDiffOfSurvivorsAndTheCountsOfFiles(t *testing.T) {
	jobs := append(jobsOf(true, 2, 1, 3), jobsOf(false, 4, 5, 6)...)
	jobs[0].timeout = true
	var b strings.Builder
	report(&b, jobs)
	words := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{"m2 survived a/b.go:1 -x +y", "2 1 3 4 5 6 a/b.go", "2 1 3 4 5 6 all", "66.7 % 44.4 %", "1 of the killed ran into the timeout", "5 reference mutants survive"} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not in\n%s", want, &b)
		}
	}
}
