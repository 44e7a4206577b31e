package main

import (
	"context"
	"database/sql"
	"log"
	"os"
	"strconv"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/internal/dbtest"
)

// host is the testing.TB that dbtest requires. The server and its data end with this
// process, so Cleanup does nothing.
type host struct{ testing.TB }

func (host) Helper()                        {}
func (host) Context() context.Context       { return context.Background() }
func (host) Cleanup(func())                 {}
func (host) Logf(string, ...any)            {}
func (host) Fatal(args ...any)              { log.Fatal(args...) }
func (host) Fatalf(text string, arg ...any) { log.Fatalf(text, arg...) }

// database is the database server that all sites share. Each site has a separate
// database.
type database struct {
	server  *dbtest.Server
	watch   *sql.DB
	pid     int
	version string
}

func startDatabase() *database {
	d := &database{server: dbtest.Start(host{})}
	d.watch = must(sql.Open("mysql", d.server.Database(host{})))
	d.watch.SetMaxOpenConns(1)
	var pidFile string
	check(d.watch.QueryRow("SELECT @@pid_file, VERSION()").Scan(&pidFile, &d.version))
	d.pid = must(strconv.Atoi(strings.TrimSpace(string(must(os.ReadFile(pidFile))))))
	return d
}

// dsn creates a database for a site, and returns its DSN. It returns "" for a site
// without a database (params is nil).
func (d *database) dsn(params []string) string {
	if params == nil {
		return ""
	}
	return d.server.Database(host{}, params...)
}

// counts are status variables of the server. Questions counts the statements that
// clients sent or executed; it does not include prepares.
type counts struct{ statements, prepares, selects, updates float64 }

func (d *database) counts() (c counts) {
	rows := must(d.watch.Query("SHOW GLOBAL STATUS WHERE Variable_name IN ('Questions', 'Com_stmt_prepare', 'Com_select', 'Com_update')"))
	defer rows.Close()
	for rows.Next() {
		var name string
		var n float64
		check(rows.Scan(&name, &n))
		switch name {
		case "Questions":
			c.statements = n
		case "Com_stmt_prepare":
			c.prepares = n
		case "Com_select":
			c.selects = n
		case "Com_update":
			c.updates = n
		}
	}
	check(rows.Err())
	return c
}

// since returns the difference to before. It subtracts the statement that reads the
// counts.
func (c counts) since(before counts) counts {
	return counts{c.statements - before.statements - 1, c.prepares - before.prepares, c.selects - before.selects, c.updates - before.updates}
}
