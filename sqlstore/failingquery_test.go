package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

var errQuery = errors.New("the connection was lost")

// failingConnector opens connections that fail one statement, by its number.
type failingConnector struct {
	driver.Connector
	count atomic.Int64 // of the statements so far
	fail  atomic.Int64 // the number of the one that fails; 0: none

	before func(n int64) // runs before the statement of the number; nil: nothing does
}

func newFailingConnector(t *testing.T, dsn string) *failingConnector {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &failingConnector{Connector: inner}
}

func (c *failingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return &failingConn{conn, c}, err
}

func (c *failingConnector) next() error {
	n := c.count.Add(1)
	if c.before != nil {
		c.before(n)
	}
	if n == c.fail.Load() {
		return errQuery
	}
	return nil
}

type failingConn struct {
	driver.Conn
	connector *failingConnector
}

func (c *failingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.connector.next(); err != nil {
		return nil, err
	}
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c *failingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.connector.next(); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

// Migrate believes nothing that it could not read: whichever of its statements fails, it
// says so.
func TestMigrate_ReportsEachStatementThatFails(t *testing.T) {
	connector := newFailingConnector(t, dbtest.Database(t, "interpolateParams=true"))
	a := app{db: sql.OpenDB(connector)}
	defer a.db.Close()
	a.exec(t, integerUsers)
	a.Store = newStore(t, a.db, sqlstore.Config{})
	statements := func() int64 {
		t.Helper()
		connector.count.Store(0)
		if err := a.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		return connector.count.Load()
	}
	for what, n := range map[string]int64{"that creates the tables": statements(), "that finds them": statements()} {
		if n < 10 {
			t.Fatalf("a Migrate %s makes %d statements", what, n)
		}
		for i := range n {
			if strings.Contains(what, "creates") {
				a.exec(t, "DROP TABLE IF EXISTS sessions, sessions_devices, sessions_epoch")
			}
			connector.count.Store(0)
			connector.fail.Store(i + 1)
			err := a.Migrate(t.Context())
			connector.fail.Store(0)
			if err == nil && connector.count.Load() > n {
				continue // it was repeated
			}
			if err == nil || !strings.Contains(err.Error(), errQuery.Error()) {
				t.Errorf("a Migrate %s, whose statement %d of %d fails: %v", what, i+1, n, err)
			}
		}
		t.Logf("a Migrate %s makes %d statements", what, n)
	}
}
