// Package assertions tests that a service in another language verifies assertions, with its
// own JOSE library: Node's jose. npm installs it: make deps runs it.
package assertions
