-- The app's own table. The session store reads it and never changes it.
CREATE TABLE IF NOT EXISTS users (
	-- AUTOINCREMENT: SQLite must not give the id of a deleted user, whose sessions may
	-- still exist, to a new one.
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	email         TEXT    NOT NULL UNIQUE,      -- in lower case, see normalEmail
	password_hash TEXT    NOT NULL,             -- argon2id, with parameters and salt
	name          TEXT    NOT NULL,
	roles         TEXT    NOT NULL DEFAULT '[]', -- a JSON array of strings
	disabled      INTEGER NOT NULL DEFAULT 0,
	session_epoch INTEGER NOT NULL DEFAULT 1    -- raised with each new password: it ends older sessions
)
