package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// checkKitTables compares the kit's tables with the schema, and first creates what is
// missing if create is set. It reports whether all of them exist with the
// right columns.
func (s *Store) checkKitTables(ctx context.Context, schema []string, create bool) (faults []error, ready bool, err error) {
	found, err := s.compareKitTables(ctx, schema)
	if err != nil {
		return nil, false, err
	}
	// Next to another program's table nothing is created, so that whoever renames or
	// drops that table does not meet half of the kit's.
	if found.missing && create && len(found.wrongColumns) == 0 {
		if err := s.createTables(ctx, schema); err != nil {
			return []error{err}, false, nil
		}
		if found, err = s.compareKitTables(ctx, schema); err != nil {
			return nil, false, err
		}
	}
	if found.missing { // another node may be creating the indexes
		return found.wrongColumns, false, nil
	}
	return append(found.wrongColumns, found.missingIndexes...), len(found.wrongColumns) == 0, nil
}

// comparison is how the kit's existing tables differ from the schema.
type comparison struct {
	missing                      bool // at least one table
	wrongColumns, missingIndexes []error
}

// compareKitTables compares the kit's tables with the schema. The schema creates the
// epoch table last: once it exists, so do all indexes, unless somebody dropped one. So it is
// looked for first, because another node may be creating the tables.
func (s *Store) compareKitTables(ctx context.Context, schema []string) (c comparison, err error) {
	for _, t := range s.names.kit() {
		found, err := s.columns(ctx, t)
		if err != nil {
			return c, err
		}
		if len(found) == 0 {
			c.missing = true
			continue
		}
		if err := compareColumns(t, definitions(schema, t), found); err != nil {
			c.wrongColumns = append(c.wrongColumns, err)
			continue
		}
		faults, err := s.checkIndexes(ctx, t, found, indexed(schema, t)...)
		if err != nil {
			return c, err
		}
		c.missingIndexes = append(c.missingIndexes, faults...)
	}
	return c, nil
}

// compareColumns compares a kit's table with its definitions.
func compareColumns(t table, defs []definition, found []column) error {
	faults := differences(defs, found)
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("the table %s is not the kit's: if it belongs to another program, give Config.Sessions another name, such as login_sessions, "+
		"else drop it, which logs everybody out, and run Migrate again; it differs in this: %s", t, strings.Join(faults, "; "))
}

// differences says how a table differs from its definitions. Columns that are not in
// the schema are allowed. The type of user_id is empty while the app's id column is
// unknown.
func differences(defs []definition, found []column) (faults []string) {
	for _, def := range defs {
		switch has, exists := findColumn(found, def.column); {
		case def.kind == "" || def.kind == "not": // no type: the line goes on with NOT NULL
		case !exists:
			faults = append(faults, fmt.Sprintf("there is no %s (%s)", def.column, def.sql))
		case has.kind != def.kind:
			faults = append(faults, fmt.Sprintf("%s is %s, not %s", def.column, has.kind, def.kind))
		}
	}
	if more := len(faults) - maxDifferences; more > 0 {
		faults = append(faults[:maxDifferences], fmt.Sprintf("and %d more", more))
	}
	return faults
}

// maxDifferences is how many differences of a table an error lists. A table of another program
// has dozens.
const maxDifferences = 5

// checkPrivileges has the database explain a statement for each privilege, which
// fails if this account lacks it, and writes nothing. On a connection that must not
// write, only SELECT is checked, because every other one would fail too.
func (s *Store) checkPrivileges(ctx context.Context, schema []string, writable bool) (faults []error) {
	sessions, devices, epochs := s.names.sessions, s.names.devices, s.names.epochs
	privileges := []privilege{
		{"SELECT", sessions, "SELECT generation FROM {table} WHERE 1 = 0"},
		{"INSERT", sessions, insertNothing(schema, sessions)},
		{"UPDATE", sessions, "UPDATE {table} SET generation = 0 WHERE 1 = 0"},
		{"DELETE", sessions, "DELETE FROM {table} WHERE 1 = 0"},
		{"SELECT", devices, "SELECT user_code FROM {table} WHERE 1 = 0"},
		{"INSERT", devices, insertNothing(schema, devices)},
		{"UPDATE", devices, "UPDATE {table} SET polled_at = 0 WHERE 1 = 0"},
		{"DELETE", devices, "DELETE FROM {table} WHERE 1 = 0"},
		{"SELECT", epochs, "SELECT epoch FROM {table} WHERE 1 = 0"},
		{"UPDATE", epochs, "UPDATE {table} SET epoch = 0 WHERE 1 = 0"},
	}
	if !writable {
		privileges = slices.DeleteFunc(privileges, func(p privilege) bool { return p.name != "SELECT" })
	}
	return s.check(ctx, privileges)
}

// privilege is a right to a table, and a statement that needs it and changes nothing.
type privilege struct {
	name      string
	table     table
	statement string
}

// check explains the statement of each privilege.
func (s *Store) check(ctx context.Context, privileges []privilege) (faults []error) {
	for _, p := range privileges {
		if err := s.try(ctx, "EXPLAIN "+strings.ReplaceAll(p.statement, "{table}", p.table.sql)); err != nil {
			faults = append(faults, fmt.Errorf("%s on %s is refused: %w%s", p.name, p.table, err, s.permit(ctx, err, p.name, p.table)))
		}
	}
	return faults
}

// insertNothing names all columns of a table, because some have no default.
func insertNothing(schema []string, t table) string {
	var columns, nulls []string
	for _, def := range definitions(schema, t) {
		columns, nulls = append(columns, def.column), append(nulls, "NULL")
	}
	return "INSERT INTO {table} (" + strings.Join(columns, ", ") + ") SELECT " + strings.Join(nulls, ", ") + " WHERE 1 = 0"
}

// permit says what to do about an error of a statement that needs a privilege. It begins
// with a colon, or is empty.
func (s *Store) permit(ctx context.Context, err error, privilege string, t table) string {
	switch {
	case s.dialect.account == "":
		return ": this process must be able to read and to write the database's file and its folder"
	case s.dialect.isDenied(err):
		return ": run, with an account that may grant it,\n\t" + s.grant(ctx, privilege, t)
	case s.dialect.remedy(err) != "":
		return ": " + s.dialect.remedy(err)
	}
	return ""
}

// grant is the statement that gives this account a privilege.
func (s *Store) grant(ctx context.Context, privilege string, t table) string {
	var account string
	if err := s.queryRow(ctx, s.dialect.account).Scan(&account); err != nil {
		account = "the_account_of_the_DSN"
	}
	return "GRANT " + privilege + " ON " + t.sql + " TO " + account + ";"
}
