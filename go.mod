module github.com/sessionkit/sessionkit

go 1.26.0

require (
	github.com/gorilla/securecookie v1.1.2
	golang.org/x/sync v0.24.0
)
