// Package nodes tests the example as it would run in earnest: several processes
// behind a load balancer, on one MariaDB, with browsers that lose answers, nodes
// and databases that die, and thieves.
//
// It needs a database server, see package mysqltest, and fails without one.
// Every process dies with the test, however that ends.
package nodes

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// program is the example, built once for all tests.
var program string

func TestMain(m *testing.M) {
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
	if output, err := exec.Command("go", "build", "-o", program, "..").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building the example: %w\n%s", err, output)
	}
	// The tests' own connections break with the database, as they must.
	if err := mysql.SetLogger(log.New(io.Discard, "", 0)); err != nil {
		return 0, err
	}
	return m.Run(), nil
}
