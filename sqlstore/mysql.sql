-- What the kit keeps in MySQL and MariaDB. Migrate puts the table names and the
-- type of user_id in, and compares each column's type with what stands here.
--
-- Every time is a number: microseconds since 1970 by the database's own clock.
-- So neither a node's clock nor a connection's time zone can move a session's end.
-- Everything else is binary: no collation ever compares a secret.

CREATE TABLE IF NOT EXISTS {sessions} (
	-- SHA-256 of the refresh cookie's root, 16 bytes of it: a name, not a secret.
	id               BINARY(16)       NOT NULL PRIMARY KEY,

	-- No foreign key: the users table is the app's. It may be a view, live in
	-- another database or be partitioned, and a deleted user must not wait for
	-- the kit. A session whose user is gone is over all the same.
	user_id          {user_id}        NOT NULL,

	-- Both counters as they stood at login. A session is over as soon as the
	-- user's own counter differs, or everybody's is higher.
	user_epoch       BIGINT UNSIGNED  NOT NULL,
	global_epoch     BIGINT UNSIGNED  NOT NULL,

	-- The refresh ticket that a client has presented last: its number, and
	-- SHA-256 of its id. A dump of this table makes no cookie.
	generation       BIGINT UNSIGNED  NOT NULL,
	confirmed        BINARY(32)       NOT NULL,
	-- The one before, which may still be in flight; NULL after a login.
	previous         BINARY(32)       NULL,
	confirmed_at     BIGINT           NOT NULL,

	created_at       BIGINT           NOT NULL,
	authenticated_at BIGINT           NOT NULL,
	-- The absolute end. It never moves.
	ends_at          BIGINT           NOT NULL,
	-- When no ticket of this session can be good any more and the row may go.
	expires_at       BIGINT           NOT NULL,

	-- Raised when roles or attributes are to be read again.
	reload           BIGINT UNSIGNED  NOT NULL,
	-- NULL unless the row was revoked or reloaded, so that what every node asks
	-- for once a second is a short range of the index on it.
	changed_at       BIGINT           NULL,

	revoked_at       BIGINT           NULL,
	revoke_reason    VARBINARY(32)    NULL,

	-- For the user's list of devices. UTF-8, but binary: a browser may send what
	-- the connection's character set does not know, and is let in all the same.
	user_agent       VARBINARY(255)   NOT NULL,
	ip               VARBINARY(45)    NOT NULL,

	KEY by_user (user_id),
	KEY by_change (changed_at),
	KEY by_expiry (expires_at)
) ENGINE = InnoDB;

-- One row, id 1. To log everybody out, raise epoch: the cost does not depend on
-- the number of sessions, and no two clocks are compared.
CREATE TABLE IF NOT EXISTS {epochs} (
	id               TINYINT          NOT NULL PRIMARY KEY,
	epoch            BIGINT UNSIGNED  NOT NULL
) ENGINE = InnoDB;
