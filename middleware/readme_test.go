package middleware_test

import (
	"os"
	"strings"
	"testing"
)

// The README's code is the example's, which compiles.
func TestTheReadmesCodeCompiles(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, ok := strings.Cut(string(readme), "```go\n")
	code, _, closed := strings.Cut(code, "```")
	if !ok || !closed {
		t.Fatal("the README has no block of Go")
	}
	for line := range strings.Lines(code) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "//") && !strings.Contains(string(example), line) {
			t.Errorf("not in example_test.go: %s", line)
		}
	}
}
