package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:embed reference.txt
var referenceText string

// entry is one mutant of reference.txt.
type entry struct {
	name, file, function string
	removed, added       []string // without the space at their ends
	sample               string   // a test that kills it; empty: make test does not run it
}

// parseReference reads the format that reference.txt describes.
func parseReference(text string) (entries []entry, err error) {
	seen := map[string]bool{}
	for i, line := range strings.Split(text, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		if line == "" || word == "#" {
			continue
		}
		if word == "mutant" {
			if rest == "" || seen[rest] {
				return nil, fmt.Errorf("reference.txt:%d: the name %q is empty or taken", i+1, rest)
			}
			seen[rest] = true
			entries = append(entries, entry{name: rest})
			continue
		}
		if len(entries) == 0 {
			return nil, fmt.Errorf("reference.txt:%d: a line before the first mutant", i+1)
		}
		switch e := &entries[len(entries)-1]; word {
		case "file":
			e.file = rest
		case "in":
			e.function = rest
		case "sample":
			if e.sample = rest; testName.FindString(rest) != rest || rest == "" {
				return nil, fmt.Errorf("reference.txt:%d: write the name of the test that kills it behind sample, not %q", i+1, rest)
			}
		case "-":
			e.removed = append(e.removed, rest)
		case "+":
			e.added = append(e.added, rest)
		default:
			return nil, fmt.Errorf("reference.txt:%d: %q is no part of a mutant", i+1, line)
		}
	}
	return entries, nil
}

// find returns the edit that an entry makes in its file's source.
func (e entry) find(source []byte) (edit, error) {
	if len(e.removed) == 0 {
		return edit{}, errors.New("it removes no line: name the one that its lines are added to")
	}
	from, to := 0, len(source)
	if e.function != "" {
		var err error
		if from, to, err = functionRange(source, e.function); err != nil {
			return edit{}, err
		}
	}
	var found []edit
	lines := strings.SplitAfter(string(source), "\n")
	for i, offset := 0, 0; i+len(e.removed) <= len(lines); i++ {
		run := lines[i : i+len(e.removed)]
		length := len(strings.Join(run, ""))
		if offset+len(lines[i]) > from && offset < to && e.matches(run) {
			found = append(found, edit{offset, offset + length, e.replacement(run)})
		}
		offset += len(lines[i])
	}
	if len(found) != 1 {
		return edit{}, fmt.Errorf("its lines occur %d times, not once", len(found))
	}
	return found[0], nil
}

func (e entry) matches(run []string) bool {
	for i, line := range run {
		if strings.TrimSpace(line) != e.removed[i] {
			return false
		}
	}
	return true
}

// replacement returns the added lines, each indented as the removed one in its place.
func (e entry) replacement(run []string) string {
	var b strings.Builder
	for i, line := range e.added {
		old := run[min(i, len(run)-1)]
		b.WriteString(old[:len(old)-len(strings.TrimLeft(old, " \t"))] + line + "\n")
	}
	return b.String()
}

// reference returns the mutants of the entries. Its error names every entry that
// does not apply.
func reference(root string, entries []entry) (mutants []mutant, err error) {
	var faults []error
	for _, e := range entries {
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(e.file)))
		var change edit
		if err == nil {
			change, err = e.find(source)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("reference.txt: %s no longer applies to %s: %w", e.name, e.file, err))
			continue
		}
		mutants = append(mutants, mutant{id: e.name, file: e.file, source: source, edit: change, sample: e.sample})
	}
	return mutants, errors.Join(faults...)
}
