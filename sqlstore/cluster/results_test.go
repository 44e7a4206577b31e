package cluster

import (
	"fmt"
	"strings"
)

// results is what was measured, for the end of the test.
type results []string

func (r *results) add(format string, args ...any) { *r = append(*r, fmt.Sprintf(format, args...)) }

// print does it without -v, too.
func (r *results) print() {
	fmt.Printf("three database nodes on this machine:\n    %s\n", strings.Join(*r, "\n    "))
}
