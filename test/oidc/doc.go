// Package oidc tests logins with OpenID providers that others have written, over HTTP: Node's
// oidc-provider, and the server of github.com/zitadel/oidc. npm installs the former: make deps
// runs it.
package oidc
