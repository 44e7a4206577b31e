package sqlstore

// Statements are the store's, for the tests of their plans.
func (s *Store) Statements() map[string]string {
	return map[string]string{
		"find": s.sql.find, "list": s.sql.list, "changes": s.sql.changes, "outlived": s.sql.outlived, "prune": s.sql.prune + marks(7) + ")",
		"confirm": s.sql.confirm, "revokeUser": s.sql.revokeUser, "reload": s.sql.reload,
	}
}

var ParseRoles = parseRoles
