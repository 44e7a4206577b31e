-- The kit's tables in MySQL and MariaDB. Store.schemaSQL fills in the names and the
-- type of user_id, and removes the comments. Migrate compares each column's type
-- with the one here.
--
-- Every time is a number of microseconds since 1970 by the database's own clock, so
-- neither a node's clock nor the time zone of a connection can move the end of a
-- session. Every other value is a number or binary, so no collation ever compares a
-- secret.
--
-- The row format is that of MySQL itself. Another default of the server allows only 767
-- bytes in an index, too few for a user_id that is a text.

CREATE TABLE IF NOT EXISTS {sessions} (
	-- The first 16 bytes of SHA-256 of the refresh cookie's root. Not a secret.
	id               BINARY(16)       NOT NULL PRIMARY KEY,

	-- Not a foreign key: the users table belongs to the app. It may be a view, be
	-- partitioned or be in another database, and deleting a user must not wait for
	-- the kit. A session whose user does not exist is over.
	user_id          {user_id} NOT NULL,

	-- Both epochs at login. A session is over as soon as the epoch of its user
	-- differs, or the global epoch is higher.
	user_epoch       BIGINT UNSIGNED  NOT NULL,
	global_epoch     BIGINT UNSIGNED  NOT NULL,

	-- The newest refresh ticket that a client has presented: its generation, and
	-- SHA-256 of its id. No cookie can be made from a copy of this table.
	generation       BIGINT UNSIGNED  NOT NULL,
	confirmed        BINARY(32)       NOT NULL,
	-- The ticket confirmed before that, which may still be in use by a late request.
	-- NULL after a login.
	previous         BINARY(32)       NULL,
	confirmed_at     BIGINT           NOT NULL,
	-- The last two times at which the confirmed ticket was presented again, long after
	-- it was confirmed. NULL: not since then.
	late_at          BIGINT           NULL,
	late_before      BIGINT           NULL,

	created_at       BIGINT           NOT NULL,
	authenticated_at BIGINT           NOT NULL,
	-- The absolute end, which never moves.
	ends_at          BIGINT           NOT NULL,
	-- From then on no ticket of this session is valid, and the row may be removed.
	expires_at       BIGINT           NOT NULL,

	-- Raised to have roles and attributes read again.
	reload           BIGINT UNSIGNED  NOT NULL,
	-- When the row was revoked or reloaded, else NULL. Every node reads the recent
	-- ones once a second: a short range of the index.
	changed_at       BIGINT           NULL,

	revoked_at       BIGINT           NULL,
	revoke_reason    VARBINARY(32)    NULL,

	-- 1: a program logged in. These sessions have a limit of their own.
	non_interactive  TINYINT          NOT NULL,

	-- For the user's list of devices. UTF-8, but binary: a character of a browser
	-- that the connection's character set lacks must not prevent the login.
	user_agent       VARBINARY(255)   NOT NULL,
	ip               VARBINARY(45)    NOT NULL,

	-- The idle timeout of this session alone, in microseconds. NULL: the configuration's.
	idle_timeout     BIGINT           NULL,
	-- SHA-256 of what the client looked like at login. NULL: none was taken.
	fingerprint      BINARY(32)       NULL,
	-- SHA-256 of what only holders of the session's bearer tokens know. NULL: it has none.
	live             BINARY(32)       NULL,

	-- What the app said at login; NULL: nothing. Binary, so that two texts are equal
	-- only if their bytes are. methods are separated by commas, data is a JSON object.
	methods          VARBINARY(255)   NULL,
	actor            VARBINARY(255)   NULL,
	actor_session    BINARY(16)       NULL,
	external_id      VARBINARY(255)   NULL,
	client           VARBINARY(255)   NULL,
	data             VARBINARY(1024)  NULL,

	-- A login and the list of devices read the newest sessions that are not revoked, of
	-- each kind, and no others.
	KEY by_user (user_id, revoked_at, non_interactive, created_at),
	KEY by_external (external_id),
	KEY by_change (changed_at),
	KEY by_expiry (expires_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

-- The logins of devices that cannot show a login page, each from the moment the device asks
-- for it until a minute after its end, which is a few minutes later.
CREATE TABLE IF NOT EXISTS {devices} (
	-- Of the session that begins when the user approves.
	id               BINARY(16)       NOT NULL PRIMARY KEY,
	-- SHA-256 of the code that the user enters.
	user_code        BINARY(32)       NOT NULL,

	-- What the session's row will have. client and user_agent may be empty, live all zeros.
	confirmed        BINARY(32)       NOT NULL,
	live             BINARY(32)       NOT NULL,
	client           VARBINARY(255)   NOT NULL,
	user_agent       VARBINARY(255)   NOT NULL,
	ip               VARBINARY(45)    NOT NULL,

	-- Whose logins are counted together: the device's address, or the first half of it.
	network          VARBINARY(45)    NOT NULL,

	created_at       BIGINT           NOT NULL,
	ends_at          BIGINT           NOT NULL,
	-- When the device last asked for the user's decision. NULL: never.
	polled_at        BIGINT           NULL,
	-- The shortest time between two of its questions, in microseconds.
	poll_interval    BIGINT           NOT NULL,
	-- NULL: the user has not decided.
	decision         VARBINARY(32)    NULL,

	UNIQUE KEY by_code (user_code),
	KEY by_network (network, ends_at),
	KEY by_end (ends_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

-- One row, with the id 1. Raising the epoch ends all sessions. Its cost does not
-- depend on their number, and it compares no clocks.
CREATE TABLE IF NOT EXISTS {epochs} (
	id               TINYINT          NOT NULL PRIMARY KEY,
	epoch            BIGINT UNSIGNED  NOT NULL,
	-- Raised by whoever changes more rows than the nodes read at once: every client
	-- then asks the database once, and nobody is logged out.
	refresh_epoch    BIGINT UNSIGNED  NOT NULL DEFAULT 0,
	-- The version of this schema: see addedColumns in upgrade.go.
	schema_version   SMALLINT         NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

INSERT INTO {epochs} (id, epoch, schema_version) VALUES (1, 0, {version}) ON DUPLICATE KEY UPDATE {epochs}.epoch = {epochs}.epoch;
