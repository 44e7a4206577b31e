package sqlstore_test

import (
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// MySQL, and MariaDB up to 11, answer 0 or 1. MariaDB 12 answers a word, of which only
// OFF permits writes. The test puts the values of all versions into the query, because
// the server knows only its own.
func TestMySQL_ReadsReadOnlyVariablesOfAllVersions(t *testing.T) {
	db := open(t)
	for _, variable := range []string{"@@GLOBAL.read_only", "@@GLOBAL.innodb_read_only"} {
		for value, want := range map[string]bool{
			"0": false, "1": true, "'0'": false, "'1'": true, "'OFF'": false, "'ON'": true, "'NO_LOCK'": true, "'NO_LOCK_NO_ADMIN'": true,
		} {
			if strings.Count(sqlstore.MySQLSettings, variable+" ") != 1 {
				t.Fatalf("%s does not occur exactly once:\n%s", variable, sqlstore.MySQLSettings)
			}
			var mode, charset, flush string
			var globalMode, autocommit, globalAutocommit, readOnly, engineReadOnly bool
			query := strings.Replace(sqlstore.MySQLSettings, variable+" ", value+" ", 1)
			if err := db.QueryRowContext(t.Context(), query).Scan(&mode, &globalMode, &charset, &autocommit, &globalAutocommit, &readOnly, &engineReadOnly, &flush); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			got, other := readOnly, engineReadOnly
			if variable == "@@GLOBAL.innodb_read_only" {
				got, other = engineReadOnly, readOnly
			}
			if got != want || other {
				t.Errorf("%s = %s: read-only %v, and the other variable %v; want %v, false", variable, value, got, other, want)
			}
		}
	}
}
