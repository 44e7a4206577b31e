package dbtest

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSuite_NotesWhatPassedOnly(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("SESSIONKIT_REPORTS", folder)
	db, err := sql.Open("mysql", Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()

	t.Run("a test that passes", func(t *testing.T) { Suite(t, db, "one suite") })
	t.Run("a test that is skipped", func(t *testing.T) {
		Suite(t, db, "another suite")
		t.SkipNow()
	})
	report, err := os.ReadFile(filepath.Join(folder, "engines"))
	if err != nil {
		t.Fatal(err)
	}
	suite, engine, _ := strings.Cut(strings.TrimSpace(string(report)), "\t")
	name, version, _ := strings.Cut(engine, " ")
	if suite != "one suite" || name != "MariaDB" && name != "MySQL" || version == "" || strings.ContainsAny(version, "-\n") {
		t.Errorf("the report is %q; want one suite on MariaDB or MySQL with a version", report)
	}
}
