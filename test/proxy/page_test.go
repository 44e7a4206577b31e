package proxy

import (
	"os"
	"strings"
	"testing"
)

// readPage returns the page that says how to run the kit behind a proxy.
func readPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// block returns the lines for nginx that the page has under a heading.
func block(t *testing.T, heading string) string {
	t.Helper()
	_, section, ok := strings.Cut(readPage(t), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("the page has no heading %q", heading)
	}
	_, rest, ok := strings.Cut(section, "\n```nginx\n")
	lines, _, closed := strings.Cut(rest, "\n```\n")
	if !ok || !closed {
		t.Fatalf("the page has no lines for nginx under %q", heading)
	}
	return lines
}

// without returns the lines without those that begin with one of the directives.
func without(lines string, directives ...string) string {
	var kept []string
	for line := range strings.Lines(lines) {
		keep := true
		for _, directive := range directives {
			keep = keep && !strings.HasPrefix(strings.TrimSpace(line), directive)
		}
		if keep {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// with returns the lines with one more in the location.
func with(lines, more string) string {
	i := strings.LastIndex(lines, "}")
	return lines[:i] + "    " + more + "\n" + lines[i:]
}

// saysRow fails unless the page has the row.
func saysRow(t *testing.T, row string) {
	t.Helper()
	if !strings.Contains(readPage(t), "\n"+row+"\n") {
		t.Errorf("the page does not say:\n%s", row)
	}
}
