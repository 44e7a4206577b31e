package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Migrate prepares the database and checks everything that sessions need. Call it
// at every start; any number of nodes may do so at once.
//
// It creates the kit's two tables if they do not exist, with the SQL that
// Store.Schema returns. Then it checks the columns and indexes of both tables, the
// columns and expressions of the app's table, the privileges of this account, and the
// settings of the server and of the connection.
//
// The error names all faults, one a line, each with its remedy: often the exact
// statement to run. Migrate never alters an existing table, neither the app's nor the
// kit's. If a table's catalog cannot be read, that error alone is returned.
//
// When nothing is missing, Migrate only reads. So an account without the privilege to
// create tables is enough, if it has SELECT on the app's table, SELECT, INSERT,
// UPDATE and DELETE on the sessions table, and SELECT and UPDATE on the epoch table.
//
// A server that may lose commits in a crash is not a fault, because that may be
// intended: it is reported to slog's default logger as a warning.
func (s *Store) Migrate(ctx context.Context) error {
	connection, err := s.dialect.checkConnection(ctx, s.db)
	if err != nil {
		return migrateError(fmt.Errorf("reading the connection's settings: %w", err))
	}
	users, err := s.columns(ctx, s.names.users)
	if err != nil {
		return migrateError(err)
	}
	app := s.checkUsers(ctx, users)
	id, _ := findColumn(users, s.names.id)
	schema := s.schemaSQL(s.userIDType(id.kind))
	// The kit's tables depend on the connection, because MySQL creates other columns
	// than it was told without strict mode, and on the app's id column.
	kit, ready, err := s.checkKitTables(ctx, schema, len(connection) == 0 && s.checkID(users) == nil)
	if err != nil {
		return migrateError(err)
	}
	if ready {
		kit = append(kit, s.checkPrivileges(ctx, schema, len(connection) == 0)...)
	}
	reading := s.checkReading(ctx, users, ready && len(kit) == 0)
	if err := migrateError(slices.Concat(connection, kit, app, reading)...); err != nil {
		return err
	}
	return s.addEpochRow(ctx, schema)
}

// migrateError joins faults. It returns nil if there are none.
func migrateError(faults ...error) error {
	for i, fault := range faults {
		faults[i] = failed("Migrate", fault)
	}
	return errors.Join(faults...)
}

// createTables runs the schema, except for the epoch row: while that is missing,
// every method returns an error, so that nobody logs in before all checks have
// passed.
func (s *Store) createTables(ctx context.Context, schema []string) error {
	for _, statement := range schema[:len(schema)-1] {
		if _, err := s.exec(ctx, statement); err != nil {
			both := s.names.sessions.sql + " and " + s.names.epochs.sql
			return fmt.Errorf("creating the tables %s: %w\n"+
				"If this account may not create tables, run Migrate, or the statements below, once with one that may. If the tables exist already: %s.\n\t%s",
				both, err, s.dialect.permit("SELECT, INSERT, UPDATE, DELETE", both), strings.ReplaceAll(strings.TrimSpace(strings.Join(schema, "")), "\n", "\n\t"))
		}
	}
	return nil
}

func (s *Store) addEpochRow(ctx context.Context, schema []string) error {
	var exists bool
	if err := s.queryRow(ctx, s.sql.hasEpochRow).Scan(&exists); err != nil {
		return migrateError(fmt.Errorf("looking for the epoch row: %w", err))
	}
	if exists {
		return nil
	}
	if _, err := s.exec(ctx, schema[len(schema)-1]); err != nil {
		return migrateError(fmt.Errorf("adding the epoch row: %w", err))
	}
	return nil
}
