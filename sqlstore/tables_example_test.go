package sqlstore_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// An app that has users already, in a table with other names, and a table sessions of another
// library. New takes the same Config. The app's table stays as it is, except for the epoch, a
// column that it needs to end the sessions of a user in the transaction that changes the
// password. The output begins with the kit's tables; the full text is a migration.
func ExampleConfig_existingTable() {
	schema, err := sqlstore.Schema(sqlstore.Config{
		Sessions: "login_sessions",
		Users:    "accounts",
		ID:       "account_id",
		Epoch:    "login_epoch",            // ALTER TABLE accounts ADD login_epoch BIGINT UNSIGNED NOT NULL DEFAULT 1
		Disabled: "(u.status <> 'active')", // an expression over the row u
		Roles:    "(IF(u.is_staff, 'staff', ''))",
		Attrs:    map[string]string{"name": "display_name", "plan": "(SELECT p.name FROM plans p WHERE p.id = u.plan_id)"},
	})
	if err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(schema) {
		if strings.HasPrefix(line, "CREATE TABLE") {
			fmt.Print(line)
		}
	}
	// Output:
	// CREATE TABLE IF NOT EXISTS `login_sessions` (
	// CREATE TABLE IF NOT EXISTS `login_sessions_devices` (
	// CREATE TABLE IF NOT EXISTS `login_sessions_epoch` (
}

// The user ids are UUIDs in a column of 16 bytes. The app writes them as text:
// session.Login{UserID: "0190b5a8-7c1e-7b1a-8c6f-3d2f1e0a9b8c"}. A UUID in a text column is of
// the kind Text.
func ExampleConfig_uuid() {
	for _, cfg := range []sqlstore.Config{
		{IDKind: sqlstore.UUID},
		{IDKind: sqlstore.UUID, Dialect: sqlstore.SQLite},
		{IDKind: sqlstore.Text, IDColumnType: "VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin"}, // as users.id
	} {
		schema, err := sqlstore.Schema(cfg)
		if err != nil {
			log.Fatal(err)
		}
		for line := range strings.Lines(schema) {
			if column, ok := strings.CutPrefix(strings.TrimSpace(line), "user_id "); ok {
				fmt.Printf("%v, %v: %s\n", cfg.Dialect, cfg.IDKind, strings.TrimSpace(column))
			}
		}
	}
	// Output:
	// MySQL, UUID: BINARY(16) NOT NULL,
	// SQLite, UUID: BLOB NOT NULL,
	// MySQL, Text: VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
}

// The error of New and Schema names every fault of a Config at once.
func ExampleConfig_faults() {
	_, err := sqlstore.Schema(sqlstore.Config{
		Disabled: "NOT is_active",
		Roles:    "(SELECT r.name FROM roles r WHERE r.user_id = u.id",
	})
	fmt.Println(err)
	// Output:
	// sqlstore: Config.Disabled: "NOT is_active" is neither a column name (letters, digits and _) nor an SQL expression in parentheses
	// sqlstore: Config.Roles: "(SELECT r.name FROM roles r WHERE r.user_id = u.id" does not close a parenthesis
}
