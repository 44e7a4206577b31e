package echov5

import (
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/sessionkit/sessionkit/session"
)

// Config describes an app to New. The zero Config has the login page at /login, the
// logout at /logout, and no other public page. The fields that nethttp.Config has, too, mean
// the same; its documentation has the details.
type Config struct {
	_ [0]func() // named fields only

	// LoginPath is the path of the login page, which is public. Its query tells the page what
	// it may want to know: see nethttp.Config.LoginPath. Default "/login".
	LoginPath string

	// LogoutPath is the route of Guard.Logout. Protect admits each request to it. Default
	// "/logout".
	LogoutPath string

	// Public lists the routes that need no session, as they were registered with echo and
	// as c.Path() returns them: "/", "/static*", "/articles/:id". A path alone is open to
	// every method, "GET /articles/:id" to GET and HEAD only. Echo's Static("/static", dir)
	// registers "/static*". Everything else is protected, also paths that match no route.
	//
	// An entry that matches no route opens nothing, and may be misspelt. The first request
	// that Protect gets logs these entries as a warning, with slog's default logger.
	Public []string

	// Background lists the routes whose requests do not show that the user is there, such as
	// a poll for news, in the syntax of Public: see nethttp.Config.Background. Give it no page
	// that users open.
	Background []string

	// Prefix is the part of each path that browsers see and this app does not, such as
	// "/app": see nethttp.Config.Prefix. Default: none.
	Prefix string

	// CrossOrigin refuses unsafe requests and WebSockets from other sites, before any other
	// check. Default: the zero http.CrossOriginProtection. Mount CORS, if any, before the
	// guard.
	CrossOrigin *http.CrossOriginProtection

	// Credentials, if not nil, logs programs in by a password or a token, on protected
	// routes: see nethttp.Config.Credentials and nethttp.BasicAuth. Any client can make it
	// run: limit the rate and the cost of hashing in it.
	Credentials func(r *http.Request) (session.Login, error)

	// OnLogoutError, if not nil, is called by Logout if the store cannot be told that the
	// session has ended: see nethttp.Config.OnLogoutError.
	OnLogoutError func(r *http.Request, err error)

	// LogoutURL, if not nil, is called by Logout before the session ends, and returns where to
	// send the browser then, such as to the logout page of an identity provider; empty: as
	// without it. See nethttp.Config.LogoutURL.
	LogoutURL func(r *http.Request) string

	// Answer, if not nil, writes refusals in place of the guard's own small pages: also the
	// redirects to the login page, and what programs get. The
	// headers, such as Location, HX-Redirect and Retry-After, are set. The refusal holds the
	// status and a sentence for the client, and wraps the cause, for logs. Answer cannot admit
	// a request: if it writes nothing and returns no error, the guard's own answer is sent. It
	// is not called for an answer that nobody sees: see nethttp.Refusal.Fixed.
	Answer func(c *echo.Context, refusal *echo.HTTPError) error
}
