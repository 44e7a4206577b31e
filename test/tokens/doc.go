// Package tokens tests the endpoints of package session/token with OAuth clients that others
// have written, over HTTP and on MySQL: golang.org/x/oauth2, and openid-client in Node. npm
// installs the latter: make deps runs it. The tests run side by side, and sleep most of their
// minute.
package tokens
