package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"slices"
)

// choose returns the mutants that the options ask for.
func choose(root string, opts options) ([]mutant, error) {
	entries, err := parseReference(referenceText)
	if err != nil {
		return nil, err
	}
	excuses, err := parseEquivalents(equivalentText)
	if err != nil {
		return nil, err
	}
	if opts.run != nil {
		entries = slices.DeleteFunc(entries, func(e entry) bool { return !opts.run.MatchString(e.name) })
	}
	mutants, err := reference(root, entries)
	if err != nil {
		return nil, err
	}
	if opts.sample > 0 {
		return spread(mutants, opts.sample), nil
	}
	pkgs, err := load(root)
	if err != nil {
		return nil, err
	}
	if err := compiling(pkgs, mutants); err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, e := range entries {
		known[e.name] = true
	}
	owners := map[string]*pkg{}
	var all []mutant
	for _, p := range pkgs {
		for _, m := range candidates(p) {
			known[m.id] = true
			owners[m.id] = p
			all = append(all, m)
		}
	}
	if opts.run == nil {
		if err := excuses.stale(known); err != nil {
			return nil, err
		}
	}
	compiles := func(m mutant) bool { return owners[m.id].compiles(m) }
	wanted := func(m mutant) bool { return opts.run == nil || opts.run.MatchString(m.id) }
	if opts.mechanical < 0 { // all: those that are not wanted need no look
		all = slices.DeleteFunc(all, func(m mutant) bool { return !wanted(m) || !compiles(m) })
	} else {
		all = draw(all, opts.seed, opts.mechanical, compiles)
		all = slices.DeleteFunc(all, func(m mutant) bool { return !wanted(m) })
	}
	mutants = append(mutants, all...)
	for i, m := range mutants {
		mutants[i].equivalent = excuses[m.id] != ""
	}
	return mutants, nil
}

// compiling returns an error that names each reference mutant that does not.
func compiling(pkgs []*pkg, mutants []mutant) error {
	var faults []error
	for _, m := range mutants {
		for _, p := range pkgs {
			if slices.ContainsFunc(p.files, func(f *file) bool { return f.name == m.file }) && !p.compiles(m) {
				faults = append(faults, fmt.Errorf("reference.txt: %s does not compile:\n%s", m.id, m.diff()))
			}
		}
	}
	return errors.Join(faults...)
}

// draw returns n of the mutants that compile, in the order of all. Which is decided
// by a digest of the seed and each id: when the code changes, the others stay.
func draw(all []mutant, seed uint64, n int, compiles func(mutant) bool) []mutant {
	type lot struct {
		place  int
		digest [sha256.Size]byte
	}
	lots := make([]lot, len(all))
	for i, m := range all {
		lots[i] = lot{i, sha256.Sum256(fmt.Appendf(nil, "%d %s", seed, m.id))}
	}
	slices.SortFunc(lots, func(a, b lot) int { return bytes.Compare(a.digest[:], b.digest[:]) })
	var drawn []lot
	for _, l := range lots {
		if len(drawn) >= n {
			break
		}
		if compiles(all[l.place]) {
			drawn = append(drawn, l)
		}
	}
	slices.SortFunc(drawn, func(a, b lot) int { return cmp.Compare(a.place, b.place) })
	mutants := make([]mutant, len(drawn))
	for i, l := range drawn {
		mutants[i] = all[l.place]
	}
	return mutants
}

// spread returns up to n of the mutants that are marked sample: the first of each
// directory, then the second of each, and so on.
func spread(mutants []mutant, n int) (chosen []mutant) {
	var dirs []string
	byDir := map[string][]mutant{}
	for _, m := range mutants {
		dir := path.Dir(m.file)
		if m.sample == "" {
			continue
		}
		if byDir[dir] == nil {
			dirs = append(dirs, dir)
		}
		byDir[dir] = append(byDir[dir], m)
	}
	for i := 0; len(chosen) < n; i++ {
		before := len(chosen)
		for _, dir := range dirs {
			if i < len(byDir[dir]) && len(chosen) < n {
				chosen = append(chosen, byDir[dir][i])
			}
		}
		if len(chosen) == before {
			break
		}
	}
	return chosen
}
