package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// column is a column as the catalog describes it.
type column struct {
	name, kind string // in lower case; kind is its type
	nullable   bool   // and a statement could change that: see catalog.columns
}

// columns returns the columns of a table that this account may see: none if the
// table does not exist.
func (s *Store) columns(ctx context.Context, t table) (columns []column, err error) {
	err = s.query(ctx, s.dialect.columns, []any{t.schema, t.name}, func(scan scanRow) error {
		var c column
		if err := scan(&c.name, &c.kind, &c.nullable); err != nil {
			return err
		}
		c.name, c.kind = strings.ToLower(c.name), s.dialect.columnType(c.kind)
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

// indexes returns the columns that are the first of an index, in lower case, and
// whether one of those indexes is unique.
func (s *Store) indexes(ctx context.Context, t table) (map[string]bool, error) {
	indexes := map[string]bool{}
	err := s.query(ctx, s.dialect.indexes, []any{t.schema, t.name}, func(scan scanRow) error {
		var column string
		var unique bool
		if err := scan(&column, &unique); err != nil {
			return err
		}
		column = strings.ToLower(column)
		indexes[column] = indexes[column] || unique
		return nil
	})
	return indexes, err
}

// checkIndexes checks that each column is the first of an index, because the kit's
// statements find rows by it, and that the first column, the id, is unique.
func (s *Store) checkIndexes(ctx context.Context, t table, columns []string) (faults []error, err error) {
	indexes, err := s.indexes(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("reading the indexes of %s: %w", t, err)
	}
	for _, column := range columns {
		switch unique, exists := indexes[column]; {
		case column == columns[0] && !unique:
			faults = append(faults, fmt.Errorf("%[1]s has no unique index on %[2]s: run\n\tCREATE UNIQUE INDEX %[3]s_%[2]s ON %[1]s (%[2]s)",
				t, column, t.name))
		case !exists:
			faults = append(faults, fmt.Errorf("%[1]s has no index on %[2]s: run\n\tCREATE INDEX %[3]s_%[2]s ON %[1]s (%[2]s)",
				t, column, t.name))
		}
	}
	return faults, nil
}

// try runs a query and discards its rows.
func (s *Store) try(ctx context.Context, query string) error {
	return s.query(ctx, query, nil, func(scanRow) error { return nil })
}
