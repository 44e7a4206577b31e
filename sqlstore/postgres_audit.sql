-- The audit log in PostgreSQL: see mysql_audit.sql.

CREATE TABLE IF NOT EXISTS {audit} (
	id               BYTEA    NOT NULL PRIMARY KEY,
	at               BIGINT   NOT NULL,
	action           BYTEA    NOT NULL,
	user_id          BYTEA    NOT NULL,
	session_id       BYTEA    NULL,
	actor            BYTEA    NOT NULL,
	actor_session    BYTEA    NULL,
	ip               BYTEA    NOT NULL,
	user_agent       BYTEA    NOT NULL,
	detail           BYTEA    NOT NULL
);

CREATE INDEX IF NOT EXISTS {audit_by_user} ON {audit} (user_id, id);
CREATE INDEX IF NOT EXISTS {audit_by_actor} ON {audit} (actor, id);
