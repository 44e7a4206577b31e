module github.com/sessionkit/sessionkit/middleware/echov5

go 1.26.0

replace github.com/sessionkit/sessionkit => ../..

require (
	github.com/labstack/echo/v5 v5.4.4
	github.com/sessionkit/sessionkit v0.0.0
)

require (
	github.com/gorilla/securecookie v1.1.2 // indirect
	golang.org/x/sync v0.24.0 // indirect
)
