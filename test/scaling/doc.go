// Package scaling measures the load that many users put on the database: statements
// per second, the traffic of the revocation list, and bytes stored. `make scaling`
// prints the report.
//
// Statements are counted: simulated browsers send requests through real Managers, in
// fake time, to a store in memory. Bytes are measured on a real MariaDB, and so are the
// rows that one user with very many sessions makes the database read. The report prints
// each computed figure together with its inputs.
//
// `go test` does the same with few users, and checks the counts against the bounds
// that the project documents.
package scaling
