package sqlstore

import (
	"fmt"
	"slices"
	"strings"
)

// Dialects is the table of all dialects.
var Dialects = dialects

// MySQLSettings is the query that reads the settings of a MySQL connection.
const MySQLSettings = mysqlSettings

// Statements returns all SQL that a Store runs on its tables, by name.
func (s *Store) Statements() map[string]string {
	return map[string]string{
		"find": s.sql.find, "list": s.sql.list, "listAfter": s.sql.listAfter, "newest": s.sql.newest, "changes": s.sql.changes,
		"findExpired": s.sql.findExpired, "prune": s.sql.prune + placeholders(7) + s.sql.endOfIDs,
		"findClients": s.sql.findClients, "forgetThese": s.sql.forgetThese + placeholders(7) + s.sql.endOfIDs,
		"confirm": s.sql.confirm, "recordLate": s.sql.recordLate,
		"findUnrevoked": s.sql.findUnrevoked + s.sql.limit, "revokeThese": s.sql.revokeThese + placeholders(7) + s.sql.endOfIDs,
		"findReload": s.sql.findReload, "reloadThese": s.sql.reloadThese + placeholders(7) + s.sql.endOfIDs, "refreshAll": s.sql.refreshAll,
		"create": s.sql.create, "revokeReused": s.sql.revokeReused, "revoke": s.sql.revoke + s.sql.andUser,
		"findExternal": s.sql.findExternal + s.sql.limit, "update": s.sql.update, "version": s.sql.version,
		"revokeAll": s.sql.revokeAll, "hasEpochRow": s.sql.hasEpochRow, "probe": "SELECT 1" + s.sql.probe,

		"pendingDevices": s.sql.pendingDevices, "createDevice": s.sql.createDevice, "hasDevice": s.sql.hasDevice,
		"findSameCode": s.sql.findSameCode, "removeDevice": s.sql.removeDevice,
		"findDevice": s.sql.findDevice, "findUserCode": s.sql.findUserCode, "recordPoll": s.sql.recordPoll, "decideDevice": s.sql.decideDevice,
		"findOverDevices": s.sql.findOverDevices, "pruneDevices": s.sql.pruneDevices + placeholders(7) + s.sql.endOfIDs,

		"appendAudit": s.sql.appendAudit, "listAudit": s.sql.listAudit, "findOldAudit": s.sql.findOldAudit, "pruneAudit": s.sql.pruneAudit + placeholders(7) + s.sql.endOfIDs,
	}
}

// ParseRoles reads the roles of a user.
var ParseRoles = parseRoles

// Key is the value of a user id in the database, and Text is its inverse.
func (k IDKind) Key(id string, largest uint64) (any, bool) { return k.key(id, largest) }
func (k IDKind) Text(column []byte) (string, error)        { return k.text(column) }

// NextRelease returns the Store of an invented later release on the same database. Its
// schema adds a column, note, to sessions. Its logins fill it in, and its reads replace
// the session's address by it, unless it is NULL.
func (s *Store) NextRelease() *Store {
	next, d := *s, *s.dialect
	replace := func(text *string, old, replacement string) {
		if !strings.Contains(*text, old) {
			panic("NextRelease: no " + old + " in " + *text)
		}
		*text = strings.Replace(*text, old, replacement, 1)
	}
	replace(&d.schema, "\tKEY by_user", "\tnote             VARBINARY(45)    NULL,\n\tKEY by_user")
	next.dialect, next.added = &d, append(slices.Clone(s.added), []string{"note"})
	replace(&next.sql.create, "(id, ", "(note, id, ")
	replace(&next.sql.create, "SELECT ", "SELECT 'next', ")
	replace(&next.sql.find, "s.ip", "COALESCE(s.note, s.ip)")
	return &next
}

// SetVersion is the statement that ends an upgrade.
func (s *Store) SetVersion(version int) string {
	return fmt.Sprintf(s.sql.setVersion, version, version)
}
