// Package nodes tests the example as it would run in earnest: several processes
// behind a load balancer, on one MariaDB, with browsers that lose answers, nodes
// and databases that die, and thieves.
//
// It needs a database server, see package dbtest, and fails without one.
// Every process dies with the test, however that ends.
package nodes

import (
	"testing"

	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

func TestMain(m *testing.M) { nodetest.Main(m) }
