package sqlstore

import (
	"context"
	"fmt"
	"strings"
)

// schema fills the names into the schema.
func (s *Store) schema(users []column) string {
	userID := s.traits.userID[s.kind]
	if userID == "" { // a text in MySQL
		// Taken over from the app's column: between two collations no join would
		// use the index, and each refresh would read the whole users table.
		userID = "VARBINARY(255)"
		id, _ := find(users, s.names.id)
		if _, collation, ok := strings.Cut(id.kind, " character set "); ok {
			userID = "VARCHAR(255) CHARACTER SET " + collation
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

func (s *Store) checkID(users []column) error {
	id, ok := find(users, s.names.id)
	if !ok {
		return fmt.Errorf("sqlstore: Migrate: %s has no column %s: name the one that holds the user's id in Config.ID",
			s.names.users, s.names.id)
	}
	if !s.kind.fits(id.kind) {
		return fmt.Errorf("sqlstore: Migrate: %s.%s is %s, which is not what Config.IDKind says: choose another IDKind",
			s.names.users, s.names.id, id.kind)
	}
	return nil
}

// want is what something about a user should be read from.
type want struct {
	source
	definition string // of the column, if there is none yet
	without    string // the expression that does without
	number     bool
}

func (s *Store) wanted() []want {
	const text = "VARCHAR(255) NOT NULL DEFAULT ''"
	wanted := []want{
		{s.names.epoch, "BIGINT UNSIGNED NOT NULL DEFAULT 1", "(0)", true},
		{s.names.disabled, "BOOLEAN NOT NULL DEFAULT FALSE", "(FALSE)", true},
		{s.names.roles, text, "(NULL)", false},
	}
	for _, attr := range s.names.attrs {
		wanted = append(wanted, want{attr, text, "(NULL)", false})
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
			faults = append(faults, fmt.Errorf("sqlstore: Migrate: %s has no column %s: run\n\tALTER TABLE %s ADD COLUMN %s %s\nor set Config.%s to another column, or to %q to do without",
				s.names.users, w.column, s.names.users, w.column, w.definition, w.field, w.without))
		case w.number && isText(has.kind):
			// As a number a text is nearly always 0: nobody would be disabled.
			faults = append(faults, fmt.Errorf("sqlstore: Migrate: %s.%s is %s, not a number: set Config.%s to an expression in parentheses, such as \"(u.status = 'banned')\"",
				s.names.users, w.column, has.kind, w.field))
		}
	}
	return faults
}

// checkExpressions looks whether the database understands the expressions.
func (s *Store) checkExpressions(ctx context.Context) (faults []error) {
	for _, w := range s.wanted() {
		if w.column != "" {
			continue
		}
		if err := s.try(ctx, w.sql); err != nil {
			faults = append(faults, fmt.Errorf("sqlstore: Migrate: Config.%s %s cannot be read: %w", w.field, w.sql, err))
		}
	}
	return faults
}

// try has the database compile an expression where the statements will have it.
func (s *Store) try(ctx context.Context, expression string) error {
	rows, err := s.db.QueryContext(ctx, "SELECT "+expression+s.sql.probe)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

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
