// Package cluster tests sqlstore on a database of three nodes that each take
// writes, a MariaDB Galera cluster on this machine, with conflicting writes and
// with nodes that die:
//
//	make drill-cluster
//
// installs what it needs and runs it, in some two to three minutes.
package cluster
