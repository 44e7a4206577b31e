package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

var example string // the example's program

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "browser tests:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "sessionkit-browser-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	example = filepath.Join(dir, "example.exe") // the name that runs everywhere
	if err := nodetest.Build(example); err != nil {
		return 1, err
	}
	return chromiumtest.Run(m)
}
