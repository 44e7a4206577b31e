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
	"testing"

	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

func TestMain(m *testing.M) { nodetest.Main(m) }
