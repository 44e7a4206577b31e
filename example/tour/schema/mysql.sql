-- The app's own tables. The session store reads users and members, and never changes them.
-- The collations are binary: South and south are two tenants.
CREATE TABLE IF NOT EXISTS users (
	id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	email         VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL UNIQUE,
	password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	name          VARCHAR(600) CHARACTER SET utf8mb4 NOT NULL,
	roles         VARCHAR(1000) CHARACTER SET utf8mb4 NOT NULL DEFAULT '[]', -- a JSON array of strings
	disabled      BOOLEAN NOT NULL DEFAULT FALSE,
	session_epoch BIGINT UNSIGNED NOT NULL DEFAULT 1
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS members (
	user_id BIGINT UNSIGNED NOT NULL,
	tenant  VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	PRIMARY KEY (user_id, tenant)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS notes (
	tenant VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	note   VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	PRIMARY KEY (tenant, note)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS identities (
	issuer  VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	subject VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	user_id BIGINT UNSIGNED NOT NULL,
	PRIMARY KEY (issuer, subject)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS factors (
	user_id   BIGINT UNSIGNED NOT NULL PRIMARY KEY,
	uri       VARCHAR(3000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, -- what the authenticator app reads. It has the secret: encrypt it
	confirmed BOOLEAN NOT NULL DEFAULT FALSE, -- the user has entered a code
	last_step BIGINT NOT NULL DEFAULT 0,      -- when the last code that was accepted was shown, in periods
	tries     INTEGER NOT NULL DEFAULT 0,     -- codes since then
	last_try  BIGINT NOT NULL DEFAULT 0       -- in seconds
) ENGINE = InnoDB
