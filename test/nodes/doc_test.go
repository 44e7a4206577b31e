// Package nodes tests the example as in production: several processes behind a load
// balancer, on one MariaDB or MySQL. Answers are lost, nodes and databases fail, and cookies are
// stolen. With the flag -postgres the same tests run on PostgreSQL:
//
//	make test-postgres
//
// It needs a database server, see package dbtest, and fails without one. Every process
// ends with the test, even if the test is killed.
package nodes

import (
	"flag"
	"testing"

	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

func TestMain(m *testing.M) { nodetest.Main(m) }

// For databases that take longer, such as that of make drill-vitess.
var (
	given  = flag.String("dsn", "", "the database for the tests of parallel requests and of thefts, instead of a new one")
	thefts = flag.Int("thefts", 60, "how many thefts happen at once")
)

// database returns the DSN of an empty database, or of the given one.
func database(t *testing.T) string {
	t.Helper()
	if *given != "" {
		return *given
	}
	return nodetest.Database(t)
}
