package sqlstore

import "strings"

// statements are the store's SQL with its names filled in, one for each method.
// Each runs on its own, in autocommit: no transaction is ever open, so nothing
// is read from an old snapshot, and nobody waits for a node that has gone away.
//
// No count of affected rows depends on clientFoundRows: an UPDATE changes every
// row that it matches.
type statements struct {
	create, find, list, changes           string
	confirm, revokeReused                 string
	revoke, ofUser, revokeUser, revokeAll string
	reload, outlived, prune               string
	hasEpoch, addEpoch                    string
	probe                                 string
}

// recordColumns is read by sessionRow.
const recordColumns = `s.id, s.user_id, s.user_epoch, s.global_epoch, s.generation, s.confirmed, s.previous,
	s.confirmed_at, s.created_at, s.authenticated_at, s.ends_at, s.reload, s.revoked_at, s.revoke_reason,
	s.user_agent, s.ip`

// confirmable is the row that a presented ticket may move on. It takes the
// ticket's generation twice and its parent. Nothing is subtracted, because a
// login is generation 0, and what is added to is smaller than another number.
const confirmable = `generation < ? AND (generation + 1 <> ? OR confirmed = ?)`

func (n names) statements(t traits, kind IDKind) statements {
	// sameUser compares two user ids, byte for byte if they are texts. The first
	// comparison finds the row by its index, the second makes sure of it.
	sameUser := func(a, b string) string {
		if kind == Text {
			return "(" + a + " = " + b + " AND " + t.exactly(a, b) + ")"
		}
		return a + " = " + b
	}
	userID := "u." + quote(n.id)

	var attrs strings.Builder
	for _, attr := range n.attrs {
		attrs.WriteString(", CAST(" + attr.sql + " AS CHAR)")
	}

	r := strings.NewReplacer(
		"{sessions}", n.sessions.String(),
		"{epochs}", n.epochs.String(),
		"{users}", n.users.String(),
		"{now}", t.now,
		"{record}", recordColumns,
		"{confirmable}", confirmable,
		"{order}", t.order,
		"{keep session}", strings.ReplaceAll(t.unlessThere, "{into}", n.sessions.String()),
		"{keep epoch}", strings.ReplaceAll(t.unlessThere, "{into}", n.epochs.String()),
		"{u.id}", userID,
		"{u.id = ?}", sameUser(userID, "?"),
		"{u.id = s.user_id}", sameUser(userID, "s.user_id"),
		"{s.user_id = ?}", sameUser("s.user_id", "?"),
		"{user_id = ?}", sameUser("user_id", "?"),
		"{epoch}", n.epoch.sql,
		"{disabled}", "("+n.disabled.sql+" IS TRUE)",
		"{roles}", "CAST("+n.roles.sql+" AS CHAR)",
		"{, attrs}", attrs.String(),
	)
	return statements{
		create: r.Replace(`
INSERT INTO {sessions} (id, user_id, user_epoch, global_epoch, generation, confirmed, confirmed_at,
	created_at, authenticated_at, ends_at, expires_at, reload, user_agent, ip)
SELECT ?, {u.id}, {epoch}, g.epoch, 0, ?, {now}, {now}, {now}, {now} + ?, {now} + ?, 0, ?, ?
FROM {epochs} g JOIN {users} u ON g.id = 1
WHERE {u.id = ?} AND NOT {disabled} AND (? = 0 OR {epoch} = ?)
{keep session}`),

		find: r.Replace(`
SELECT {now}, g.epoch, {record}, {u.id} IS NOT NULL, {epoch}, {disabled}, {roles}{, attrs}
FROM {epochs} g
LEFT JOIN {sessions} s ON s.id = ?
LEFT JOIN {users} u ON {u.id = s.user_id}
WHERE g.id = 1`),

		// MySQL assigns from left to right: previous comes first.
		confirm: r.Replace(`
UPDATE {sessions} SET previous = confirmed, confirmed = ?, confirmed_at = {now}, expires_at = {now} + ?, generation = ?
WHERE id = ? AND revoked_at IS NULL AND {confirmable}`),

		revokeReused: r.Replace(`
UPDATE {sessions} SET revoked_at = {now}, changed_at = {now}, revoke_reason = ?
WHERE id = ? AND revoked_at IS NULL AND NOT ({confirmable}) AND NOT (generation = ? AND confirmed = ?)`),

		revoke: r.Replace(`
UPDATE {sessions} SET revoked_at = {now}, changed_at = {now}, revoke_reason = ?
WHERE id = ? AND revoked_at IS NULL`),

		ofUser: r.Replace(`{user_id = ?}`),

		revokeUser: r.Replace(`
UPDATE {sessions} SET revoked_at = {now}, changed_at = {now}, revoke_reason = ?
WHERE revoked_at IS NULL AND {user_id = ?}`),

		revokeAll: r.Replace(`UPDATE {epochs} SET epoch = epoch + 1 WHERE id = 1`),

		reload: r.Replace(`
UPDATE {sessions} SET reload = reload + 1, changed_at = {now}
WHERE revoked_at IS NULL AND ends_at > {now} AND expires_at > {now} AND {user_id = ?}`),

		list: r.Replace(`
SELECT {record}
FROM {epochs} g
JOIN {sessions} s ON s.global_epoch = g.epoch
JOIN {users} u ON {u.id = s.user_id}
WHERE g.id = 1 AND {s.user_id = ?} AND s.user_epoch = {epoch} AND NOT {disabled}
	AND s.revoked_at IS NULL AND s.ends_at > {now} AND s.expires_at > {now}
ORDER BY s.created_at DESC, {order} DESC`),

		changes: r.Replace(`
SELECT {now}, g.epoch, s.id, s.revoked_at IS NOT NULL, s.reload
FROM {epochs} g
LEFT JOIN {sessions} s ON s.changed_at >= {now} - ?
WHERE g.id = 1`),

		// First read without a lock which rows may go, then remove them by
		// primary key: whoever refreshes or prunes at the same time locks in the
		// same order. A DELETE with LIMIT would lock what it merely looks at, and
		// without the + 0 the database may take the index on expires_at instead,
		// and two nodes deadlock.
		outlived: r.Replace(`SELECT id FROM {sessions} WHERE expires_at < {now} ORDER BY expires_at LIMIT ?`),
		prune:    r.Replace(`DELETE FROM {sessions} WHERE expires_at + 0 < {now} AND id IN (`),

		hasEpoch: r.Replace(`SELECT COUNT(*) FROM {epochs} WHERE id = 1`),
		addEpoch: r.Replace(`INSERT INTO {epochs} (id, epoch) VALUES (1, 0) {keep epoch}`),

		// Where an expression over u is put to see whether it can be read at all:
		// among the tables that Find has it among.
		probe: r.Replace(` FROM {epochs} g JOIN {sessions} s ON g.id = 1 JOIN {users} u ON g.id = 1 WHERE 1 = 0`),
	}
}
