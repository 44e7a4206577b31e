-- The app's own table. The session store reads it and never changes it.
CREATE TABLE IF NOT EXISTS users (
	id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	-- In lower case, see normalEmail. The collation is binary: ada and ådä are two users.
	email         VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL UNIQUE,
	password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- argon2id, with parameters and salt
	name          VARCHAR(100) CHARACTER SET utf8mb4 NOT NULL,
	roles         VARCHAR(1000) CHARACTER SET utf8mb4 NOT NULL DEFAULT '[]',   -- a JSON array of strings
	disabled      BOOLEAN NOT NULL DEFAULT FALSE,
	session_epoch BIGINT UNSIGNED NOT NULL DEFAULT 1 -- raised with each new password: it ends older sessions
) ENGINE = InnoDB
