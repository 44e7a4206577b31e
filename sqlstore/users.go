package sqlstore

import (
	"context"
	"fmt"
	"strings"
)

// unknownType stands in the schema for the type of a user_id that should take
// after a column that is not there, or is not what it should be.
const unknownType = "?"

// schema fills the names into the schema.
func (s *Store) schema(users []column) string {
	userID := s.traits.userID[s.kind]
	if userID == "" { // a text in MySQL
		// Taken over from the app's column: between two collations no join would
		// use the index, and each refresh would read the whole users table.
		id, _ := find(users, s.names.id)
		if _, collation, ok := strings.Cut(id.kind, " character set "); ok {
			userID = "VARCHAR(255) CHARACTER SET " + collation
		} else if s.kind.fits(id.kind) {
			userID = "VARBINARY(255)"
		} else {
			userID = unknownType
		}
	}
	name := s.names.sessions.name
	return strings.NewReplacer(
		"{sessions}", s.names.sessions.String(),
		"{epochs}", s.names.epochs.String(),
		"{user_id}", userID,
		"{by_user}", quote(name+"_by_user"),
		"{by_change}", quote(name+"_by_change"),
		"{by_expiry}", quote(name+"_by_expiry"),
	).Replace(s.traits.schema)
}

// checkUsers looks whether the app's table has what the Config says.
func (s *Store) checkUsers(ctx context.Context, users []column) []error {
	if len(users) == 0 {
		return []error{fmt.Errorf("sqlstore: Migrate: there is no table %s, or none that this account may read: "+
			"create it first, grant SELECT on it, or name the app's table in Config.Users", s.names.users)}
	}
	faults := s.checkColumns(users)
	if err := s.checkID(users); err != nil {
		return append([]error{err}, faults...)
	}
	var view bool // whose indexes stand behind it
	err := s.db.QueryRowContext(ctx, s.traits.views, s.names.users.schema, s.names.users.name).Scan(&view)
	if err == nil && !view {
		var missing []error
		missing, err = s.checkIndexes(ctx, s.names.users, []string{strings.ToLower(s.names.id)})
		faults = append(faults, missing...)
	}
	if err != nil {
		faults = append(faults, fmt.Errorf("sqlstore: Migrate: reading the indexes of %s: %w", s.names.users, err))
	}
	return faults
}

func (s *Store) checkID(users []column) error {
	id, ok := find(users, s.names.id)
	if !ok {
		return fmt.Errorf("sqlstore: Migrate: %s has no column %s: name the one that holds the user's id in Config.ID",
			s.names.users, s.names.id)
	}
	if !s.kind.fits(id.kind) {
		return fmt.Errorf("sqlstore: Migrate: %s.%s is %s, which is no %s: %s", s.names.users, s.names.id, id.kind, s.kind, s.remedy(id))
	}
	return nil
}

// remedy says what to do about an id that is not of the IDKind.
func (s *Store) remedy(id column) string {
	for _, kind := range []IDKind{Integer, UUID, Text} {
		if kind.fits(id.kind) {
			return "set Config.IDKind to sqlstore." + kind.String()
		}
	}
	if id.kind == "uuid" { // MariaDB's
		return fmt.Sprintf("run\n\tALTER TABLE %[1]s ADD COLUMN %[2]s_text CHAR(36) CHARACTER SET ascii COLLATE ascii_bin AS (CAST(%[2]s AS CHAR)) STORED, ADD UNIQUE (%[2]s_text)\n"+
			"and set Config.ID to that column, and Config.IDKind to sqlstore.Text", s.names.users, s.names.id)
	}
	return "set Config.ID to a column that holds an integer, 16 bytes or a text"
}

// want is what something about a user should be read from.
type want struct {
	source
	definition string // of the column, if there is none yet
	without    string // the expression that does without

	never   bool                   // NULL
	fits    func(kind string) bool // nil: any kind of column will do
	is      string                 // what fits says
	example string                 // of an expression in its place
}

func (s *Store) wanted() []want {
	const text = "VARCHAR(255) NOT NULL DEFAULT ''"
	wanted := []want{
		{s.names.epoch, "BIGINT UNSIGNED NOT NULL DEFAULT 1", "(0)", true, isInteger, "an integer", "(CAST(u.version AS UNSIGNED))"},
		// As a number a text is nearly always 0: nobody would be disabled.
		{s.names.disabled, "BOOLEAN NOT NULL DEFAULT FALSE", "(FALSE)", false, isNoText, "a number or a time", "(u.status = 'banned')"},
		// Read as a text a number is a role's name, and a strange one.
		{s.names.roles, text, "(NULL)", false, isText, "a text", "(IF(u.is_admin, 'admin', ''))"},
	}
	for _, attr := range s.names.attrs {
		wanted = append(wanted, want{source: attr, definition: text, without: "(NULL)"})
	}
	return wanted
}

// checkColumns looks whether the columns that the Config names are there.
func (s *Store) checkColumns(users []column) (faults []error) {
	for _, w := range s.wanted() {
		if w.column == "" {
			continue
		}
		switch has, there := find(users, w.column); {
		case !there:
			faults = append(faults, fmt.Errorf("sqlstore: Migrate: %s has no column %s (or none that this account may read): run\n\tALTER TABLE %s ADD COLUMN %s %s\nor set Config.%s to another column, or to %q to do without",
				s.names.users, w.column, s.names.users, w.column, w.definition, w.field, w.without))
		case w.fits != nil && has.kind != "" && !w.fits(has.kind): // in SQLite a column may be without a type
			faults = append(faults, fmt.Errorf("sqlstore: Migrate: %s.%s is %s, not %s: set Config.%s to another column, or to an expression in parentheses, such as %q",
				s.names.users, w.column, has.kind, w.is, w.field, w.example))
		case w.never && has.nullable:
			faults = append(faults, fmt.Errorf("sqlstore: Migrate: %[1]s.%[2]s may be NULL, and whose is NULL cannot log in: run\n\tUPDATE %[1]s SET %[2]s = 1 WHERE %[2]s IS NULL\n\tALTER TABLE %[1]s MODIFY %[2]s %[3]s",
				s.names.users, w.column, w.definition))
		}
	}
	return faults
}

// checkReading looks whether this account may read the columns, and whether the
// database understands the expressions: where the statements will have them, if
// the kit's tables are there and may be read.
func (s *Store) checkReading(ctx context.Context, users []column, own bool) (faults []error) {
	from := " FROM " + s.names.users.String() + " u WHERE 1 = 0"
	if len(users) == 0 {
		return nil
	}
	if _, there := find(users, s.names.id); there {
		if err := s.read(ctx, "SELECT u."+quote(s.names.id)+from); err != nil {
			return []error{fmt.Errorf("sqlstore: Migrate: SELECT on %[1]s is refused (GRANT SELECT ON %[1]s to this account, if that is it): %[2]w", s.names.users, err)}
		}
	}
	if own {
		from = s.sql.probe
	}
	for _, w := range s.wanted() {
		if _, there := find(users, w.column); w.column != "" && !there {
			continue // which checkColumns has said
		}
		if err := s.read(ctx, "SELECT "+w.sql+from); err != nil {
			faults = append(faults, fmt.Errorf("sqlstore: Migrate: Config.%s %s cannot be read: %w", w.field, w.sql, err))
		}
	}
	return faults
}

func isInteger(kind string) bool { return strings.Contains(kind, "int") }

func isNoText(kind string) bool { return !isText(kind) }

func isText(kind string) bool {
	for _, word := range []string{"char", "text", "clob", "enum", "set", "binary", "blob", "json"} {
		if strings.Contains(kind, word) {
			return true
		}
	}
	return false
}

// fits reports whether a column of that type can hold such ids. A text that is
// compared with a number would equal it as soon as it begins like it.
func (k IDKind) fits(kind string) bool {
	switch k {
	case UUID:
		return kind == "binary(16)" || kind == "blob" || kind == "varbinary(16)"
	case Text:
		return isText(kind)
	default:
		return strings.Contains(kind, "int")
	}
}
