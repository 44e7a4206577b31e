package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode/utf8"
)

// Migrate prepares the database and checks everything that sessions need. Call it
// at every start; any number of nodes may do so at once.
//
// It creates the kit's three tables if they do not exist, with the SQL that
// Store.Schema returns. Then it checks the columns and indexes of these tables, the
// columns and expressions of the app's table, the privileges of this account, and the
// settings of the server and of the connection.
//
// The error names all faults, one a line, each with its remedy: often the exact
// statement to run. If a table's catalog cannot be read, or an upgrade fails, that error
// alone is returned. Migrate never alters the app's table.
//
// If the kit's tables are of an earlier release, Migrate upgrades them. It only adds
// columns, while old and new nodes run, and logs nobody out. Each ALTER TABLE waits for
// locks for at most a second and copies no table. If the account or the server refuses, the
// error holds the statements to run.
//
// When nothing is missing, Migrate only reads. So an account without the privilege to
// create tables is enough, if it has SELECT on the app's table, SELECT, INSERT,
// UPDATE and DELETE on the sessions table and on that of device logins, and SELECT and
// UPDATE on the epoch table.
//
// What may be intended is not a fault but a warning, to slog's default logger: a server
// that may lose commits in a crash; a Config.Disabled that refuses all of the first 100 users;
// an expression that cannot be read for one of them, such as a subquery with several rows;
// and a table of users in which the id of a deleted user may be given to a later one, with the
// declaration that prevents it. Only SQLite's INTEGER PRIMARY KEY without AUTOINCREMENT is
// known to do so. See Config.Epoch.
func (s *Store) Migrate(ctx context.Context) error {
	connection, err := s.dialect.checkConnection(ctx, s.db)
	if err != nil {
		return migrateError(fmt.Errorf("reading the connection's settings, as %s has them (Config.Dialect says which database it is): %w", s.dialect.name, err))
	}
	users, err := s.columns(ctx, s.names.users)
	if err != nil {
		return migrateError(err)
	}
	app := s.checkUsers(ctx, users)
	id, _ := findColumn(users, s.names.id)
	schema := s.schemaSQL(s.userIDType(id.kind))
	var unread error
	if len(connection) == 0 {
		switch err := s.upgrade(ctx, schema); {
		case errors.Is(err, errVersionUnread): // checkPrivileges may know why
			unread = err
		case err != nil:
			return migrateError(err)
		}
	}
	// The kit's tables depend on the connection, because MySQL creates other columns
	// than it was told without strict mode, and on the app's id column.
	kit, ready, err := s.checkKitTables(ctx, schema, len(connection) == 0 && s.checkID(users) == nil)
	if err != nil {
		return migrateError(err)
	}
	if ready && s.dialect.checkShards != nil {
		shards, err := s.dialect.checkShards(ctx, s)
		if err != nil || len(shards) > 0 { // until then no statement on the tables runs
			return migrateError(append(slices.Concat(connection, kit, app, shards), err)...)
		}
	}
	if ready {
		kit = append(kit, s.checkPrivileges(ctx, schema, len(connection) == 0)...)
	}
	reading := s.checkReading(ctx, users, ready && len(kit) == 0)
	if err := cmp.Or(migrateError(slices.Concat(connection, kit, app, reading)...), migrateError(unread)); err != nil {
		return err
	}
	if err := cmp.Or(s.warnOfRepeatedIDs(ctx), s.warnIfAllDisabled(ctx), s.warnOfExpressions(ctx), s.warnOfPaddedIDs(ctx)); err != nil {
		return migrateError(err)
	}
	return s.addEpochRow(ctx, schema)
}

// warnOfRepeatedIDs warns if a later user may get the id of a deleted one: the sessions
// of the first would be sessions of the second.
func (s *Store) warnOfRepeatedIDs(ctx context.Context) error {
	if s.dialect.repeatsIDs == "" {
		return nil
	}
	var repeats bool
	err := s.queryRow(ctx, s.dialect.repeatsIDs, s.names.users.schema, s.names.users.name, s.names.id, s.names.epoch.column).Scan(&repeats)
	if err != nil {
		return fmt.Errorf("reading whether ids of %s can repeat: %w", s.names.users, err)
	}
	if repeats {
		epoch := cmp.Or(s.names.epoch.column, "session_epoch")
		slog.WarnContext(ctx, fmt.Sprintf("sqlstore: the id of a deleted user may be given to a later one, and the sessions of the first would then be the second's: "+
			"call RevokeUser before a user is deleted, and declare %[1]s.%[2]s as %[2]s %[3]s, or the epoch as %[4]s %[5]s",
			s.names.users.name, s.names.id, s.dialect.freshID, epoch, s.dialect.freshEpoch))
	}
	return nil
}

// warnIfAllDisabled warns if Config.Disabled refuses every one of the users with the lowest
// ids, as it does if it names a column that is true for the users who may log in.
func (s *Store) warnIfAllDisabled(ctx context.Context) error {
	var users, disabled int
	if err := s.sample(ctx, "Disabled", s.names.disabled.sql, func() error {
		return s.queryRow(ctx, s.sql.countDisabled, sampleSize).Scan(&users, &disabled)
	}); err != nil {
		return err
	}
	if users > 0 && disabled == users {
		slog.WarnContext(ctx, fmt.Sprintf("sqlstore: Config.Disabled %s refuses all of the first %d users of %s: if it says who may log in, write the opposite, such as (NOT u.is_active)",
			s.names.disabled.sql, users, s.names.users))
	}
	return nil
}

// warnOfExpressions warns if an expression of Config cannot be read for one of the users with
// the lowest ids, such as a subquery that gives several rows: that user cannot log in. It is
// no fault, because a user may have caused it.
func (s *Store) warnOfExpressions(ctx context.Context) error {
	for _, r := range s.requirements() {
		if r.field == "Disabled" {
			continue
		}
		query := fmt.Sprintf("SELECT %s FROM %s u ORDER BY u.%s LIMIT %d", r.read(r.sql), s.names.users.sql, s.dialect.quote(s.names.id), sampleSize)
		if err := s.sample(ctx, r.field, r.sql, func() error {
			return s.query(ctx, query, nil, func(scan scanRow) error { return s.readSource(scan, r) })
		}); err != nil {
			return err
		}
	}
	return nil
}

// readSource reads one source of a user's row as Find does.
func (s *Store) readSource(scan scanRow, r requirement) error {
	user := userRow{exists: sql.Null[bool]{V: true, Valid: true}, epoch: sql.Null[uint64]{Valid: true}}
	var attr sql.NullString
	switch r.field {
	case "Epoch":
		user.epoch = sql.Null[uint64]{}
		if err := scan(&user.epoch); err != nil {
			return err
		}
	case "Roles":
		if err := scan(&user.roles); err != nil {
			return err
		}
	default:
		if err := scan(&attr); err != nil {
			return err
		}
		if !utf8.ValidString(attr.String) {
			return errors.New("it is not UTF-8")
		}
	}
	_, err := user.user(names{})
	return err
}

// warnOfPaddedIDs warns if ids are shorter than their column, which fills them up with zero
// bytes: those users cannot log in under the id that the app has written.
func (s *Store) warnOfPaddedIDs(ctx context.Context) error {
	if s.dialect.padded == "" || s.kind != Text {
		return nil
	}
	query := strings.NewReplacer("{id}", "u."+s.dialect.quote(s.names.id), "{users}", s.names.users.sql).Replace(s.dialect.padded)
	var padded int
	if err := s.queryRow(ctx, query).Scan(&padded); err != nil {
		return fmt.Errorf("reading whether ids of %s are padded: %w", s.names.users, err)
	}
	if padded > 0 {
		slog.WarnContext(ctx, fmt.Sprintf("sqlstore: %d of the first %d ids in %s.%s end with zero bytes, which a BINARY column appends and which belong to the id: "+
			"these users can only log in under an id that ends with them; declare the column VARBINARY, and remove them", padded, sampleSize, s.names.users, s.names.id))
	}
	return nil
}

// sample reads an expression for some users, and warns if it fails twice. It returns an error
// if the time is over.
func (s *Store) sample(ctx context.Context, field, sql string, read func() error) error {
	if read() == nil {
		return nil
	}
	why := read() // the connection may have been lost
	if why == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("reading Config.%s of some users of %s: %w", field, s.names.users, why)
	}
	slog.WarnContext(ctx, fmt.Sprintf("sqlstore: Config.%s %s cannot be read for one of the first %d users of %s, who cannot log in: %v", field, sql, sampleSize, s.names.users, why))
	return nil
}

// sampleSize is how many users the warnings read: few, however large the table is.
const sampleSize = 100

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
		if err := s.create(ctx, statement); err != nil {
			return fmt.Errorf("creating the tables %s, %s and %s: %w%s", s.names.sessions, s.names.devices, s.names.epochs, err, s.permitTables(ctx, err, schema))
		}
	}
	return nil
}

// create runs a statement of a schema. Another node may do so at the same time.
func (s *Store) create(ctx context.Context, statement string) error {
	_, err := s.exec(ctx, statement)
	if err != nil && s.dialect.isRaced != nil && s.dialect.isRaced(err) {
		_, err = s.exec(ctx, statement)
	}
	return err
}

// permitTables says what to do if this account may not create the tables. It may be unable to
// see them, because it has no right to use them.
func (s *Store) permitTables(ctx context.Context, err error, schema []string) string {
	if !s.dialect.isDenied(err) {
		return ""
	}
	statements := strings.Join(schema, "") + strings.Join([]string{
		s.grant(ctx, "SELECT, INSERT, UPDATE, DELETE", s.names.sessions),
		s.grant(ctx, "SELECT, INSERT, UPDATE, DELETE", s.names.devices),
		s.grant(ctx, "SELECT, UPDATE", s.names.epochs),
	}, "\n")
	return "\nRun these statements once with an account that may create tables, also if the tables exist:\n\t" + strings.ReplaceAll(statements, "\n", "\n\t")
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
