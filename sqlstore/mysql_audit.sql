-- The audit log in MySQL and MariaDB: see AuditLog. Every text is UTF-8, but binary, as in
-- mysql.sql.

CREATE TABLE IF NOT EXISTS {audit} (
	-- The time, and half of a random number: the table grows at its end.
	id               BINARY(16)       NOT NULL PRIMARY KEY,
	-- In microseconds since 1970, by the database's clock as far as the node knew it.
	at               BIGINT           NOT NULL,
	action           VARBINARY(32)    NOT NULL,
	-- Whose session it was. Empty: everybody's, or nobody is known.
	user_id          VARBINARY(255)   NOT NULL,
	session_id       BINARY(16)       NULL,
	-- Who did it, if not the user. Empty: the user, or nobody is known.
	actor            VARBINARY(255)   NOT NULL,
	actor_session    BINARY(16)       NULL,
	ip               VARBINARY(45)    NOT NULL,
	user_agent       VARBINARY(255)   NOT NULL,
	detail           VARBINARY(255)   NOT NULL,

	KEY by_user (user_id, id),
	KEY by_actor (actor, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
