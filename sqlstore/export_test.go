package sqlstore

// Dialects is the table of all dialects.
var Dialects = dialects

// MySQLSettings is the query that reads the settings of a MySQL connection.
const MySQLSettings = mysqlSettings

// Statements returns all SQL that a Store runs on its tables, by name.
func (s *Store) Statements() map[string]string {
	return map[string]string{
		"find": s.sql.find, "list": s.sql.list, "listAfter": s.sql.listAfter, "newest": s.sql.newest, "changes": s.sql.changes,
		"findExpired": s.sql.findExpired, "prune": s.sql.prune + placeholders(7) + ")",
		"confirm": s.sql.confirm, "recordLate": s.sql.recordLate,
		"findUnrevoked": s.sql.findUnrevoked + s.sql.limit, "revokeThese": s.sql.revokeThese + placeholders(7) + ")",
		"findReload": s.sql.findReload, "reloadThese": s.sql.reloadThese + placeholders(7) + ")", "refreshAll": s.sql.refreshAll,
		"create": s.sql.create, "revokeReused": s.sql.revokeReused, "revoke": s.sql.revoke + s.sql.andUser,
		"revokeAll": s.sql.revokeAll, "hasEpochRow": s.sql.hasEpochRow, "probe": "SELECT 1" + s.sql.probe,
	}
}

// ParseRoles reads the roles of a user.
var ParseRoles = parseRoles

// Key is the value of a user id in the database, and Text is its inverse.
func (k IDKind) Key(id string, largest uint64) (any, bool) { return k.key(id, largest) }
func (k IDKind) Text(column []byte) (string, error)        { return k.text(column) }
