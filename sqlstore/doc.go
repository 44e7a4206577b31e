// Package sqlstore keeps sessions in the app's own database: MySQL, MariaDB, PostgreSQL
// or SQLite. It stores one row per login beside the app's users table. It compares and
// swaps; package session decides.
//
//	store, err := sqlstore.New(db, sqlstore.Config{})
//	err = store.Migrate(ctx) // creates the kit's tables and checks the app's
//	sessions, err := session.New(keys, store, session.Config{})
//
// # The app's table
//
// The kit reads the user's id, epoch, roles, whether the user is disabled, and any
// attributes. Config names their columns, or gives an SQL expression instead. The kit
// never writes to this table.
//
// To end all sessions of a user, raise the epoch in the transaction that changes the
// password, or call session.Manager.RevokeUser after it. Call session.Manager.Issue
// after the transaction that writes the user's row has committed: until then the login
// waits for that transaction's lock, or, in PostgreSQL, reads the row as it was.
//
// # The kit's tables
//
// Migrate creates three tables: of sessions, of the logins of devices that cannot show a login
// page, and one row for all sessions together. To create them with goose, atlas or golang-migrate, put
// the output of Schema into a migration, and still call Migrate at the start: it then
// creates nothing and checks everything.
//
// A later release may need more columns. Its Migrate adds them while nodes of both releases
// serve requests; nobody is logged out. Let one node of the new release start first: the
// ALTER TABLE waits for transactions that use the table, each time for at most a second.
// An account that may not alter tables gets the statements.
//
// # More than one database node
//
// Open nodes that accept writes, never replicas: a replica that lags still shows a
// session that has been logged out. On a cluster, conflicting writes fail. The Manager
// repeats them, and answers 503 if they fail again.
//
//   - Galera, all nodes at once: add wsrep_sync_wait=3 to the DSN. Without it, 4 to 40
//     of 100 requests that follow a write at once on another node read the old row: a
//     logout is not seen, or a login right after a change of the password is refused.
//     Tested by make drill-cluster, with one and with two of three nodes killed under
//     load. After the death of a node, writes wait for some seconds
//     (evs.suspect_timeout), and requests get a 503.
//   - MySQL Group Replication: set group_replication_consistency='BEFORE', and use a
//     member only while it is ONLINE. The kit's compare-and-swap was tested on three
//     members, the rest of the kit was not.
//   - A primary with replicas: open the primary. After a failover that lost writes,
//     sessions go on (session.EventStoreBehind). So do sessions that were ended by the
//     lost writes: call session.Manager.RevokeAll.
//   - Vitess: set interpolateParams=true. On a keyspace with shards, Migrate prints the
//     vschema that is missing: a user's sessions lie on the user's shard. The epoch and
//     the ids may lie on others. Call Migrate at each start there, because the Store
//     learns from it that there are shards. Tested by make drill-vitess, without a
//     failover and without resharding.
//   - TiDB: not tested. Its write conflicts are errors, and are repeated like others.
package sqlstore
