-- The kit's tables in PostgreSQL: those of mysql.sql, which explains each column. Every text
-- is BYTEA, so that neither a collation nor an encoding changes it.

CREATE TABLE IF NOT EXISTS {sessions} (
	id               BYTEA    NOT NULL PRIMARY KEY,
	user_id          {user_id} NOT NULL,
	user_epoch       BIGINT   NOT NULL,
	global_epoch     BIGINT   NOT NULL,
	generation       BIGINT   NOT NULL,
	confirmed        BYTEA    NOT NULL,
	previous         BYTEA    NULL,
	confirmed_at     BIGINT   NOT NULL,
	late_at          BIGINT   NULL,
	late_before      BIGINT   NULL,
	created_at       BIGINT   NOT NULL,
	authenticated_at BIGINT   NOT NULL,
	ends_at          BIGINT   NOT NULL,
	expires_at       BIGINT   NOT NULL,
	reload           BIGINT   NOT NULL,
	changed_at       BIGINT   NULL,
	revoked_at       BIGINT   NULL,
	revoke_reason    BYTEA    NULL,
	non_interactive  SMALLINT NOT NULL,
	user_agent       BYTEA    NOT NULL,
	ip               BYTEA    NOT NULL,
	idle_timeout     BIGINT   NULL,
	fingerprint      BYTEA    NULL,
	live             BYTEA    NULL,
	methods          BYTEA    NULL,
	actor            BYTEA    NULL,
	actor_session    BYTEA    NULL,
	external_id      BYTEA    NULL,
	client           BYTEA    NULL,
	data             BYTEA    NULL
);

-- Most rows have not changed, and none that is revoked is looked up by its user. The id
-- sorts the sessions of one moment.
CREATE INDEX IF NOT EXISTS {by_user} ON {sessions} (user_id, non_interactive, created_at, id) WHERE revoked_at IS NULL;
CREATE INDEX IF NOT EXISTS {by_external} ON {sessions} (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS {by_change} ON {sessions} (changed_at, id) WHERE changed_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS {by_expiry} ON {sessions} (expires_at);

CREATE TABLE IF NOT EXISTS {devices} (
	id               BYTEA    NOT NULL PRIMARY KEY,
	user_code        BYTEA    NOT NULL,
	confirmed        BYTEA    NOT NULL,
	live             BYTEA    NOT NULL,
	client           BYTEA    NOT NULL,
	user_agent       BYTEA    NOT NULL,
	ip               BYTEA    NOT NULL,
	network          BYTEA    NOT NULL,
	created_at       BIGINT   NOT NULL,
	ends_at          BIGINT   NOT NULL,
	polled_at        BIGINT   NULL,
	poll_interval    BIGINT   NOT NULL,
	decision         BYTEA    NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS {devices_by_code} ON {devices} (user_code);
CREATE INDEX IF NOT EXISTS {devices_by_network} ON {devices} (network, ends_at);
CREATE INDEX IF NOT EXISTS {devices_by_end} ON {devices} (ends_at);

CREATE TABLE IF NOT EXISTS {epochs} (
	id               SMALLINT NOT NULL PRIMARY KEY,
	epoch            BIGINT   NOT NULL,
	refresh_epoch    BIGINT   NOT NULL DEFAULT 0,
	schema_version   INTEGER  NOT NULL
);

INSERT INTO {epochs} (id, epoch, schema_version) VALUES (1, 0, {version}) ON CONFLICT (id) DO NOTHING;
