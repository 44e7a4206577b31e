// Package libraries tests what a person sees whose request the guard refuses, in headless
// Chromium, with the front-end libraries that the table of clients in package nethttp has
// rows for. npm installs them: make deps runs it.
package libraries
