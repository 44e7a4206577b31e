package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Migrate creates the kit's two tables if they are not there, and then checks
// that everything a session needs is: their columns, the columns and expressions
// of the app's users table, and the way the connection is set up. The error
// names all that is wrong at once. A table that is there is never altered, the
// app's least of all: the error holds the ALTER TABLE that is missing.
//
// Call it at each start. It may run on many nodes at once, and where all is in
// place it only reads, so that an account without the right to create tables
// will do.
func (s *Store) Migrate(ctx context.Context) error {
	// The connection first: without strict mode MySQL would cut values to fit.
	if err := s.checkConnection(ctx); err != nil {
		return err
	}
	users, err := s.columns(ctx, s.names.users)
	if err != nil {
		return err
	}
	if len(users) == 0 {
		return fmt.Errorf("sqlstore: Migrate: there is no table %s: create it first, or name the app's table in Config.Users", s.names.users)
	}
	faults := s.checkColumns(users)
	if err := s.checkID(users); err != nil {
		// The kit's own table takes after it, and is better not made yet.
		return errors.Join(append([]error{err}, faults...)...)
	}
	own, err := s.createTables(ctx, s.schema(users))
	if err != nil {
		return err
	}
	return errors.Join(slices.Concat(own, faults, s.checkExpressions(ctx))...)
}

func (s *Store) checkConnection(ctx context.Context) error {
	if s.traits.settings == "" {
		return nil
	}
	var mode string
	var autocommit bool
	if err := s.db.QueryRowContext(ctx, s.traits.settings).Scan(&mode, &autocommit); err != nil {
		return fmt.Errorf("sqlstore: Migrate: reading the connection's settings: %w", err)
	}
	var faults []error
	if !strings.Contains(mode, "STRICT_TRANS_TABLES") && !strings.Contains(mode, "STRICT_ALL_TABLES") {
		faults = append(faults, fmt.Errorf("sqlstore: Migrate: sql_mode is %q, in which the database cuts values to fit: "+
			"take the sql_mode out of the DSN, or add STRICT_TRANS_TABLES to it", mode))
	}
	if !autocommit {
		faults = append(faults, errors.New("sqlstore: Migrate: autocommit is off, so that nothing would be kept: take it out of the DSN"))
	}
	return errors.Join(faults...)
}

// column is a column as the database describes it: in lower case, its type
// without display width, with its collation if it has one.
type column struct{ name, kind string }

var displayWidth = regexp.MustCompile(`(int)\(\d+\)`)

func (s *Store) columns(ctx context.Context, t table) ([]column, error) {
	rows, err := s.db.QueryContext(ctx, s.traits.columns, t.schema, t.name)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: Migrate: reading the columns of %s: %w", t, err)
	}
	defer rows.Close()
	var columns []column
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.name, &c.kind); err != nil {
			return nil, fmt.Errorf("sqlstore: Migrate: reading the columns of %s: %w", t, err)
		}
		c.name, c.kind = strings.ToLower(c.name), displayWidth.ReplaceAllString(c.kind, "$1")
		columns = append(columns, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sqlstore: Migrate: reading the columns of %s: %w", t, err)
	}
	return columns, nil
}

// find returns what there is to know about a column. Databases do not tell
// upper from lower case in column names.
func find(columns []column, name string) (column, bool) {
	i := slices.IndexFunc(columns, func(c column) bool { return strings.EqualFold(c.name, name) })
	if i < 0 {
		return column{}, false
	}
	return columns[i], true
}

// createTables creates what is missing of the kit's own tables, and compares
// what is there with the schema. The epoch table is the last thing in the schema:
// when it is there, so are all indexes.
func (s *Store) createTables(ctx context.Context, schema string) (faults []error, err error) {
	tables := [...]table{s.names.sessions, s.names.epochs}
	var found [len(tables)][]column
	read := func() error {
		for i, t := range tables {
			if found[i], err = s.columns(ctx, t); err != nil {
				return err
			}
		}
		return nil
	}
	if err := read(); err != nil {
		return nil, err
	}
	if len(found[0]) == 0 || len(found[1]) == 0 {
		for statement := range strings.SplitSeq(strings.TrimSpace(schema), ";\n") {
			if _, err := s.db.ExecContext(ctx, statement); err != nil {
				return nil, fmt.Errorf("sqlstore: Migrate: creating the tables: %w", err)
			}
		}
		if err := read(); err != nil {
			return nil, err
		}
	}
	for i, t := range tables {
		if err := misfit(t, definitions(schema, t), found[i]); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		return faults, nil
	}
	var migrated bool
	if err := s.db.QueryRowContext(ctx, s.sql.hasEpoch).Scan(&migrated); err != nil {
		return nil, fmt.Errorf("sqlstore: Migrate: looking for the epoch: %w", err)
	}
	if !migrated {
		if _, err := s.exec(ctx, "Migrate: adding the epoch", s.sql.addEpoch); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// definition is a column as the schema wants it.
type definition struct{ column, sql string }

var columnLine = regexp.MustCompile(`(?m)^\t([a-z_]+) +(.*? (?:NOT )?NULL)`)

// definitions reads a table's columns out of the schema, so that there is one
// place only that says what they are.
func definitions(schema string, t table) []definition {
	_, body, _ := strings.Cut(schema, "CREATE TABLE IF NOT EXISTS "+t.String()+" (\n")
	body, _, _ = strings.Cut(body, "\n)")
	var defs []definition
	for _, m := range columnLine.FindAllStringSubmatch(body, -1) {
		defs = append(defs, definition{m[1], strings.Join(strings.Fields(m[2]), " ")})
	}
	return defs
}

// misfit compares a table of the kit's own with its definitions.
func misfit(t table, want []definition, found []column) error {
	var faults []string
	for _, def := range want {
		kind := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(def.sql), " null"), " not")
		switch has, there := find(found, def.column); {
		case !there:
			faults = append(faults, fmt.Sprintf("there is no %s (%s)", def.column, def.sql))
		case has.kind != kind:
			faults = append(faults, fmt.Sprintf("%s is %s, not %s", def.column, has.kind, kind))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("sqlstore: Migrate: the table %s is not the kit's: %s; if it is another's, name a new one in Config.Sessions, "+
		"else drop it, which logs everybody out, and run Migrate again", t, strings.Join(faults, "; "))
}
