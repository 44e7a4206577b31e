-- The app's own tables. The session store reads users and members, and never changes them.
CREATE TABLE IF NOT EXISTS users (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	email         TEXT    NOT NULL UNIQUE,
	password_hash TEXT    NOT NULL,
	name          TEXT    NOT NULL,
	roles         TEXT    NOT NULL DEFAULT '[]', -- a JSON array of strings
	disabled      INTEGER NOT NULL DEFAULT 0,
	session_epoch INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE IF NOT EXISTS members (
	user_id INTEGER NOT NULL,
	tenant  TEXT    NOT NULL,
	PRIMARY KEY (user_id, tenant)
);

CREATE TABLE IF NOT EXISTS notes (
	tenant TEXT NOT NULL,
	note   TEXT NOT NULL,
	PRIMARY KEY (tenant, note)
);

CREATE TABLE IF NOT EXISTS identities (
	issuer  TEXT    NOT NULL,
	subject TEXT    NOT NULL,
	user_id INTEGER NOT NULL,
	PRIMARY KEY (issuer, subject)
);

CREATE TABLE IF NOT EXISTS factors (
	user_id   INTEGER PRIMARY KEY,
	uri       TEXT    NOT NULL,           -- what the authenticator app reads. It has the secret: encrypt it
	confirmed INTEGER NOT NULL DEFAULT 0, -- 1: the user has entered a code
	last_step INTEGER NOT NULL DEFAULT 0, -- when the last code that was accepted was shown, in periods
	tries     INTEGER NOT NULL DEFAULT 0, -- codes since then
	last_try  INTEGER NOT NULL DEFAULT 0  -- in seconds
)
