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
// that everything a session needs is: their columns and indexes, the columns and
// expressions of the app's users table, this account's rights, and the way the
// server and the connection are set up. The error names all that is wrong at
// once. A table that is there is never altered, the app's least of all: the
// error holds the statement that is missing.
//
// A server that may lose a commit in a crash is told of by slog's default
// logger, and is no error: it may be meant.
//
// Call it at each start. It may run on many nodes at once, and where all is in
// place it only reads, so that an account without the right to create tables
// will do: it needs SELECT on the app's table, and SELECT, INSERT, UPDATE and
// DELETE on the kit's.
func (s *Store) Migrate(ctx context.Context) error {
	faults, err := s.checkConnection(ctx)
	if err != nil {
		return err
	}
	users, err := s.columns(ctx, s.names.users)
	if err != nil {
		return err
	}
	app := s.checkUsers(ctx, users)
	// The kit's own tables take after the connection and the user's id, and are
	// better not made while one of them is wrong: without strict mode MySQL would
	// make something else than it was told.
	own, there, err := s.checkOwn(ctx, users, len(faults) == 0 && s.checkID(users) == nil)
	if err != nil {
		return err
	}
	if there {
		// Where the server is read-only, each write would be refused once more.
		own = append(own, s.checkRights(ctx, len(faults) == 0)...)
	}
	if err := errors.Join(slices.Concat(faults, own, app, s.checkReading(ctx, users, there && len(own) == 0))...); err != nil {
		return err
	}
	return s.addEpoch(ctx)
}

// column is a column as the database describes it: in lower case, its type
// without display width, with its collation if it has one.
type column struct {
	name, kind string
	nullable   bool // and could be altered: see traits.columns
}

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
		if err := rows.Scan(&c.name, &c.kind, &c.nullable); err != nil {
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

// checkOwn compares the kit's own tables with the schema, and creates what is
// missing of them, if it may and all else is right. It reports whether they are
// there and as they should be.
func (s *Store) checkOwn(ctx context.Context, users []column, create bool) (faults []error, there bool, err error) {
	schema := s.schema(users)
	missing, misfits, lacking, err := s.compareOwn(ctx, schema)
	if err != nil {
		return nil, false, err
	}
	if missing && create && len(misfits) == 0 {
		for statement := range strings.SplitSeq(strings.TrimSpace(schema), ";\n") {
			if _, err := s.db.ExecContext(ctx, statement); err != nil {
				return []error{fmt.Errorf("sqlstore: Migrate: creating the tables %s and %s "+
					"(an account that may can run Migrate once; if they are there already, this one may not see them, "+
					"and needs SELECT, INSERT, UPDATE and DELETE on both): %w", s.names.sessions, s.names.epochs, err)}, false, nil
			}
		}
		if missing, misfits, lacking, err = s.compareOwn(ctx, schema); err != nil {
			return nil, false, err
		}
	}
	if missing { // what they lack may be on its way
		return misfits, false, nil
	}
	return append(misfits, lacking...), len(misfits) == 0, nil
}

// compareOwn compares the kit's tables that are there with the schema: what does
// not fit, and which indexes they lack. It reports whether one is missing. The
// epoch table is the last thing in the schema: when it is there, so are all
// indexes, unless somebody has dropped one.
func (s *Store) compareOwn(ctx context.Context, schema string) (missing bool, misfits, lacking []error, err error) {
	for _, t := range []table{s.names.sessions, s.names.epochs} {
		found, err := s.columns(ctx, t)
		if err != nil {
			return false, nil, nil, err
		}
		if len(found) == 0 {
			missing = true
			continue
		}
		if err := misfit(t, definitions(schema, t), found); err != nil {
			misfits = append(misfits, err)
			continue
		}
		faults, err := s.checkIndexes(ctx, t, s.indexed(schema, t))
		if err != nil {
			return false, nil, nil, fmt.Errorf("sqlstore: Migrate: reading the indexes of %s: %w", t, err)
		}
		lacking = append(lacking, faults...)
	}
	return missing, misfits, lacking, nil
}

// addEpoch puts the row into the epoch table.
func (s *Store) addEpoch(ctx context.Context) error {
	var migrated bool
	if err := s.db.QueryRowContext(ctx, s.sql.hasEpoch).Scan(&migrated); err != nil {
		return fmt.Errorf("sqlstore: Migrate: looking for the epoch: %w", err)
	}
	if migrated {
		return nil
	}
	_, err := s.exec(ctx, "Migrate: adding the epoch", s.sql.addEpoch)
	return err
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

var indexLine = regexp.MustCompile(`(?:KEY|INDEX)[^(\n]*\(([a-z_]+)\)`)

// indexed reads the columns that have an index out of the schema. Both tables
// have the id for their primary key; the sessions have all the rest.
func (s *Store) indexed(schema string, t table) []string {
	columns := []string{"id"}
	if t == s.names.sessions {
		for _, m := range indexLine.FindAllStringSubmatch(schema, -1) {
			columns = append(columns, m[1])
		}
	}
	return columns
}

// misfit compares a table of the kit's own with its definitions.
func misfit(t table, want []definition, found []column) error {
	var faults []string
	for _, def := range want {
		kind := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(def.sql), " null"), " not")
		switch has, there := find(found, def.column); {
		case kind == unknownType:
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
