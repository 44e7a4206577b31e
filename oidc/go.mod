module github.com/sessionkit/sessionkit/oidc

go 1.26.0

replace github.com/sessionkit/sessionkit => ..

require (
	github.com/coreos/go-oidc/v3 v3.21.0
	github.com/go-jose/go-jose/v4 v4.1.8
	github.com/sessionkit/sessionkit v0.0.0
	golang.org/x/oauth2 v0.36.0
	golang.org/x/sync v0.24.0
)

require github.com/gorilla/securecookie v1.1.2 // indirect
