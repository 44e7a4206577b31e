package sqlstore_test

import (
	"testing"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// The walk reads a page in the order of the primary key, and sorts nothing.
func TestStore_ForgetsClientsAlongThePrimaryKey(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{}, "interpolateParams=true")
	a.fill(t, "n")
	a.exec(t, "ANALYZE TABLE sessions")
	for _, step := range a.plan(t, a.Statements()["findClients"], 1, make([]byte, 16), 500) {
		if step.key != "PRIMARY" {
			t.Errorf("it reads %s by %s, with index %q; want PRIMARY", step.table, step.access, step.key)
		}
	}
}
