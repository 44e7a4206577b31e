package main

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:embed equivalent.txt
var equivalentText string

// excuses are the mutants that nobody can tell from the code as it is: id to the
// reason.
type excuses map[string]string

// parseEquivalents reads the format that equivalent.txt describes.
func parseEquivalents(text string) (excuses, error) {
	all := excuses{}
	id := ""
	for i, line := range strings.Split(text, "\n") {
		switch indented := strings.TrimLeft(line, "\t "); {
		case indented == "" || strings.HasPrefix(line, "#"):
		case indented == line:
			if _, twice := all[line]; twice {
				return nil, fmt.Errorf("equivalent.txt:%d: %s is there twice", i+1, line)
			}
			id = strings.TrimSpace(line)
			all[id] = ""
		case id == "":
			return nil, fmt.Errorf("equivalent.txt:%d: a reason before the first id", i+1)
		default:
			all[id] = strings.TrimSpace(all[id] + " " + strings.TrimSpace(indented))
		}
	}
	for id, reason := range all {
		if reason == "" {
			return nil, fmt.Errorf("equivalent.txt: %s has no reason", id)
		}
	}
	return all, nil
}

// stale returns an error that names each id that is no mutant's.
func (x excuses) stale(known map[string]bool) error {
	var faults []error
	for _, id := range slices.Sorted(maps.Keys(x)) {
		if !known[id] {
			faults = append(faults, fmt.Errorf("equivalent.txt: %s is no mutant any more: remove it, or correct the id", id))
		}
	}
	return errors.Join(faults...)
}
