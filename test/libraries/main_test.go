package libraries

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
	"github.com/sessionkit/sessionkit/test/internal/report"
)

// modules is where npm installs the libraries.
const modules = "node_modules"

func TestMain(m *testing.M) {
	if _, err := os.Stat(filepath.Join(modules, ".package-lock.json")); err != nil {
		fmt.Fprintln(os.Stderr, "the libraries are not installed: run make deps, or here: npm ci --ignore-scripts")
		os.Exit(1)
	}
	code, err := chromiumtest.Run(m)
	if err := errors.Join(err, report.Print("what a person saw with each library", seen.text())); err != nil {
		fmt.Fprintln(os.Stderr, "tests of the libraries:", err)
		code = 1
	}
	os.Exit(code)
}

// seen has what a person saw, by client and refusal.
var seen matrix

// matrix is safe for concurrent use.
type matrix struct {
	mu    sync.Mutex // guards what follows
	cells [][3]string
}

func (m *matrix) add(client, refusal, what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cells = append(m.cells, [3]string{client, refusal, what})
}

func (m *matrix) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	slices.SortFunc(m.cells, func(a, b [3]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	last := ""
	for _, cell := range m.cells {
		client := cell[0]
		if client == last {
			client = ""
		}
		last = cell[0]
		fmt.Fprintf(w, "%s\t%s\t%s\n", client, cell[1], cell[2])
	}
	_ = w.Flush()
	return text.String()
}
