package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
)

// perform does what the options say. False: too many mutants survive.
func perform(ctx context.Context, opts options) (ok bool, err error) {
	here, err := os.Getwd()
	if err != nil {
		return false, err
	}
	root, err := findRoot(here)
	if err != nil {
		return false, err
	}
	mutants, err := choose(root, opts)
	if err != nil {
		return false, err
	}
	if opts.list {
		for _, m := range mutants {
			fmt.Printf("%s\n%s\n", m.id, m.diff())
		}
		return true, nil
	}
	if len(mutants) == 0 {
		return false, errors.New("there is no such mutant")
	}
	if opts.sample == 0 {
		fmt.Printf("the seed of the mechanical mutants is %d\n", opts.seed)
	}
	work, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(work)
	var jobs []*job
	var dirs []string
	for _, m := range mutants {
		j := &job{mutant: m}
		if j.dirs, err = testDirs(root, m.file); err != nil {
			return false, err
		}
		if opts.sample > 0 {
			j.dirs, j.only = j.dirs[:1], m.sample
		}
		jobs, dirs = append(jobs, j), append(dirs, j.dirs...)
	}
	slices.Sort(dirs)
	r := &runner{root: root, dir: work, only: onlyOf(jobs)}
	if err := r.measure(ctx, slices.Compact(dirs), opts.workers); err != nil {
		return false, err
	}
	// With -run those that are listed as equivalent are tried as well: is it true?
	tried := slices.DeleteFunc(slices.Clone(jobs), func(j *job) bool { return j.equivalent && opts.run == nil })
	// Mixed, because the tests of some packages wait and those of others compute.
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(tried), func(i, j int) { tried[i], tried[j] = tried[j], tried[i] })
	if err := r.tryAll(ctx, tried, opts.workers); err != nil {
		return false, err
	}
	return report(os.Stdout, jobs), nil
}

// job is a mutant, the tests that are to kill it, and what became of it.
type job struct {
	mutant
	dirs []string
	only string // the only test that runs; empty: all of dirs
	outcome
	spent time.Duration // by its tests
}

// onlyOf returns the only tests that the jobs need, by directory. Without a directory: all.
func onlyOf(jobs []*job) map[string][]string {
	only := map[string][]string{}
	for _, j := range jobs {
		if dir := j.dirs[0]; j.only != "" && !slices.Contains(only[dir], j.only) {
			only[dir] = append(only[dir], j.only)
		}
	}
	return only
}

// measure runs the tests without a mutant.
func (r *runner) measure(ctx context.Context, dirs []string, workers int) error {
	all := make([]usual, len(dirs))
	err := inParallel(ctx, workers, len(dirs), func(ctx context.Context, i int) (err error) {
		all[i], err = r.unmutated(ctx, dirs[i])
		return err
	})
	r.usual = map[string]usual{}
	for i, dir := range dirs {
		r.usual[dir] = all[i]
		if err == nil {
			fmt.Printf("%s pass without a mutant, in %.1f s\n", testsOf(dir, r.only[dir]), all[i].took.Seconds())
		}
	}
	return err
}

// testsOf says which tests of a directory run.
func testsOf(dir string, only []string) string {
	if len(only) == 0 {
		return "the tests of " + dir
	}
	return strings.Join(only, " and ") + " of " + dir
}

func (r *runner) tryAll(ctx context.Context, jobs []*job, workers int) error {
	all := r.batches(jobs)
	done := func(j *job) {
		how := "SURVIVED"
		if j.killed {
			how = "killed  "
		}
		fmt.Printf("%s %5.1f s  %s  %s\n", how, j.spent.Seconds(), j.id, j.by)
	}
	return inParallel(ctx, workers, len(all), func(ctx context.Context, i int) error {
		err := r.try(ctx, all[i], done)
		if err == nil || len(all[i]) == 1 || ctx.Err() != nil {
			return named(all[i][0], err)
		}
		fmt.Printf("%d mutants are tried one by one: %v\n", len(all[i]), err)
		for _, j := range all[i] {
			j.outcome, j.spent = outcome{}, 0
			if err := r.try(ctx, batch{j}, done); err != nil {
				return named(j, err)
			}
		}
		return nil
	})
}

// named says which mutant an error is about.
func named(j *job, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w\n%s", j.id, err, j.diff())
}
