// Package sqlstore keeps sessions in the app's own MySQL, MariaDB or SQLite
// database, in one row per login beside the app's users table. It remembers,
// compares and swaps; package session judges.
//
//	store, err := sqlstore.New(db, sqlstore.Config{})
//	err = store.Migrate(ctx) // creates the kit's tables, checks the app's
//	sessions, err := session.New(keys, store, session.Config{})
//
// The app's table is only ever read. To end all sessions of a user, raise their
// session_epoch in the transaction that changes the password, or call RevokeUser
// after it. Call Issue after the transaction that wrote the user's row has
// committed: until then a login waits for its lock.
//
// # More than one database node
//
// Open nodes that take writes, never replicas: on one that lags, a logout has not
// happened yet. Whichever it is, what conflicts is repeated, and then a 503.
//
//   - Galera, all nodes at once: wsrep_sync_wait=3 in the DSN. Without it some of
//     what follows at once on another node, 4 to 40 in a hundred as we have seen,
//     finds the row as it was: a logout is not seen, a login right after a password
//     change is refused. Tried by make drill-cluster, with one and with two of three
//     nodes killed under load. Nothing is written for some seconds after a death
//     (evs.suspect_timeout), which is 503s.
//   - MySQL Group Replication: group_replication_consistency='BEFORE', and no
//     member before it is ONLINE. A compare-and-swap like the kit's was right on
//     three of them; the kit's tests were not run there.
//   - A primary with replicas: the primary. After a failover that has lost writes
//     sessions go on (EventAhead), but so do those that were ended in them: RevokeAll.
//   - Vitess: sessions and users in one unsharded keyspace. TiDB: its write conflicts
//     are errors like others. Neither was tried.
package sqlstore
