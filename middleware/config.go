package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware/internal/guard"
	"github.com/sessionkit/sessionkit/session"
)

// Config says where things are in an app. The zero Config has a login page at
// /login, a logout at /logout, and no other public page.
type Config struct {
	_ [0]func() // named fields only

	// LoginPath is where browsers are sent to log in. It is open to everybody.
	// Default "/login".
	LoginPath string

	// LogoutPath is where Guard.Logout is mounted, and nothing else. Protect
	// leaves it alone, so that a logout works also when the session is over, or
	// the store down.
	// Default "/logout".
	LogoutPath string

	// Public are the routes that Protect leaves open, as they were registered
	// with echo and as c.Path() has them: "/", "/static*", "/articles/:id". A path
	// alone is open to every method, "GET /articles/:id" to GET and HEAD only.
	// What echo's Static("/static", dir) registers is "/static*", not "/static/*".
	// All else is protected, also what no route matches.
	Public []string

	// CrossOrigin refuses unsafe requests from other sites, before anything else.
	// Default: the zero protection. CORS, if any, is mounted before the guard.
	CrossOrigin *http.CrossOriginProtection

	// Credentials, if not nil, is asked on protected routes when neither cookie is
	// good: for programs that send a password or an identity provider's token
	// with a request, see BasicAuth. On success a session is issued and the
	// request served; a client that keeps cookies then needs no credentials for
	// the session's life. An error that Is session.ErrUnauthenticated says that
	// the request has none, or wrong ones; any other becomes a 503, and reaches
	// Answer, as Internal, and no log.
	//
	// It runs for everyone who sends something: throttling, and the cost of
	// hashing, are its own to bound. A client that keeps no cookies costs a login
	// for every request, and a row for twice the idle timeout; it ends none of the
	// user's other sessions, see session.Login.Unattended. Behind a proxy, fill in
	// session.Login.IP.
	Credentials func(r *http.Request) (session.Login, error)

	// Answer, if not nil, writes refusals in place of the kit's own small pages.
	// The headers (Location, HX-Redirect, Retry-After and the like) are set; the
	// refusal says the status, a sentence for the client, and what happened, as
	// Internal, for logs. Answer cannot admit anyone: if it writes nothing and
	// returns no error, the kit's own answer is sent.
	Answer func(c echo.Context, refusal *echo.HTTPError) error
}

func (cfg Config) withDefaults() Config {
	if cfg.LoginPath == "" {
		cfg.LoginPath = "/login"
	}
	if cfg.LogoutPath == "" {
		cfg.LogoutPath = "/logout"
	}
	return cfg
}

// faults returns all that is wrong with a config whose defaults are filled in.
func (cfg Config) faults() error {
	var faults []error
	wrong := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("middleware: Config."+format, args...))
	}
	for _, p := range []struct{ field, path string }{{"LoginPath", cfg.LoginPath}, {"LogoutPath", cfg.LogoutPath}} {
		if !guard.SafePath(p.path) || p.path == "/" || strings.ContainsAny(p.path, "?#:*%") {
			wrong("%s is %q: use a plain path of its own, such as /login", p.field, p.path)
		}
	}
	if cfg.LoginPath == cfg.LogoutPath {
		wrong("LogoutPath is the same as LoginPath, %q: use two paths", cfg.LoginPath)
	}
	for _, route := range cfg.Public {
		method, path := splitRoute(route)
		if method != strings.ToUpper(method) {
			wrong("Public has %q: write the method in capitals, or leave it out", route)
		}
		if !strings.HasPrefix(path, "/") {
			wrong("Public has %q: use a route's path as it was registered with echo, such as /static*", route)
		}
		if strings.ContainsAny(path, "?#") {
			wrong("Public has %q: a route has no query and no fragment", route)
		}
		if path == "/*" {
			wrong("Public has %q: it would leave every path open that no other route matches", route)
		}
	}
	return errors.Join(faults...)
}

// splitRoute takes a route of Config.Public apart; the method may be empty.
func splitRoute(route string) (method, path string) {
	if method, path, ok := strings.Cut(route, " "); ok {
		return method, path
	}
	return "", route
}

// public returns the methods that each public path is open to; nil: all.
func (cfg Config) public() map[string][]string {
	public := map[string][]string{}
	for _, route := range cfg.Public {
		switch method, path := splitRoute(route); method {
		case "":
		case http.MethodGet:
			public[path] = append(public[path], method, http.MethodHead)
		default:
			public[path] = append(public[path], method)
		}
	}
	// Last: a path alone takes in what was said of its methods.
	for _, route := range append(slices.Clone(cfg.Public), cfg.LoginPath) {
		if method, path := splitRoute(route); method == "" {
			public[path] = nil
		}
	}
	return public
}
