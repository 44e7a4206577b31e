// Package stores tests package sqlstore on databases whose drivers are not
// dependencies of the library's module.
package stores
