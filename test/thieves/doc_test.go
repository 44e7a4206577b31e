// Package thieves lets thieves and honest browsers use two nodes of an app on a real
// MySQL or MariaDB, over hours and days that pass in a moment.
//
// A test runs in a bubble of testing/synctest, so the nodes and the browsers live by a
// simulated clock, which stands still while a statement runs. The database lives by
// the same clock: see connector. Everything else is real: the store, its SQL, the
// server, and requests that meet in it.
//
// The package needs a database server, see package dbtest, and fails without one.
package thieves
