package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// enough is the percentage of the mechanical mutants that must be killed.
const enough = 95

// tally counts what became of mutants.
type tally struct{ killed, survived, equivalent int }

func (t *tally) count(j *job) {
	switch {
	case j.equivalent:
		t.equivalent++
	case j.killed:
		t.killed++
	default:
		t.survived++
	}
}

// percent is how many of those that are not equivalent were killed.
func (t tally) percent() float64 {
	if t.killed+t.survived == 0 {
		return 100
	}
	return 100 * float64(t.killed) / float64(t.killed+t.survived)
}

// counts are the two kinds of mutants apart.
type counts struct{ mechanical, reference tally }

func (c *counts) count(j *job) {
	if j.mechanical {
		c.mechanical.count(j)
	} else {
		c.reference.count(j)
	}
}

// report writes what became of the mutants, and whether that is good enough.
func report(w io.Writer, jobs []*job) (ok bool) {
	ok = true
	var total counts
	files := map[string]*counts{}
	timeouts := 0
	for _, j := range jobs {
		if files[j.file] == nil {
			files[j.file] = &counts{}
		}
		files[j.file].count(j)
		total.count(j)
		switch {
		case j.equivalent && j.killed:
			ok = false
			fmt.Fprintf(w, "\n%s is listed as equivalent and was killed by %s\n%s", j.id, j.by, j.diff())
		case !j.equivalent && !j.killed:
			fmt.Fprintf(w, "\n%s survived\n%s", j.id, j.diff())
		case j.timeout:
			timeouts++
		}
	}
	table(w, files, total)
	if timeouts > 0 {
		fmt.Fprintf(w, "%d of the killed ran into the timeout\n", timeouts)
	}
	if n := total.reference.survived; n > 0 {
		ok = false
		fmt.Fprintf(w, "FAIL: %d reference mutants survive\n", n)
	}
	if p := total.mechanical.percent(); p < enough {
		ok = false
		fmt.Fprintf(w, "FAIL: %.1f %% of the mechanical mutants are killed, not %d %%\n", p, enough)
	}
	return ok
}

func table(w io.Writer, files map[string]*counts, total counts) {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "\nmechanical:\tkilled\tsurvived\tequivalent\treference:\tkilled\tsurvived\tequivalent\t  file")
	row := func(c counts, name string) {
		m, r := c.mechanical, c.reference
		fmt.Fprintf(out, "\t%d\t%d\t%d\t\t%d\t%d\t%d\t  %s\n", m.killed, m.survived, m.equivalent, r.killed, r.survived, r.equivalent, name)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		row(*files[name], name)
	}
	row(total, "all")
	fmt.Fprintf(out, "\t%.1f %%\t\t\t\t%.1f %%\t\t\t  of those that are not equivalent\n", total.mechanical.percent(), total.reference.percent())
	out.Flush()
}
