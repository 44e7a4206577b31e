package sqlstore

// Statements are the store's, for the tests of their plans and of what gets into
// them.
func (s *Store) Statements() map[string]string {
	return map[string]string{
		"find": s.sql.find, "list": s.sql.list, "changes": s.sql.changes, "outlived": s.sql.outlived, "prune": s.sql.prune + marks(7) + ")",
		"confirm": s.sql.confirm, "revokeUser": s.sql.revokeUser, "reload": s.sql.reload,
		"create": s.sql.create, "revokeReused": s.sql.revokeReused, "revoke": s.sql.revoke + " AND " + s.sql.ofUser,
		"revokeAll": s.sql.revokeAll, "hasEpoch": s.sql.hasEpoch, "addEpoch": s.sql.addEpoch, "probe": "SELECT 1" + s.sql.probe,
	}
}

var ParseRoles = parseRoles

// Key is what a user id is in the database, and Text the opposite.
func (k IDKind) Key(id string, largest uint64) (any, bool) { return k.key(id, largest) }
func (k IDKind) Text(column []byte) (string, error)        { return k.text(column) }
