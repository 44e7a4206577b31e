package sqlstore

import (
	"context"
	"fmt"
	"strings"
)

// checkUsers checks that the app's table has what the Config names.
func (s *Store) checkUsers(ctx context.Context, users []column) []error {
	if len(users) == 0 {
		return []error{fmt.Errorf("there is no table %s, or this account may not read it: create it first, or name the app's table in Config.Users; %s",
			s.names.users, s.dialect.permit("SELECT", s.names.users.sql))}
	}
	faults := s.checkColumns(users)
	if err := s.checkID(users); err != nil {
		return append([]error{err}, faults...)
	}
	missing, err := s.checkIDIndex(ctx)
	if err != nil {
		faults = append(faults, err)
	}
	return append(faults, missing...)
}

// checkIDIndex checks that the id column is unique and has an index. A view passes:
// the catalog does not tell the indexes of the tables behind it.
func (s *Store) checkIDIndex(ctx context.Context) (faults []error, err error) {
	var view bool
	if err := s.queryRow(ctx, s.dialect.views, s.names.users.schema, s.names.users.name).Scan(&view); err != nil {
		return nil, fmt.Errorf("reading whether %s is a view: %w", s.names.users, err)
	}
	if view {
		return nil, nil
	}
	return s.checkIndexes(ctx, s.names.users, [][]string{{s.names.id}})
}

// checkID checks the type of the id column.
func (s *Store) checkID(users []column) error {
	id, ok := findColumn(users, s.names.id)
	if !ok {
		return fmt.Errorf("%s has no column %s: name the column that contains the user id in Config.ID",
			s.names.users, s.names.id)
	}
	if c := s.dialect.class(id.kind); c&s.kind.class() == 0 || c&holdsNoID != 0 {
		return fmt.Errorf("%s.%s is %s, which is no %s: %s", s.names.users, s.names.id, id.kind, s.kind, s.idRemedy(id))
	}
	if s.idColumnType == "" {
		return nil
	}
	// What the database itself would choose for each of the two types.
	text := s.dialect.ids.text
	if want := text(id.kind); text(strings.ToLower(s.idColumnType)) != want {
		return fmt.Errorf("Config.IDColumnType is %q, but %s.%s is %s, and no query uses an index for two collations: set it to %q, or leave it empty",
			s.idColumnType, s.names.users, s.names.id, id.kind, want)
	}
	return nil
}

// idRemedy says what to do about an id column that is not of the IDKind.
func (s *Store) idRemedy(id column) string {
	for _, kind := range []IDKind{Integer, UUID, Text} {
		if c := s.dialect.class(id.kind); c&kind.class() != 0 && c&holdsNoID == 0 {
			return "set Config.IDKind to sqlstore." + kind.String()
		}
	}
	if remedy := s.dialect.otherID(s.names.users.sql, s.names.id, id.kind); remedy != "" {
		return remedy
	}
	return "set Config.ID to a column of integers, of 16 bytes or of text"
}

// requirement is what one source of the user's row must be.
type requirement struct {
	source
	columnAdvice
	read     func(sql string) string // how the statements read it
	none     string                  // the expression to use if the app has no such column
	notNull  bool                    // the column must not accept NULL
	accepts  func(class) bool        // nil: every type
	expected string                  // accepts, in words
}

func (s *Store) requirements() []requirement {
	d := s.dialect
	integer := func(c class) bool { return c&holdsInteger != 0 }
	text := func(c class) bool { return c&holdsText != 0 }
	notText := func(c class) bool { return c&holdsText == 0 }
	list := []requirement{
		{s.names.epoch, d.epochColumn, d.integer, "(0)", true, integer, "an integer"},
		// Nearly every text is 0 when it is read as a number: nobody would be disabled.
		{s.names.disabled, d.disabledColumn, d.isTrue, "(FALSE)", false, notText, "a number or a time"},
		// A number that is read as a text would be the name of a role.
		{s.names.roles, d.textColumn, d.text, "(NULL)", false, text, "a text"},
	}
	for _, attr := range s.names.attrs {
		list = append(list, requirement{source: attr, columnAdvice: d.textColumn, read: d.text, none: "(NULL)"})
	}
	return list
}

// checkColumns checks that the columns that the Config names exist and have the right
// types.
func (s *Store) checkColumns(users []column) (faults []error) {
	for _, r := range s.requirements() {
		if r.column == "" {
			continue
		}
		if err := s.checkColumn(users, r); err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

func (s *Store) checkColumn(users []column, r requirement) error {
	table, printed := s.names.users, s.dialect.printed(r.column)
	switch has, exists := findColumn(users, r.column); {
	case !exists:
		return fmt.Errorf("%[1]s has no column %[2]s (or this account may not read it): run\n\tALTER TABLE %[1]s ADD COLUMN %[6]s %[3]s\nor set Config.%[4]s to another column, or to %[5]q if there is none",
			table, r.column, r.definition, r.field, r.none, printed)
	case r.accepts != nil && has.kind != "" && !r.accepts(s.dialect.class(has.kind)): // SQLite allows columns without a type
		return fmt.Errorf("%s.%s is %s, not %s: set Config.%s to another column, or to an expression in parentheses, such as %q",
			table, r.column, has.kind, r.expected, r.field, r.example)
	case r.notNull && has.nullable:
		return fmt.Errorf("%[1]s.%[2]s may be NULL, and a user for whom it is NULL cannot log in: run\n\tUPDATE %[1]s SET %[4]s = 1 WHERE %[4]s IS NULL\n\t%[3]s",
			table, r.column, strings.NewReplacer("{table}", table.sql, "{column}", printed, "{definition}", r.definition).Replace(s.dialect.setNotNull), printed)
	}
	return nil
}

// checkReading checks that this account may read the columns, and that the database
// understands the expressions: among the kit's tables, as in the store's statements,
// if those are ready.
func (s *Store) checkReading(ctx context.Context, users []column, kitReady bool) (faults []error) {
	if len(users) == 0 {
		return nil
	}
	from := " FROM " + s.names.users.sql + " u WHERE 1 = 0"
	if _, exists := findColumn(users, s.names.id); exists {
		if err := s.try(ctx, "SELECT u."+s.dialect.quote(s.names.id)+from); err != nil {
			return []error{fmt.Errorf("SELECT on %s is refused (%s): %w",
				s.names.users, s.dialect.permit("SELECT", s.names.users.sql), err)}
		}
	}
	if kitReady {
		from = s.sql.probe
	}
	for _, r := range s.requirements() {
		if _, exists := findColumn(users, r.column); r.column != "" && !exists {
			continue // checkColumns reports it
		}
		if err := s.try(ctx, "SELECT "+r.read(r.sql)+from); err != nil {
			faults = append(faults, fmt.Errorf("cannot read Config.%s %s: %w", r.field, r.sql, err))
		} else if err := s.checkType(ctx, r, from); err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

// checkType checks the type of an expression. checkColumn checks that of a column.
func (s *Store) checkType(ctx context.Context, r requirement, from string) error {
	if r.column != "" || r.accepts == nil || s.dialect.typeOf == nil {
		return nil
	}
	var kind string
	if err := s.queryRow(ctx, s.dialect.typeOf(r.sql, from)).Scan(&kind); err != nil {
		return fmt.Errorf("reading the type of Config.%s %s: %w", r.field, r.sql, err)
	}
	if !r.accepts(s.dialect.class(kind)) {
		return fmt.Errorf("the expression of Config.%s %s is %s, not %s: write another one, such as %q", r.field, r.sql, kind, r.expected, r.example)
	}
	return nil
}
