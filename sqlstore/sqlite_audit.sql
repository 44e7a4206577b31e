-- The audit log in SQLite: see mysql_audit.sql.

CREATE TABLE IF NOT EXISTS {audit} (
	id               BLOB     NOT NULL PRIMARY KEY,
	at               INTEGER  NOT NULL,
	action           BLOB     NOT NULL,
	user_id          BLOB     NOT NULL,
	session_id       BLOB     NULL,
	actor            BLOB     NOT NULL,
	actor_session    BLOB     NULL,
	ip               BLOB     NOT NULL,
	user_agent       BLOB     NOT NULL,
	detail           BLOB     NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS {audit_by_user} ON {audit} (user_id, id);
CREATE INDEX IF NOT EXISTS {audit_by_actor} ON {audit} (actor, id);
