// Package scaling says what many users ask of the database: how many statements
// a second, what the feed carries, and how much is stored. `make scaling` prints
// it.
//
// Statements are counted, not modelled: browsers surf through real Managers, in
// fake time, on a store in memory. Bytes are measured on a real MariaDB. What is
// computed from these stands beside the inputs it is computed from.
//
// `go test` does the same with few users, and holds the counts against the bounds
// that the project promises.
package scaling
