package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// The app's users table is called people. A ban is a date in it, and the roles are in
// a table of their own.
func ExampleNew() {
	db, err := sql.Open("mysql", "app:secret@tcp(127.0.0.1:3306)/app?interpolateParams=true")
	if err != nil {
		log.Fatal(err)
	}
	store, err := sqlstore.New(db, sqlstore.Config{
		Users:    "people",
		IDKind:   sqlstore.UUID,
		Disabled: "banned_at",
		Roles:    "(SELECT CONCAT('[', GROUP_CONCAT(JSON_QUOTE(r.name)), ']') FROM people_roles r WHERE r.person_id = u.id)",
		Attrs:    map[string]string{"name": "full_name", "locale": "(COALESCE(u.locale, 'en'))"},
	})
	if err != nil {
		log.Fatal(err) // every fault of the Config, one a line
	}
	if err := store.Migrate(context.Background()); err != nil {
		log.Fatal(err) // every fault of the database, with the ALTER TABLE that people needs
	}
}

// The output is the migration for an app whose user ids are texts.
func ExampleSchema() {
	schema, err := sqlstore.Schema(sqlstore.Config{
		IDKind:       sqlstore.Text,
		IDColumnType: "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", // as users.id
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(schema)
	// Output:
	// CREATE TABLE IF NOT EXISTS `sessions` (
	// 	id               BINARY(16)       NOT NULL PRIMARY KEY,
	// 	user_id          VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	// 	user_epoch       BIGINT UNSIGNED  NOT NULL,
	// 	global_epoch     BIGINT UNSIGNED  NOT NULL,
	// 	generation       BIGINT UNSIGNED  NOT NULL,
	// 	confirmed        BINARY(32)       NOT NULL,
	// 	previous         BINARY(32)       NULL,
	// 	confirmed_at     BIGINT           NOT NULL,
	// 	late_at          BIGINT           NULL,
	// 	late_before      BIGINT           NULL,
	// 	created_at       BIGINT           NOT NULL,
	// 	authenticated_at BIGINT           NOT NULL,
	// 	ends_at          BIGINT           NOT NULL,
	// 	expires_at       BIGINT           NOT NULL,
	// 	reload           BIGINT UNSIGNED  NOT NULL,
	// 	changed_at       BIGINT           NULL,
	// 	revoked_at       BIGINT           NULL,
	// 	revoke_reason    VARBINARY(32)    NULL,
	// 	non_interactive  TINYINT          NOT NULL,
	// 	user_agent       VARBINARY(255)   NOT NULL,
	// 	ip               VARBINARY(45)    NOT NULL,
	// 	idle_timeout     BIGINT           NULL,
	// 	fingerprint      BINARY(32)       NULL,
	// 	live             BINARY(32)       NULL,
	// 	methods          VARBINARY(255)   NULL,
	// 	actor            VARBINARY(255)   NULL,
	// 	actor_session    BINARY(16)       NULL,
	// 	external_id      VARBINARY(255)   NULL,
	// 	client           VARBINARY(255)   NULL,
	// 	data             VARBINARY(1024)  NULL,
	// 	KEY by_user (user_id, revoked_at, non_interactive, created_at),
	// 	KEY by_external (external_id),
	// 	KEY by_change (changed_at),
	// 	KEY by_expiry (expires_at)
	// ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
	// CREATE TABLE IF NOT EXISTS `sessions_devices` (
	// 	id               BINARY(16)       NOT NULL PRIMARY KEY,
	// 	user_code        BINARY(32)       NOT NULL,
	// 	confirmed        BINARY(32)       NOT NULL,
	// 	live             BINARY(32)       NOT NULL,
	// 	client           VARBINARY(255)   NOT NULL,
	// 	user_agent       VARBINARY(255)   NOT NULL,
	// 	ip               VARBINARY(45)    NOT NULL,
	// 	network          VARBINARY(45)    NOT NULL,
	// 	created_at       BIGINT           NOT NULL,
	// 	ends_at          BIGINT           NOT NULL,
	// 	polled_at        BIGINT           NULL,
	// 	poll_interval    BIGINT           NOT NULL,
	// 	decision         VARBINARY(32)    NULL,
	// 	UNIQUE KEY by_code (user_code),
	// 	KEY by_network (network, ends_at),
	// 	KEY by_end (ends_at)
	// ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
	// CREATE TABLE IF NOT EXISTS `sessions_epoch` (
	// 	id               TINYINT          NOT NULL PRIMARY KEY,
	// 	epoch            BIGINT UNSIGNED  NOT NULL,
	// 	refresh_epoch    BIGINT UNSIGNED  NOT NULL DEFAULT 0,
	// 	schema_version   SMALLINT         NOT NULL
	// ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
	// INSERT INTO `sessions_epoch` (id, epoch, schema_version) VALUES (1, 0, 1) ON DUPLICATE KEY UPDATE `sessions_epoch`.epoch = `sessions_epoch`.epoch;
}
