-- The kit's tables in SQLite: those of mysql.sql, which explains each column.
--
-- STRICT, so that a value of another type is an error. Not WITHOUT ROWID, because
-- the row number sorts the sessions of one millisecond.

CREATE TABLE IF NOT EXISTS {sessions} (
	id               BLOB     NOT NULL PRIMARY KEY,
	user_id          {user_id} NOT NULL,
	user_epoch       INTEGER  NOT NULL,
	global_epoch     INTEGER  NOT NULL,
	generation       INTEGER  NOT NULL,
	confirmed        BLOB     NOT NULL,
	previous         BLOB     NULL,
	confirmed_at     INTEGER  NOT NULL,
	late_at          INTEGER  NULL,
	late_before      INTEGER  NULL,
	created_at       INTEGER  NOT NULL,
	authenticated_at INTEGER  NOT NULL,
	ends_at          INTEGER  NOT NULL,
	expires_at       INTEGER  NOT NULL,
	reload           INTEGER  NOT NULL,
	changed_at       INTEGER  NULL,
	revoked_at       INTEGER  NULL,
	revoke_reason    BLOB     NULL,
	non_interactive  INTEGER  NOT NULL,
	user_agent       BLOB     NOT NULL,
	ip               BLOB     NOT NULL,
	idle_timeout     INTEGER  NULL,
	fingerprint      BLOB     NULL,
	live             BLOB     NULL,
	methods          BLOB     NULL,
	actor            BLOB     NULL,
	actor_session    BLOB     NULL,
	external_id      BLOB     NULL,
	client           BLOB     NULL,
	data             BLOB     NULL
) STRICT;

CREATE INDEX IF NOT EXISTS {by_user} ON {sessions} (user_id, revoked_at, non_interactive, created_at);
CREATE INDEX IF NOT EXISTS {by_external} ON {sessions} (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS {by_change} ON {sessions} (changed_at) WHERE changed_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS {by_expiry} ON {sessions} (expires_at);

CREATE TABLE IF NOT EXISTS {devices} (
	id               BLOB     NOT NULL PRIMARY KEY,
	user_code        BLOB     NOT NULL,
	confirmed        BLOB     NOT NULL,
	live             BLOB     NOT NULL,
	client           BLOB     NOT NULL,
	user_agent       BLOB     NOT NULL,
	ip               BLOB     NOT NULL,
	network          BLOB     NOT NULL,
	created_at       INTEGER  NOT NULL,
	ends_at          INTEGER  NOT NULL,
	polled_at        INTEGER  NULL,
	poll_interval    INTEGER  NOT NULL,
	decision         BLOB     NULL
) STRICT;

CREATE UNIQUE INDEX IF NOT EXISTS {devices_by_code} ON {devices} (user_code);
CREATE INDEX IF NOT EXISTS {devices_by_network} ON {devices} (network, ends_at);
CREATE INDEX IF NOT EXISTS {devices_by_end} ON {devices} (ends_at);

CREATE TABLE IF NOT EXISTS {epochs} (
	id               INTEGER  NOT NULL PRIMARY KEY,
	epoch            INTEGER  NOT NULL,
	refresh_epoch    INTEGER  NOT NULL DEFAULT 0,
	schema_version   INTEGER  NOT NULL
) STRICT;

INSERT INTO {epochs} (id, epoch, schema_version) VALUES (1, 0, {version}) ON CONFLICT (id) DO NOTHING;
