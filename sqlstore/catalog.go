package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// column is a column as the catalog describes it.
type column struct {
	declared   string // its name
	name, kind string // in lower case; kind is its type
	nullable   bool   // and a table declares it: see catalog.columns
	extra      string // what else matters of it: see catalog.columns
}

// isGenerated reports whether the database computes the column from others.
func (c column) isGenerated() bool {
	return strings.Contains(" "+c.extra, " generated") // MySQL calls a default "default_generated"
}

// columns returns the columns of a table that this account may see: none if the
// table does not exist.
func (s *Store) columns(ctx context.Context, t table) (columns []column, err error) {
	err = s.query(ctx, s.dialect.columns, []any{t.schema, t.name}, func(scan scanRow) error {
		var c column
		if err := scan(&c.name, &c.kind, &c.nullable, &c.extra); err != nil {
			return err
		}
		c.declared, c.name, c.kind = c.name, strings.ToLower(c.name), s.dialect.columnType(c.kind)
		columns = append(columns, c)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the columns of %s: %w", t, err)
	}
	return columns, nil
}

// findColumn returns a column by its name. Databases ignore the case of column
// names.
func findColumn(columns []column, name string) (column, bool) {
	i := slices.IndexFunc(columns, func(c column) bool { return strings.EqualFold(c.name, name) })
	if i < 0 {
		return column{}, false
	}
	return columns[i], true
}

// index is an index as the catalog describes it.
type index struct {
	name    string
	columns []string // in lower case, in their order
	unique  bool
}

// indexes returns the indexes of a table.
func (s *Store) indexes(ctx context.Context, t table) (indexes []index, err error) {
	err = s.query(ctx, s.dialect.indexes, []any{t.schema, t.name}, func(scan scanRow) error {
		var name, column string
		var unique bool
		if err := scan(&name, &column, &unique); err != nil {
			return err
		}
		if n := len(indexes); n == 0 || indexes[n-1].name != name {
			indexes = append(indexes, index{name: name, unique: unique})
		}
		last := &indexes[len(indexes)-1]
		last.columns = append(last.columns, strings.ToLower(column))
		return nil
	})
	return indexes, err
}

// checkIndexes checks that the columns of each element of wanted are the first of an
// index, in this order, because the kit's statements find rows by them. It must be unique if
// the element is. found are the columns of the table.
func (s *Store) checkIndexes(ctx context.Context, t table, found []column, wanted ...index) (faults []error, err error) {
	indexes, err := s.indexes(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("reading the indexes of %s: %w", t, err)
	}
	for _, want := range wanted {
		kind, columns := "INDEX", want.columns
		if want.unique {
			kind = "UNIQUE INDEX"
		}
		if !slices.ContainsFunc(indexes, func(x index) bool {
			return len(x.columns) >= len(columns) && slices.EqualFunc(x.columns[:len(columns)], columns, strings.EqualFold) && (x.unique || !want.unique)
		}) {
			var quoted []string
			for _, name := range columns {
				has, _ := findColumn(found, name)
				quoted = append(quoted, s.dialect.quote(name)+s.dialect.prefix(has.kind))
			}
			faults = append(faults, fmt.Errorf("%s has no %s on %s: run\n\tCREATE %s %s ON %s (%s);",
				t, strings.ToLower(kind), strings.Join(columns, ", "), kind, s.dialect.quote(s.newIndexName(t, columns[0], indexes)), t, strings.Join(quoted, ", ")))
		}
	}
	return faults, nil
}

// newIndexName returns a name that no index of the table has.
func (s *Store) newIndexName(t table, column string, indexes []index) string {
	name := t.name + "_" + column
	name = name[:min(len(name), s.dialect.maxName-len("_2"))]
	if slices.ContainsFunc(indexes, func(x index) bool { return strings.EqualFold(x.name, name) }) {
		name += "_2"
	}
	return name
}

// try runs a query and discards its rows.
func (s *Store) try(ctx context.Context, query string) error {
	return s.query(ctx, query, nil, func(scanRow) error { return nil })
}
