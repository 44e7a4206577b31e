// Package guardtest holds what the tests of package nethttp and of the guards built
// on it share: a Manager on a store that fails on demand, clients of each kind, and
// an HTTP exchange byte for byte.
package guardtest
