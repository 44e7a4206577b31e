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

	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

// host takes the place of the test that mysqltest wants. The server ends with
// this process, and so does what it holds.
type host struct{ testing.TB }

func (host) Helper()                        {}
func (host) Context() context.Context       { return context.Background() }
func (host) Cleanup(func())                 {}
func (host) Logf(string, ...any)            {}
func (host) Fatal(args ...any)              { log.Fatal(args...) }
func (host) Fatalf(text string, arg ...any) { log.Fatalf(text, arg...) }

// database is the server that all sites share. Each has a database of its own.
type database struct {
	server  *mysqltest.Server
	watch   *sql.DB
	pid     int
	version string
}

func startDatabase() *database {
	d := &database{server: mysqltest.Start(host{})}
	d.watch = must(sql.Open("mysql", d.server.Database(host{})))
	d.watch.SetMaxOpenConns(1)
	var pidFile string
	check(d.watch.QueryRow("SELECT @@pid_file, VERSION()").Scan(&pidFile, &d.version))
	d.pid = must(strconv.Atoi(strings.TrimSpace(string(must(os.ReadFile(pidFile))))))
	return d
}

// dsn makes a database for a site that wants one.
func (d *database) dsn(params []string) string {
	if params == nil {
		return ""
	}
	return d.server.Database(host{}, params...)
}

// counts are the server's own: Questions are the statements that clients have
// sent or executed, prepares come on top of them.
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

// since leaves out the asking itself, which is a statement too.
func (c counts) since(before counts) counts {
	return counts{c.statements - before.statements - 1, c.prepares - before.prepares, c.selects - before.selects, c.updates - before.updates}
}
