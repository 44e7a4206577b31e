package sqlstore

import (
	"fmt"
	"strings"

	"github.com/sessionkit/sessionkit/session/store"
)

// statements are the SQL of the store's methods. Each runs on its own, in autocommit:
// no transaction stays open, so nothing is read from an old snapshot, and no node
// waits for a lock of a node that has died.
//
// The number of changed rows does not depend on clientFoundRows, because an UPDATE
// changes every row that it matches.
type statements struct {
	create, mayLogIn, find, changes   string
	countDisabled                     string // of the users with the lowest ids
	list, listAfter, newest           string
	confirm, recordLate, revokeReused string
	findAndConfirm                    string // empty: see syntax.findAndConfirm
	revoke, andUser                   string
	findUnrevoked, findExternal       string
	limit, revokeThese                string
	findReload, reloadThese, update   string
	revokeAll, refreshAll             string
	findExpired, prune                string
	findClients, forgetThese          string
	hasEpochRow                       string
	pendingDevices, createDevice      string
	findSameCode, removeDevice        string
	hasDevice, findDevice             string
	findUserCode                      string
	recordPoll, decideDevice          string
	findOverDevices, pruneDevices     string
	appendAudit, listAudit            string
	findOldAudit, pruneAudit          string
	endOfIDs                          string // follows the list of ids, at the end of a statement
	version, setVersion               string
	probe                             string
}

// confirmable is the part of store.Record.CanConfirm after "not revoked", which each
// statement adds. confirmableArgs returns its parameters. It adds and never subtracts,
// because generations are unsigned and begin at 0. A row's generation is far below the
// largest number: each refresh adds one.
const confirmable = `generation < ? AND generation >= ?
	AND (generation + 1 <> ? OR confirmed = ? AND (late_before IS NULL OR late_before <= ?))`

func confirmableArgs(p store.PresentedTicket) []any {
	return []any{p.Generation, p.Lowest, p.Generation, p.Parent[:], p.SupersededAfter.UnixMicro()}
}

// list returns the SQL of a page of sessions. The index holds the sessions of each kind
// in the order of their age, so the page is made of one page of each: at most twice
// its length is read, and nothing is sorted but these. after joins the session after which
// the page begins, and follows is a further condition.
func list(after, follows string) string {
	page := func(kind string) string {
		return `
	SELECT s.id
	FROM {epochs} g
	JOIN {users} u ON {u.id = ?}
	JOIN {sessions} s ON s.global_epoch >= g.epoch` + after + `
	WHERE g.id = 1 AND {s.user_id = ?} AND s.revoked_at IS NULL AND s.non_interactive = ` + kind + `
		AND s.user_epoch = {epoch} AND NOT {disabled} AND s.ends_at > {now} AND s.expires_at > {now}` + follows + `
	ORDER BY s.created_at DESC, s.{order} DESC LIMIT ?`
	}
	return `
SELECT {record}
FROM (SELECT id FROM (` + page("0") + `) users_own UNION ALL SELECT id FROM (` + page("1") + `) programs) page
JOIN {sessions} s ON s.id = page.id
ORDER BY s.created_at DESC, s.{order} DESC LIMIT ?`
}

// A list that begins after a session, c, has nothing without that session. The first
// condition is for the index.
const (
	after = `
	JOIN {sessions} c ON c.id = ?`

	follows = `
		AND s.created_at <= c.created_at AND (s.created_at < c.created_at OR s.{order} < c.{order})`
)

const auditColumns = "id, at, action, user_id, session_id, actor, actor_session, ip, user_agent, detail"

func (n names) statements(d *dialect, kind IDKind) statements {
	// sameUser compares two user ids, and texts byte for byte as well: the first
	// comparison finds the row by its index, the second one decides.
	sameUser := func(a, b string) string {
		if kind == Text {
			return "(" + a + " = " + b + " AND " + d.sameBytes(a, b) + ")"
		}
		return a + " = " + b
	}
	userID, parameter := "u."+d.quote(n.id), d.ids.parameter(kind)

	var attrs strings.Builder
	for i, attr := range n.attrs {
		fmt.Fprintf(&attrs, ", %s AS attr_%d", d.text(attr.sql), i)
	}

	// The ids of the rows to change are in {id in}, a list, and endOfIDs.
	idIn, endOfIDs := func(table) string { return "id IN (" }, ")"
	if d.lockByID != "" {
		idIn, endOfIDs = func(t table) string { return "id IN (SELECT id FROM " + t.sql + " WHERE id IN (" }, ")"+d.lockByID+")"
	}

	r := strings.NewReplacer(
		"{id in}", idIn(n.sessions),
		"{id of devices in}", idIn(n.devices),
		"{id of audit in}", idIn(n.audit),
		"{audit}", n.audit.sql,
		"{devices}", n.devices.sql,
		"{device}", deviceColumns,
		"{sessions}", n.sessions.sql,
		"{epochs}", n.epochs.sql,
		"{users}", n.users.sql,
		"{now}", d.now,
		"{now of d}", "CASE WHEN d.id IS NOT NULL THEN "+d.now+" END",
		"{now of s}", "CASE WHEN s.id IS NOT NULL THEN "+d.now+" END",
		"{now of u}", "CASE WHEN "+userID+" IS NOT NULL THEN "+d.now+" END",
		"{record}", recordColumns,
		"{confirmable}", confirmable,
		"{revoked}", "revoked_at = "+d.now+", changed_at = "+d.now+", revoke_reason = ?, "+
			"expires_at = CASE WHEN expires_at > "+d.now+" + ? THEN "+d.now+" + ? ELSE expires_at END",
		"{reloadable}", "revoked_at IS NULL AND ends_at > "+d.now+" AND expires_at > "+d.now,
		"{order}", d.order,
		"{on conflict}", d.onConflict(n.sessions.sql, "reload"),
		"{on conflict of devices}", d.onConflict(n.devices.sql, "poll_interval"),
		"{u.id}", userID,
		"{u.id = ?}", sameUser(userID, parameter),
		"{u.id = s.user_id}", sameUser(userID, "s.user_id"),
		"{s.user_id = ?}", sameUser("s.user_id", parameter),
		"{user_id = ?}", sameUser("user_id", parameter),
		"{epoch}", d.integer(n.epoch.sql),
		"{integer ?}", d.integer("?"),
		"{disabled}", d.isTrue(n.disabled.sql),
		"{roles}", d.text(n.roles.sql),
		"{, attrs}", attrs.String(),
	)
	// The inner query is that of one shard. The epoch may be on another one, whose
	// clock is another, too: the times of a row are those of the row's shard.
	find := `
SELECT g.clock, g.epoch, g.refresh_epoch, x.*`
	from := `
FROM (SELECT {now} AS clock, epoch, refresh_epoch FROM {epochs} WHERE id = 1) g
LEFT JOIN (
	SELECT {now of s} AS clock, {record}, {u.id} IS NOT NULL AS has_user, {epoch} AS epoch_now, {disabled} AS disabled_now, {roles} AS roles_now{, attrs}
	FROM {sessions} s
	LEFT JOIN {users} u ON {u.id = s.user_id}
	WHERE s.id = ?
) x ON 1 = 1`
	// MySQL assigns from left to right, so previous comes before confirmed.
	confirm := `
UPDATE {sessions} SET previous = confirmed, confirmed = ?, confirmed_at = {now}, expires_at = {now} + ?, generation = ?,
	late_at = NULL, late_before = NULL
WHERE id = ? AND revoked_at IS NULL AND {confirmable}`

	findAndConfirm := strings.NewReplacer(
		"{confirm}", strings.Replace(confirm, "{sessions}", "{sessions} s", 1),
		"{find}", find,
		"{from}", from,
	).Replace(d.findAndConfirm)

	findDevice := func(by string) string {
		return r.Replace(`
SELECT g.clock, x.*
FROM (SELECT {now} AS clock FROM {epochs} WHERE id = 1) g
LEFT JOIN (SELECT {now of d} AS clock, {device} FROM {devices} d WHERE d.` + by + ` = ?) x ON 1 = 1`)
	}

	return statements{
		create: r.Replace(`
INSERT INTO {sessions} ` + strings.ReplaceAll(insertCreated, "{now}", "{now of u}") + `
FROM {epochs} g JOIN {users} u ON g.id = 1
WHERE {u.id = ?} AND NOT {disabled} AND ({integer ?} = 0 OR {epoch} = ?)
{on conflict}`),

		mayLogIn: r.Replace(`SELECT {disabled}, {epoch} = ? FROM {users} u WHERE {u.id = ?}`),

		countDisabled: r.Replace(`SELECT COUNT(*), COALESCE(SUM(x.disabled), 0) FROM (
	SELECT CASE WHEN {disabled} THEN 1 ELSE 0 END AS disabled FROM {users} u ORDER BY {u.id} LIMIT ?) x`),

		find:           r.Replace(find + from),
		confirm:        r.Replace(confirm),
		findAndConfirm: r.Replace(findAndConfirm),

		// The order of the assignments matters here, too.
		recordLate: r.Replace(`
UPDATE {sessions} SET late_before = CASE WHEN late_at <= {now} THEN late_at END, late_at = {now}
WHERE id = ? AND revoked_at IS NULL AND generation = ? AND confirmed = ? AND confirmed_at < {now} - ?
	AND (late_at IS NULL OR late_at > {now} OR late_at < {now} - ?)`),

		revokeReused: r.Replace(`
UPDATE {sessions} SET revoked_at = {now}, changed_at = {now}, revoke_reason = ?
WHERE id = ? AND revoked_at IS NULL AND NOT ({confirmable}) AND NOT (generation = ? AND confirmed = ?)`),

		// The parameters of {revoked} are those of revokedArgs.
		revoke: r.Replace(`
UPDATE {sessions} SET {revoked}
WHERE id = ? AND revoked_at IS NULL`),

		andUser: r.Replace(` AND {user_id = ?}`),

		// RevokeUser and Reload first read, without locks, which rows to change, and then
		// change them by primary key, as Prune does and for the same reasons.
		findUnrevoked: r.Replace(`SELECT id FROM {sessions} WHERE {user_id = ?} AND revoked_at IS NULL AND created_at <= ?`),
		findExternal:  r.Replace(`SELECT id FROM {sessions} WHERE external_id = ? AND revoked_at IS NULL AND created_at <= ?`),
		limit:         ` LIMIT ?`,
		revokeThese: r.Replace(`
UPDATE {sessions} SET {revoked}
WHERE revoked_at IS NULL AND {id in}`),

		findReload: r.Replace(`SELECT id FROM {sessions} WHERE {user_id = ?} AND {reloadable} LIMIT ?`),
		reloadThese: r.Replace(`
UPDATE {sessions} SET reload = reload + 1, changed_at = {now}
WHERE {reloadable} AND {id in}`),

		update: r.Replace(`
UPDATE {sessions} SET data = ?, reload = reload + 1, changed_at = {now}
WHERE id = ? AND revoked_at IS NULL`),

		revokeAll:  r.Replace(`UPDATE {epochs} SET epoch = epoch + 1 WHERE id = 1`),
		refreshAll: r.Replace(`UPDATE {epochs} SET refresh_epoch = refresh_epoch + 1 WHERE id = 1`),

		list:      r.Replace(list("", "")),
		listAfter: r.Replace(list(after, follows)),

		newest: r.Replace(`
SELECT {record}
FROM {sessions} s
WHERE {s.user_id = ?} AND s.revoked_at IS NULL AND s.non_interactive = ?
ORDER BY s.created_at DESC, s.{order} DESC LIMIT ?`),

		// The first two conditions are a range of the index, the third one leaves out what
		// the page before has shown of the moment at which it ended. The inner query reads
		// in the order of the index and stops at its limit; in a join, MariaDB reads
		// and sorts the whole range. Changes sorts the rows again: a database may join them
		// in another order, and Vitess returns columns that nobody asked for if it sorts by a
		// table that it has just come to know.
		changes: r.Replace(`
SELECT g.clock, g.epoch, g.refresh_epoch, s.id, s.changed_at, s.revoked_at IS NOT NULL, s.reload
FROM (SELECT {now} AS clock, epoch, refresh_epoch FROM {epochs} WHERE id = 1) g
LEFT JOIN (
	SELECT id, changed_at, revoked_at, reload FROM {sessions}
	WHERE changed_at >= {now} - ? AND changed_at >= ? AND (changed_at > ? OR id > ?)
	ORDER BY changed_at, id LIMIT ?
) s ON 1 = 1`),

		// Prune first reads, without locks, which rows have expired, and then removes
		// them by primary key, so that it locks rows in the same order as a refresh and
		// as another node that prunes. A DELETE with LIMIT would lock every row that
		// it reads. Without the + 0 the database may use the index on expires_at
		// instead, and two nodes may deadlock.
		findExpired: r.Replace(`SELECT id FROM {sessions} WHERE expires_at < {now} ORDER BY expires_at LIMIT ?`),
		prune:       r.Replace(`DELETE FROM {sessions} WHERE expires_at + 0 < {now} AND {id in}`),

		// A walk along the primary key, so that no index is needed. No time of a login ever
		// changes, so what has been found may be changed.
		findClients: r.Replace(`
SELECT id, CASE WHEN created_at < {now} - ? AND (LENGTH(user_agent) > 0 OR LENGTH(ip) > 0) THEN 1 ELSE 0 END
FROM {sessions} WHERE id > ? ORDER BY id LIMIT ?`),
		forgetThese: r.Replace(`UPDATE {sessions} SET user_agent = ?, ip = ? WHERE {id in}`),

		endOfIDs: endOfIDs,

		// CreateDeviceLogin first counts, without locks: in MySQL, an INSERT … SELECT would
		// lock what it counts, and two of them would deadlock. At last it reads whether the row
		// is there: what the INSERT says of it depends on clientFoundRows.
		pendingDevices: r.Replace(`SELECT id FROM {devices} WHERE network = ? AND ends_at > {now} LIMIT ?`),
		createDevice: r.Replace(`
INSERT INTO {devices} ` + insertDevice + `
{on conflict of devices}`),
		findSameCode: r.Replace(`SELECT id FROM {devices} WHERE user_code = ? AND id <> ? LIMIT 1`),
		removeDevice: r.Replace(`DELETE FROM {devices} WHERE id = ? AND user_code = ?`),

		hasDevice: r.Replace(`SELECT COUNT(*) FROM {devices} WHERE id = ?` + d.latest),

		findDevice:   findDevice("id"),
		findUserCode: findDevice("user_code"),

		// pollParameter returns 0 for NULL. polled_at always changes: otherwise a second poll
		// with the same parameter could succeed at the same time by a coarse clock.
		recordPoll: r.Replace(`
UPDATE {devices} SET polled_at = CASE WHEN polled_at = {now} THEN {now} + 1 ELSE {now} END, poll_interval = ?
WHERE id = ? AND COALESCE(polled_at, 0) = ? AND ends_at > {now}`),

		decideDevice: r.Replace(`
UPDATE {devices} SET decision = ?
WHERE id = ? AND decision IS NULL AND ends_at > {now}`),

		// No end ever moves, so what has been found may be removed.
		findOverDevices: r.Replace(`SELECT id FROM {devices} WHERE ends_at < {now} - ? ORDER BY ends_at LIMIT ?`),
		pruneDevices:    r.Replace(`DELETE FROM {devices} WHERE {id of devices in}`),

		// {rows} are the values. An entry that is there stays as it is.
		appendAudit: r.Replace(d.insertNew(`{audit}`, ` (`+auditColumns+`) VALUES {rows}`)),
		// Entries adds its conditions.
		listAudit:    r.Replace(`SELECT ` + auditColumns + ` FROM {audit} WHERE id > ?`),
		findOldAudit: r.Replace(`SELECT id FROM {audit} WHERE id < ? ORDER BY id LIMIT ?`),
		pruneAudit:   r.Replace(`DELETE FROM {audit} WHERE {id of audit in}`),

		version:    r.Replace(`SELECT schema_version FROM {epochs} WHERE id = 1`),
		setVersion: r.Replace(`UPDATE {epochs} SET schema_version = %d WHERE id = 1 AND schema_version < %d`),

		hasEpochRow: r.Replace(`SELECT COUNT(*) FROM {epochs} WHERE id = 1`),

		// Migrate reads each column and expression from these tables, the same that
		// Find reads, to find names that do not exist or are ambiguous.
		probe: r.Replace(` FROM {epochs} g JOIN {sessions} s ON g.id = 1 JOIN {users} u ON g.id = 1 WHERE 1 = 0`),
	}
}
