// Package nodetest runs the example as in production: several processes behind a load
// balancer, on one database or several, with browsers that store cookies.
//
// Every process ends with the test, even if the test is killed.
package nodetest

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// program is the path of the example, built once for all tests of a package.
var program string

// Main builds the example and runs the tests of a package. Call it from TestMain.
func Main(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "sessionkit-nodes-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "example")
	if err := Build(program); err != nil {
		return 0, err
	}
	// The connections of the tests break with the database. The driver must not log it.
	if err := mysql.SetLogger(log.New(io.Discard, "", 0)); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// Dir returns the folder of the example. The example is a separate module. The tests do
// not import it: they only run its program.
func Dir() (string, error) {
	gomod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("looking for the example: %w", err)
	}
	module := filepath.Dir(strings.TrimSpace(string(gomod)))
	return filepath.Join(module, "..", "example"), nil
}

// Build builds the example with the dependencies of its own module.
func Build(output string, flags ...string) error {
	dir, err := Dir()
	if err != nil {
		return err
	}
	build := exec.Command("go", append([]string{"build", "-C", dir, "-o", output}, flags...)...)
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the example: %w\n%s", err, output)
	}
	return nil
}
