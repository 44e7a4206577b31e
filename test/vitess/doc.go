// Package vitess tests package sqlstore on Vitess: an unsharded keyspace, and one of two
// shards by user id.
//
//	make drill-vitess
//
// builds vtcombo, which is vtgate and all tablets in one process, from the source of
// Vitess that the Go module proxy has, starts it over a private MariaDB, and runs the
// tests. The first build takes some five minutes of two cores. Vitess is built in its own
// module and is no requirement of this one.
package vitess
