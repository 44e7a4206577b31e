// Package repository holds tests of the repository as a whole: what its documents name,
// which versions its modules select, and what its packages build.
package repository
