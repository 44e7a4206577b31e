package middleware

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

// Config describes an app to New. The zero Config has the login page at /login, the
// logout at /logout, and no other public page.
type Config struct {
	_ [0]func() // named fields only

	// LoginPath is the path of the login page, on each host. It is public on the default
	// host. On a virtual host Public has to open it: "shop.example.com/login". Default
	// "/login". The query tells the page what it may want to know: next, the page to return
	// to; reauth=1, the login is too old, or, with method, lacks one of these methods, which
	// commas separate; reason=reuse, the session was ended because somebody may have copied
	// its cookie (session.ErrReused); logout=pending, see OnLogoutError. Anybody can make a
	// link with these, so let the page only show a text for them.
	LoginPath string

	// LogoutPath is the route of Guard.Logout on the default host. Protect admits each
	// request to it, so that a logout works also if the session has ended or the store is
	// down. On a virtual host, an entry of Public does the same. Default "/logout".
	LogoutPath string

	// Public lists the routes that need no session, as they were registered with echo and
	// as c.Path() returns them: "/", "/static*", "/articles/:id". A path alone is open to
	// every method, "GET /articles/:id" to GET and HEAD only. Echo's
	// Static("/static", dir) registers "/static*", not "/static/*". Everything else is
	// protected, also paths that match no route.
	//
	// An entry opens a route of the default host, which is registered with the Echo itself. A
	// route of a virtual host is opened by an entry that names it exactly as Echo.Host does:
	// "shop.example.com/", "GET shop.example.com:8443/articles/:id".
	//
	// If the Echo has no route for an entry, that opens nothing, and may be misspelt. The
	// first request that Protect gets logs these entries as a warning, with slog's default
	// logger. So register all routes before the Echo serves.
	Public []string

	// Background lists the routes whose requests do not show that the user is there, such as
	// a poll for news, in the syntax of Public: a poll would keep a session from its idle
	// end, in a tab that nobody looks at. Without a good access cookie such a request is
	// checked by the store, and costs a statement or two; the answer refreshes nothing, so
	// that the next page load does. See session.Manager.AuthenticateBackground. Give it no
	// page that users open.
	Background []string

	// Prefix is the part of each path that browsers see and this app does not, such as
	// "/app", because a proxy or http.StripPrefix takes it away. All other paths of the Config
	// are as the app's router sees them. The guard puts the prefix before the login page and
	// the page to return to. What ReturnTo returns begins with it, and next must. Without
	// Prefix such an app would send users to pages outside of it. Default: none.
	Prefix string

	// CrossOrigin refuses unsafe requests from other sites, before any other check. The
	// handshake of a WebSocket counts as unsafe, as if its method were POST.
	// Default: the zero http.CrossOriginProtection. Mount CORS, if any, before the
	// guard.
	CrossOrigin *http.CrossOriginProtection

	// Credentials, if not nil, is called on protected routes when neither cookie is
	// valid. It is for programs that send a password or an identity provider's token: see
	// nethttp.BasicAuth. It is not called for page loads, also by Turbo and the like, for
	// prefetches, and for requests that CrossOrigin would refuse if they were unsafe: browsers
	// send credentials without being asked. If it returns a Login, a session begins and the request is served. An
	// error that Is session.ErrUnauthenticated means that the request has no credentials,
	// or wrong ones. Any other error becomes a 503. Answer gets it as Internal; it is not
	// logged.
	//
	// Any client can make it run: limit the rate and the cost of hashing in it. It runs for
	// each request of a client that keeps no cookies. The first of them begins a session;
	// the next ones with the same Authorization header are answered by it, for at most
	// session.Config.AccessTTL. Sessions that begin here have a limit of their own for each
	// user, and end no other session: see session.Login.NonInteractive. Behind a proxy, set
	// session.Config.ClientIP.
	Credentials func(r *http.Request) (session.Login, error)

	// OnLogoutError, if not nil, is called by Logout if the store cannot be told that the
	// session has ended. err Is session.ErrStoreUnavailable, and r is the request of the
	// logout. The browser's cookies are deleted, and this node refuses the session.
	// Manager.Run repeats the revocation until the store has it, but only while this process
	// lives: a restart loses it, and other nodes do not know of it. Until then a copy of the
	// cookies may go on. So the browser is sent to a page whose query has logout=pending: let
	// it say "We will finish logging you out". Default: nothing is called.
	OnLogoutError func(r *http.Request, err error)

	// LogoutURL, if not nil, is called by Logout before the session ends, and returns where to
	// send the browser then, such as to the logout page of an identity provider; empty: as
	// without it. See nethttp.Config.LogoutURL.
	LogoutURL func(r *http.Request) string

	// Answer, if not nil, writes refusals in place of the guard's own small pages. The
	// headers, such as Location, HX-Redirect and Retry-After, are set. The refusal
	// holds the status, a sentence for the client, and as Internal the cause, for
	// logs. Answer cannot admit a request: if it writes nothing and returns no error, the
	// guard's own answer is sent. It is not called for an answer that nobody sees,
	// such as that to a prefetch: see nethttp.Refusal.
	Answer func(c echo.Context, refusal *echo.HTTPError) error
}
