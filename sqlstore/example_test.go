package sqlstore_test

import (
	"context"
	"database/sql"
	"log"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// The app's users table is called people, knows bans by their date, and keeps
// roles in a table of their own.
func ExampleNew() {
	db, err := sql.Open("mysql", "app:secret@tcp(127.0.0.1:3306)/app?interpolateParams=true")
	if err != nil {
		log.Fatal(err)
	}
	store, err := sqlstore.New(db, sqlstore.Config{
		Users:    "people",
		IDKind:   sqlstore.UUID,
		Disabled: "banned_at",
		Roles:    "(SELECT JSON_ARRAYAGG(r.name) FROM people_roles r WHERE r.person_id = u.id)",
		Attrs:    map[string]string{"name": "full_name", "locale": "(COALESCE(u.locale, 'en'))"},
	})
	if err != nil {
		log.Fatal(err) // every fault of the Config, one a line
	}
	if err := store.Migrate(context.Background()); err != nil {
		log.Fatal(err) // with the ALTER TABLE that people lacks
	}
}
