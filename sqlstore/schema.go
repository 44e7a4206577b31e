package sqlstore

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Schema returns the SQL that creates the kit's three tables and the row of the epoch
// table, for people who create tables with goose, atlas or golang-migrate. It needs
// no database: Store.Schema and Migrate do the same with one.
//
// Every statement ends with a semicolon and a newline. All may be run again; existing
// tables and rows stay as they are. Call Migrate at the start all the same: it finds
// nothing to create and checks the rest.
//
// The error names every fault of cfg. For the IDKind Text in MySQL,
// Config.IDColumnType must be set.
func Schema(cfg Config) (string, error) {
	s, err := newStore(cfg)
	if err != nil {
		return "", err
	}
	userID := s.userIDType("")
	if userID == "" {
		return "", fmt.Errorf("sqlstore: Schema: Config.IDColumnType: is empty: the column user_id needs the character set and the collation of %s.%s; "+
			"set it to a type such as VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, or call Store.Schema, which reads them from the database",
			s.names.users, s.names.id)
	}
	return strings.Join(s.schemaSQL(userID), ""), nil
}

// Schema returns the SQL that Migrate runs on this database when the kit's tables do
// not exist: see the function Schema. It changes nothing. It reads the database only
// for the IDKind Text without Config.IDColumnType, to give user_id the character set
// and the collation of the app's column; without that column it returns an error.
func (s *Store) Schema(ctx context.Context) (string, error) {
	userID := s.userIDType("")
	if userID == "" {
		users, err := s.columns(ctx, s.names.users)
		if err == nil {
			err = s.checkID(users)
		}
		if err != nil {
			return "", failed("Schema", err)
		}
		id, _ := findColumn(users, s.names.id)
		userID = s.userIDType(id.kind)
	}
	return strings.Join(s.schemaSQL(userID), ""), nil
}

// userIDType returns the type of sessions.user_id, given the type of the app's id
// column, which may be empty. It returns nothing if it depends on that type.
func (s *Store) userIDType(appColumn string) string {
	switch {
	case s.idColumnType != "":
		return s.idColumnType
	case s.kind == Integer:
		return s.dialect.ids.integer
	case s.kind == UUID:
		return s.dialect.ids.uuid
	}
	return s.dialect.ids.text(appColumn)
}

var commentOrBlankLine = regexp.MustCompile(`(?m)^[ \t]*(--.*)?\n`)

// schemaSQL returns the statements of the schema. The last one adds the epoch row,
// the others create what does not exist. They have no comments, so that every
// migration tool can tell them apart.
func (s *Store) schemaSQL(userID string) []string {
	statements := strings.SplitAfter(s.fillIn(s.dialect.schema, userID), ";\n")
	return statements[:len(statements)-1] // nothing follows the last semicolon
}

// fillIn replaces the placeholders of a schema, and removes its comments.
func (s *Store) fillIn(schema, userID string) string {
	index := func(suffix string) string { return s.dialect.quote(s.names.sessions.name + suffix) }
	return strings.NewReplacer(
		"{sessions}", s.names.sessions.sql,
		"{devices}", s.names.devices.sql,
		"{epochs}", s.names.epochs.sql,
		"{audit}", s.names.audit.sql,
		"{user_id}", userID,
		"{version}", strconv.Itoa(s.version()),
		"{by_user}", index("_by_user"),
		"{by_external}", index("_by_external"),
		"{by_change}", index("_by_change"),
		"{by_expiry}", index("_by_expiry"),
		"{devices_by_code}", index(devicesSuffix+"_by_code"),
		"{devices_by_network}", index(devicesSuffix+"_by_network"),
		"{devices_by_end}", index(devicesSuffix+"_by_end"),
		"{audit_by_user}", index(auditSuffix+"_by_user"),
		"{audit_by_actor}", index(auditSuffix+"_by_actor"),
	).Replace(commentOrBlankLine.ReplaceAllString(schema, ""))
}

// definition is a column of the schema.
type definition struct {
	column string
	sql    string // its type, and whether it may be NULL
	kind   string // its type as the catalog spells it
}

var columnLine = regexp.MustCompile(`(?m)^\t([a-z_]+) +(.*?) +((?:NOT )?NULL)`)

// definitions reads a table's columns from the schema, so that there is only one
// place that lists them.
func definitions(schema []string, t table) (list []definition) {
	for _, statement := range schema {
		body, ok := strings.CutPrefix(statement, "CREATE TABLE IF NOT EXISTS "+t.sql+" (\n")
		if !ok {
			continue
		}
		for _, m := range columnLine.FindAllStringSubmatch(body, -1) {
			list = append(list, definition{m[1], m[2] + " " + m[3], strings.ToLower(m[2])})
		}
	}
	return list
}

var indexLine = regexp.MustCompile(`(UNIQUE )?(?:KEY|INDEX)[^(\n]*\(([a-z_, ]+)\)`)

// indexed reads the indexes of a table from the schema, without their names. Each table
// has the primary key id, which comes first.
func indexed(schema []string, t table) []index {
	indexes := []index{primaryKey("id")}
	for _, statement := range schema {
		if !strings.HasPrefix(statement, "CREATE TABLE IF NOT EXISTS "+t.sql+" (") && !strings.Contains(statement, " ON "+t.sql+" (") {
			continue
		}
		for _, m := range indexLine.FindAllStringSubmatch(statement, -1) {
			indexes = append(indexes, index{columns: strings.Split(m[2], ", "), unique: m[1] != ""})
		}
	}
	return indexes
}

// primaryKey is a unique index on one column.
func primaryKey(column string) index { return index{columns: []string{column}, unique: true} }
