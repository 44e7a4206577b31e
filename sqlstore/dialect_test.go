package sqlstore_test

import (
	"database/sql"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/sqlstore"
)

func TestDialect_StringIsTheNameOfTheConstant(t *testing.T) {
	for d, want := range map[sqlstore.Dialect]string{
		sqlstore.MySQL: "MySQL", sqlstore.SQLite: "SQLite", sqlstore.PostgreSQL: "PostgreSQL", -1: "Dialect(-1)", 1000: "Dialect(1000)",
	} {
		if got := d.String(); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

// An empty field would be a hole in a statement or a nil function.
func TestDialect_EveryDialectSetsEveryField(t *testing.T) {
	mayBeEmpty := []string{"setNotNull", "qualifiedTables", "repeatsIDs", "operators", "typeOf", "isRaced", "lockByID", "latest", "checkShards", "findAndConfirm", "spelledUUID", "withoutNUL", "freshID", "freshEpoch", "typeOfDriver", "padded", "keep", "fromBytes", "account", "waitBriefly", "alone", "withoutCopy"}
	for name, d := range sqlstore.Dialects {
		forEachField(reflect.ValueOf(d).Elem(), func(field string, v reflect.Value) {
			if v.IsZero() && !slices.Contains(mayBeEmpty, field) {
				t.Errorf("%v does not set %s", name, field)
			}
		})
	}
}

func forEachField(v reflect.Value, do func(field string, v reflect.Value)) {
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Struct {
			forEachField(v.Field(i), do)
			continue
		}
		do(v.Type().Field(i).Name, v.Field(i))
	}
}

func TestDialect_UnknownOneIsRefusedByNewAndSchema(t *testing.T) {
	for _, d := range []sqlstore.Dialect{-1, sqlstore.Dialect(len(sqlstore.Dialects)), 1000} {
		cfg := sqlstore.Config{Dialect: d, Users: "crm.people", Roles: "(u.roles)", IDColumnType: "VARBINARY(9)", IDKind: sqlstore.Text}
		s, newErr := sqlstore.New(new(sql.DB), cfg)
		text, schemaErr := sqlstore.Schema(cfg)
		if s != nil || text != "" {
			t.Errorf("%v: New returned %v, and Schema %q; want nothing", d, s, text)
		}
		for name, err := range map[string]error{"New": newErr, "Schema": schemaErr} {
			if err == nil || !strings.Contains(err.Error(), "Config.Dialect: "+d.String()) || strings.Count(err.Error(), "Config.") != 1 {
				t.Errorf("%s with %v: %v; want only an error that names Config.Dialect", name, d, err)
			}
			if err != nil && !strings.Contains(err.Error(), "use sqlstore.MySQL or sqlstore.SQLite or sqlstore.PostgreSQL") {
				t.Errorf("%s with %v: %v; want the names of the constants", name, d, err)
			}
		}
	}
}
