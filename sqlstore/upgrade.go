package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// addedColumns holds the columns that each version of the schema has added to the sessions
// table, beginning with version 2. Their definitions stand in the schema files.
//
// An upgrade only adds. Nodes of the old and the new release run side by side, so a column
// that is added must accept NULL, and NULL must mean "as before": the old release does not
// fill it in. Nothing is ever removed from this list.
var addedColumns [][]string

// version is the version of the schema that this release creates.
func (s *Store) version() int { return 1 + len(s.added) }

// upgrade brings the kit's tables to this release's version. It does nothing if they do
// not exist, or if a later release has upgraded them.
//
// The error holds the statements that are left, for an account that may run them. Until
// they have run, nothing of this release starts, and the nodes of the old one go on.
func (s *Store) upgrade(ctx context.Context, schema []string) error {
	from, err := s.storedVersion(ctx)
	if err != nil || from >= s.version() {
		return err
	}
	names := slices.Concat(s.added[from-1:]...)
	var left []string
	for _, name := range names {
		left = append(left, s.addition(schema, name))
	}
	left = append(left, fmt.Sprintf(s.sql.setVersion, s.version(), s.version()))

	conn, err := s.upgradeConn(ctx)
	if err == nil {
		// Its settings and locks must not reach a later user of the connection.
		defer conn.Close()
		defer conn.Raw(func(any) error { return driver.ErrBadConn })
		alone := *s
		alone.on = conn // the pool may have no other connection
		left, err = alone.addColumns(ctx, names, left)
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("upgrading %s from version %d of the schema to %d: %w\n"+
		"Run these statements with an account that may alter tables, when no transaction uses the table, and start again. Nobody is logged out by them.\n\t%s;",
		s.names.sessions, from, s.version(), err, strings.Join(left, ";\n\t"))
}

// addColumns runs the statements of an upgrade: one for each column, and the last one for
// the version. It returns those that are left. Another node may have been faster.
func (s *Store) addColumns(ctx context.Context, names, statements []string) (left []string, err error) {
	for _, name := range names {
		if err := s.addColumn(ctx, name, statements[0]); err != nil {
			return statements, err
		}
		statements = statements[1:]
	}
	_, err = s.exec(ctx, statements[0])
	return statements, err
}

// upgradeConn returns a connection for the upgrade. Where the database can do so, it waits
// until no other node upgrades: requests must not wait for one attempt after another.
func (s *Store) upgradeConn(ctx context.Context) (*sql.Conn, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for _, prepare := range []string{s.dialect.alone, s.dialect.waitBriefly} {
		if prepare == "" {
			continue
		}
		if _, err := conn.ExecContext(ctx, prepare); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// addition returns the statement that adds a column of the schema.
func (s *Store) addition(schema []string, column string) string {
	defs := definitions(schema, s.names.sessions)
	def := defs[slices.IndexFunc(defs, func(d definition) bool { return d.column == column })]
	return "ALTER TABLE " + s.names.sessions.sql + " " + s.dialect.addColumn + " " + column + " " + def.sql
}

// storedVersion returns the version of the tables, or this release's if there is nothing
// to upgrade.
func (s *Store) storedVersion(ctx context.Context) (version int, err error) {
	epochs, err := s.columns(ctx, s.names.epochs)
	if err != nil {
		return 0, err
	}
	if _, exists := findColumn(epochs, "schema_version"); !exists {
		return s.version(), nil // checkKitTables says what the table is
	}
	err = s.queryRow(ctx, s.sql.version).Scan(&version)
	switch {
	case errors.Is(err, sql.ErrNoRows): // addEpochRow adds it
		return s.version(), nil
	case err != nil:
		return 0, fmt.Errorf("%w: %w", errVersionUnread, err)
	case version < 1:
		return 0, fmt.Errorf("the schema_version in %s is %d: another program wrote to it", s.names.epochs, version)
	}
	return version, nil
}

var errVersionUnread = errors.New("the version of the schema cannot be read")

const (
	// alterAttempts is how often an upgrade tries to get at a table that a transaction
	// uses.
	alterAttempts = 10

	// alterPause lets the statements that have waited behind an attempt finish. While an
	// ALTER TABLE waits, all other statements on the table wait behind it.
	alterPause = 2 * time.Second
)

// addColumn adds a column, unless it is there. It copies no table.
func (s *Store) addColumn(ctx context.Context, name, statement string) error {
	for attempt := 1; ; attempt++ {
		_, refused := s.exec(ctx, statement+s.dialect.withoutCopy)
		if refused == nil {
			return nil
		}
		columns, err := s.columns(ctx, s.names.sessions)
		if _, exists := findColumn(columns, name); exists || err != nil {
			return err
		}
		if attempt >= alterAttempts || !s.dialect.isLocked(refused) {
			return refused
		}
		select {
		case <-ctx.Done():
			return refused
		case <-time.After(alterPause):
		}
	}
}
