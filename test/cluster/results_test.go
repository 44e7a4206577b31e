package cluster

import (
	"fmt"
	"strings"
)

// results collects the lines of the report that the test prints at its end.
type results []string

func (r *results) add(format string, args ...any) { *r = append(*r, fmt.Sprintf(format, args...)) }

// print writes to standard output, so that the report also appears without -v.
func (r *results) print() {
	fmt.Printf("three database nodes on this machine:\n    %s\n", strings.Join(*r, "\n    "))
}
