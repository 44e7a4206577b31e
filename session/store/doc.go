// Package store is the contract between package session and a database.
//
// A [Store] keeps one row per login beside the app's users table. It stores,
// compares and swaps; package session decides. [Memory] is the reference
// implementation, for tests and trials; package sqlstore keeps the rows in a
// database. Package storetest holds the contract as tests, and every store passes
// them.
package store
