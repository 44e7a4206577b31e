package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// checkUsers checks that the app's table has what the Config names.
func (s *Store) checkUsers(ctx context.Context, users []column) []error {
	if len(users) == 0 {
		grant := ""
		if s.dialect.account != "" {
			grant = "; if it exists, run " + s.grant(ctx, "SELECT", s.names.users)
		}
		return []error{fmt.Errorf("there is no table %s, or this account may not read it: create it first, or name the app's table in Config.Users%s",
			s.names.users, grant)}
	}
	var view bool
	if err := s.queryRow(ctx, s.dialect.views, s.names.users.schema, s.names.users.name).Scan(&view); err != nil {
		return []error{fmt.Errorf("reading whether %s is a view: %w", s.names.users, err)}
	}
	faults := s.checkColumns(ctx, users, view)
	if err := s.checkID(users); err != nil {
		if _, exists := findColumn(users, s.names.id); !exists {
			err = cmp.Or(s.checkDenied(ctx, s.names.id), err)
		}
		return append([]error{err}, faults...)
	}
	if view { // the catalog does not tell the indexes of the tables behind it
		return faults
	}
	missing, err := s.checkIndexes(ctx, s.names.users, users, primaryKey(s.names.id))
	if err != nil {
		faults = append(faults, err)
	}
	return append(faults, missing...)
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
	accepts  func(class) bool
	expected string // accepts, in words
}

func (s *Store) requirements() []requirement {
	d := s.dialect
	integer := func(c class) bool { return c&holdsInteger != 0 }
	text := func(c class) bool { return c&holdsText != 0 && c&holdsBytes == 0 || c&holdsNull != 0 }
	notText := func(c class) bool { return c&holdsText == 0 }
	notBytes := func(c class) bool { return c&holdsBytes == 0 }
	list := []requirement{
		{s.names.epoch, d.epochColumn, d.integer, "(0)", true, integer, "an integer"},
		// Nearly every text is 0 when it is read as a number: nobody would be disabled.
		{s.names.disabled, d.disabledColumn, d.isTrue, "(FALSE)", false, notText, "a number or a time"},
		// A number that is read as a text would be the name of a role.
		{s.names.roles, d.textColumn, d.text, "(NULL)", false, text, "a text"},
	}
	for _, attr := range s.names.attrs {
		// A value without a character set is lost or changed when it is read as a text.
		list = append(list, requirement{source: attr, columnAdvice: d.textColumn, read: d.text, none: "(NULL)", accepts: notBytes, expected: "a text"})
	}
	return list
}

// checkColumns checks that the columns that the Config names exist and have the right
// types.
func (s *Store) checkColumns(ctx context.Context, users []column, view bool) (faults []error) {
	for _, r := range s.requirements() {
		if r.column == "" {
			continue
		}
		if err := s.checkColumn(ctx, users, view, r); err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

func (s *Store) checkColumn(ctx context.Context, users []column, view bool, r requirement) error {
	table := s.names.users
	switch has, exists := findColumn(users, r.column); {
	case !exists:
		return s.missingColumn(ctx, view, r)
	case has.kind != "" && !r.accepts(s.dialect.class(has.kind)): // SQLite allows columns without a type
		return fmt.Errorf("%s.%s is %s, not %s: set Config.%s to another column, or to an expression in parentheses, such as %q",
			table, r.column, has.kind, r.expected, r.field, s.exampleFor(r, has.kind))
	case r.notNull && has.nullable && has.isGenerated():
		return fmt.Errorf("%s.%s may be NULL, and a user for whom it is NULL cannot log in; the database computes it from other columns: set Config.%s to an expression, such as %q",
			table, r.column, r.field, "(COALESCE("+r.sql+", 0))")
	case r.notNull && has.nullable:
		quoted, also := s.dialect.quote(r.column), ""
		for _, c := range users {
			if s.dialect.keep != "" && strings.Contains(c.extra, s.dialect.keep) {
				also += ", " + s.dialect.quote(c.name) + " = " + s.dialect.quote(c.name)
			}
		}
		alter, err := s.dialect.setNotNull(ctx, s.on, table, has)
		if err != nil {
			alter = fmt.Sprintf("and declare the column NOT NULL, and otherwise as it is (%v)", err)
		} else {
			alter += ";"
		}
		return fmt.Errorf("%[1]s.%[2]s may be NULL, and a user for whom it is NULL cannot log in: run\n\tUPDATE %[1]s SET %[3]s = 1%[4]s WHERE %[3]s IS NULL;\n\t%[5]s",
			table, r.column, quoted, also, alter)
	}
	return nil
}

// checkDenied returns the fault of a column that is not in the catalog because this account
// may not read it, or nil.
func (s *Store) checkDenied(ctx context.Context, column string) error {
	quoted := s.dialect.quote(column)
	if err := s.try(ctx, "SELECT u."+quoted+" FROM "+s.names.users.sql+" u WHERE 1 = 0"); err != nil && s.dialect.isDenied(err) {
		return fmt.Errorf("this account may not read %s.%s: %w%s", s.names.users, column, err, s.permit(ctx, err, "SELECT ("+quoted+")", s.names.users))
	}
	return nil
}

// missingColumn is the fault of a column that is not in the catalog.
func (s *Store) missingColumn(ctx context.Context, view bool, r requirement) error {
	table := s.names.users
	if err := s.checkDenied(ctx, r.column); err != nil {
		return err
	}
	if view {
		return fmt.Errorf("the view %s has no column %s: add it to the query of the view, or set Config.%s to another column, or to %q if there is none",
			table, r.column, r.field, r.none)
	}
	return fmt.Errorf("%[1]s has no column %[2]s: run\n\tALTER TABLE %[1]s ADD COLUMN %[3]s %[4]s;\nor set Config.%[5]s to another column, or to %[6]q if there is none",
		table, r.column, s.dialect.quote(r.column), r.definition, r.field, r.none)
}

// exampleFor returns an expression to use in place of a column or an expression of a type that is refused.
func (s *Store) exampleFor(r requirement, kind string) string {
	if s.dialect.fromBytes != "" && s.dialect.class(kind)&holdsBytes != 0 && r.field != "Epoch" && r.field != "Disabled" {
		return strings.ReplaceAll(s.dialect.fromBytes, "{sql}", r.sql)
	}
	return r.example
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
			privilege := "SELECT"
			if s.mayReadAnother(ctx, from) {
				privilege = "SELECT (" + s.dialect.quote(s.names.id) + ")"
			}
			return []error{fmt.Errorf("SELECT on %s is refused: %w%s", s.names.users, err, s.permit(ctx, err, privilege, s.names.users))}
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
			faults = append(faults, fmt.Errorf("cannot read Config.%s %s: %w%s", r.field, r.sql, err, s.permitReading(ctx, err, r)))
		} else if err := s.checkType(ctx, r, from); err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

// mayReadAnother reports whether this account may read a column besides the id.
func (s *Store) mayReadAnother(ctx context.Context, from string) bool {
	return slices.ContainsFunc(s.requirements(), func(r requirement) bool {
		return r.column != "" && s.try(ctx, "SELECT "+r.sql+from) == nil
	})
}

// permitReading says what to do if this account may not read a source of the user's row.
func (s *Store) permitReading(ctx context.Context, err error, r requirement) string {
	switch {
	case !s.dialect.isDenied(err):
		return ""
	case r.column != "":
		return s.permit(ctx, err, "SELECT ("+s.dialect.quote(r.column)+")", s.names.users)
	}
	return ": grant this account SELECT on all tables and columns that the expression reads"
}

// checkType checks the type of an expression. checkColumn checks that of a column.
func (s *Store) checkType(ctx context.Context, r requirement, from string) error {
	if r.column != "" {
		return nil
	}
	kind, err := s.typeOf(ctx, r.sql, from)
	if err != nil {
		return fmt.Errorf("reading the type of Config.%s %s: %w", r.field, r.sql, err)
	}
	if kind != "" && !r.accepts(s.dialect.class(kind)) {
		return fmt.Errorf("the expression of Config.%s %s is %s, not %s: write another one, such as %q", r.field, r.sql, kind, r.expected, s.exampleFor(r, kind))
	}
	return nil
}

// typeOf returns the type of an expression, or nothing if the database has none.
func (s *Store) typeOf(ctx context.Context, sql, from string) (kind string, err error) {
	if s.dialect.typeOf != nil {
		err = s.queryRow(ctx, s.dialect.typeOf(sql, from)).Scan(&kind)
		return kind, err
	}
	if s.dialect.typeOfDriver == nil {
		return "", nil
	}
	rows, err := s.on.QueryContext(ctx, "SELECT "+sql+from)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return "", err
	}
	return s.dialect.typeOfDriver(strings.ToLower(types[0].DatabaseTypeName())), rows.Err()
}
