package sqlstore

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// checkConnection looks at how the server and the connection are set up.
func (s *Store) checkConnection(ctx context.Context) (faults []error, err error) {
	if s.traits.settings == "" {
		return nil, nil
	}
	var mode, charset, flush string
	var autocommit, readOnly, engineReadOnly bool
	if err := s.db.QueryRowContext(ctx, s.traits.settings).Scan(&mode, &charset, &autocommit, &readOnly, &engineReadOnly, &flush); err != nil {
		return nil, fmt.Errorf("sqlstore: Migrate: reading the connection's settings: %w", err)
	}
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("sqlstore: Migrate: "+format, args...))
	}
	if !strings.Contains(mode, "STRICT_TRANS_TABLES") && !strings.Contains(mode, "STRICT_ALL_TABLES") {
		fault("sql_mode is %q, in which the database cuts values to fit: "+
			"take the sql_mode out of the DSN, or add STRICT_TRANS_TABLES to it", mode)
	}
	if !strings.HasPrefix(charset, "utf8") {
		fault("the connection's character set is %s, in which users' ids and roles of other scripts are other ones, or all alike: "+
			"take charset and collation out of the DSN, or choose utf8mb4", charset)
	}
	if !autocommit {
		fault("autocommit is off, so that nothing would be kept: take it out of the DSN")
	}
	// Some accounts may write all the same, to a replica that nobody reads from.
	if readOnly || engineReadOnly {
		fault("the server is read-only, as replicas are (read_only = %d, innodb_read_only = %d): open the primary", number(readOnly), number(engineReadOnly))
	}
	if flush != "1" {
		slog.WarnContext(ctx, "sqlstore: a crash of the database may forget logouts of the last second, and bring those sessions back: "+
			"set innodb_flush_log_at_trx_commit = 1, unless this is meant", "innodb_flush_log_at_trx_commit", flush)
	}
	return faults, nil
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// checkIndexes looks whether the kit's statements find their rows by an index,
// and whether id, the first, stands for one row only.
func (s *Store) checkIndexes(ctx context.Context, t table, want []string) (faults []error, err error) {
	unique, err := s.indexes(ctx, t)
	if err != nil {
		return nil, err
	}
	for _, column := range want {
		switch isUnique, there := unique[column]; {
		case column == want[0] && !isUnique:
			faults = append(faults, fmt.Errorf("sqlstore: Migrate: %[1]s has no unique index on %[2]s: run\n\tCREATE UNIQUE INDEX %[3]s_%[2]s ON %[1]s (%[2]s)",
				t, column, t.name))
		case !there:
			faults = append(faults, fmt.Errorf("sqlstore: Migrate: %[1]s has no index on %[2]s: run\n\tCREATE INDEX %[3]s_%[2]s ON %[1]s (%[2]s)",
				t, column, t.name))
		}
	}
	return faults, nil
}

// indexes returns the first columns of all indexes of a table, in lower case, and
// whether one of these is unique.
func (s *Store) indexes(ctx context.Context, t table) (map[string]bool, error) {
	rows, err := s.db.QueryContext(ctx, s.traits.indexes, t.schema, t.name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	indexes := map[string]bool{}
	for rows.Next() {
		var column string
		var unique bool
		if err := rows.Scan(&column, &unique); err != nil {
			return nil, err
		}
		column = strings.ToLower(column)
		indexes[column] = indexes[column] || unique
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return indexes, nil
}

// checkRights has the database explain statements that need each one right, and
// so tell whether this account has it, whether by itself or by a role. Nothing
// is written, and on a server that does not let it write, nothing is asked.
func (s *Store) checkRights(ctx context.Context, writing bool) (faults []error) {
	sessions, epochs := s.names.sessions, s.names.epochs
	var columns []string // all: one without a default must not be left out
	for _, def := range definitions(s.schema(nil), sessions) {
		columns = append(columns, def.column)
	}
	for _, r := range []struct {
		right     string
		on        table
		statement string
	}{
		{"SELECT", sessions, "SELECT generation FROM {table} WHERE 1 = 0"},
		{"INSERT", sessions, "INSERT INTO {table} (" + strings.Join(columns, ", ") + ") SELECT NULL" + strings.Repeat(", NULL", len(columns)-1) + " WHERE 1 = 0"},
		{"UPDATE", sessions, "UPDATE {table} SET generation = 0 WHERE 1 = 0"},
		{"DELETE", sessions, "DELETE FROM {table} WHERE 1 = 0"},
		{"SELECT", epochs, "SELECT epoch FROM {table} WHERE 1 = 0"},
		{"UPDATE", epochs, "UPDATE {table} SET epoch = 0 WHERE 1 = 0"},
	} {
		if !writing && r.right != "SELECT" {
			continue
		}
		if err := s.read(ctx, "EXPLAIN "+strings.ReplaceAll(r.statement, "{table}", r.on.String())); err != nil {
			faults = append(faults, fmt.Errorf("sqlstore: Migrate: %[1]s on %[2]s is refused (GRANT %[1]s ON %[2]s to this account, if that is it): %[3]w", r.right, r.on, err))
		}
	}
	return faults
}

// read runs a query for its error.
func (s *Store) read(ctx context.Context, query string) error {
	rows, err := s.db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}
