-- The app's own table. The session store reads from it, and never alters it.
CREATE TABLE IF NOT EXISTS users (
	id            INTEGER PRIMARY KEY AUTOINCREMENT, -- an id is never given twice, nor are its sessions
	email         TEXT    NOT NULL UNIQUE,           -- lower case; see normalEmail
	password_hash TEXT    NOT NULL,                  -- argon2id, with its parameters and salt
	name          TEXT    NOT NULL,
	roles         TEXT    NOT NULL DEFAULT '[]',     -- a JSON array of strings
	disabled      INTEGER NOT NULL DEFAULT 0,
	session_epoch INTEGER NOT NULL DEFAULT 1         -- bumped with the password: older sessions are over
)
