package dbtest

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Suite notes that a test, which stands for a suite of tests, has passed on the engine of
// db. If SESSIONKIT_REPORTS names a folder, Suite adds a line to the file engines there
// when the test ends, and .ci/reports makes a table of all lines. A test that fails adds
// nothing. Suite logs the engine and its version.
func Suite(tb testing.TB, db *sql.DB, name string) {
	tb.Helper()
	engine, err := engineOf(db)
	if err != nil {
		tb.Fatalf("dbtest: the version of the server: %v", err)
	}
	tb.Logf("dbtest: %s on %s", name, engine)
	tb.Cleanup(func() {
		folder := os.Getenv("SESSIONKIT_REPORTS")
		if folder == "" || tb.Failed() || tb.Skipped() {
			return
		}
		if err := appendLine(filepath.Join(folder, "engines"), name+"\t"+engine); err != nil {
			tb.Errorf("dbtest: %v", err)
		}
	})
}

// engineOf returns the name and the version of an engine, such as "MariaDB 10.11.19".
func engineOf(db *sql.DB) (string, error) {
	var version string
	if err := db.QueryRow("SELECT version()").Scan(&version); err != nil {
		if err := db.QueryRow("SELECT sqlite_version()").Scan(&version); err != nil {
			return "", err
		}
		return "SQLite " + version, nil
	}
	number, rest, _ := strings.Cut(version, "-")
	switch {
	case strings.HasPrefix(version, "PostgreSQL "): // PostgreSQL 15.14 (Debian ...) on ...
		return strings.Join(strings.Fields(version)[:2], " "), nil
	case strings.HasPrefix(rest, "MariaDB"): // 10.11.19-MariaDB-0+deb12u1
		return "MariaDB " + number, nil
	case strings.HasPrefix(rest, "Vitess"): // 8.4.6-Vitess
		return vitessOf(db)
	default: // 9.7.4
		return "MySQL " + number, nil
	}
}

// vitessOf returns the version of vtgate: VERSION() is that of the MySQL which it imitates.
func vitessOf(db *sql.DB) (string, error) {
	var comment string // Version: 24.0.4 (Git revision ...) built on ...
	if err := db.QueryRow("SELECT @@version_comment").Scan(&comment); err != nil {
		return "", err
	}
	if fields := strings.Fields(comment); len(fields) > 1 && fields[0] == "Version:" {
		return "Vitess " + fields[1], nil
	}
	return "", fmt.Errorf("the version comment of vtgate is %q", comment)
}

// appendLine adds a line to a file that several processes write.
func appendLine(name, line string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}
