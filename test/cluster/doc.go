// Package cluster tests package sqlstore on a MariaDB Galera cluster of three nodes
// on this machine. Each node accepts writes. The tests produce conflicting writes
// and kill nodes.
//
//	make drill-cluster
//
// installs the required packages and runs the tests, in two to three minutes.
package cluster
