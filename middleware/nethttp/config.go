package nethttp

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/sessionkit/sessionkit/session"
)

// Config describes an app to New. The zero Config has the login page at /login, the
// logout at /logout, and no other public page.
type Config struct {
	_ [0]func() // named fields only

	// LoginPath is the path of the login page, on each host. It is public on the default
	// hosts: see Hosts. Elsewhere Public has to open it: "shop.example.com/login". Default
	// "/login". The query tells the page what it may want to know: next, the page to return
	// to; reauth=1, the login is too old, or, with method, lacks one of these methods, which
	// commas separate; reason=reuse, the session was ended because somebody may have copied
	// its cookie (session.ErrReused); logout=pending, see OnLogoutError. Anybody can make a
	// link with these, so let the page only show a text for them.
	LoginPath string

	// LogoutPath is the path of Guard.Logout on the default hosts: see Hosts. Protect admits
	// each request to it, so that a logout works also if the session has ended or the store
	// is down. On another host, an entry of Public does the same. Default "/logout".
	LogoutPath string

	// Public lists the pages that need no session, in the pattern syntax of
	// http.ServeMux: "/{$}", "/static/", "GET /articles/{id}", "status.test/".
	// Everything else is protected. A request whose path two routers may interpret
	// differently, such as "/admin/../static/x", is never public. A pattern without a host
	// holds on the default hosts only: see Hosts. One with a host, such as the last of these,
	// holds on that host, whatever the port, for all its paths that match: also for those
	// that the router gives to a route without a host.
	//
	// A pattern that matches no route opens nothing, and may be misspelt. If Protect is given
	// an *http.ServeMux, the first request logs such patterns as a warning, with slog's default
	// logger, but for those of whole subtrees, such as "/static/": a ServeMux does not say
	// which routes it has. The guard cannot know the routes of another handler.
	Public []string

	// Background lists the pages whose requests do not show that the user is there, such as
	// a poll for news, in the syntax of Public: a poll would keep a session from its idle
	// end, in a tab that nobody looks at. Without a good access cookie such a request is
	// checked by the store, and costs a statement or two; the answer refreshes nothing, so
	// that the next page load does. See session.Manager.AuthenticateBackground. Give it no
	// page that users open.
	Background []string

	// Hosts lists the default hosts, as the Host header of a request names them, with a port
	// that is not the scheme's: "example.com", "localhost:8080". On any other host, only the
	// patterns of Public that name it are public. Set it if the app has pages on several
	// hosts. A Host header that differs in case, or by a port or a final dot, is not of the
	// list: the app's router may take it for another host. Neither is the address of a
	// machine: mount a health check that is requested by address outside the guard.
	//
	// If Hosts is empty, every host is a default host. Either way, if Protect is given an
	// *http.ServeMux, a route whose pattern names a host is on no default host. The guard
	// sees neither a ServeMux within another handler, nor the hosts of another router.
	// A router that reads another header than Host needs a Guard for each of its hosts.
	Hosts []string

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
	// BasicAuth. It is not called for page loads, also by Turbo and the like, for prefetches,
	// and for requests that CrossOrigin would refuse if they were unsafe: browsers send
	// credentials without being asked. If it returns a Login, a session begins and the request is served. An
	// error that Is session.ErrUnauthenticated means that the request has no credentials,
	// or wrong ones. Any other error becomes a 503. Answer gets it as Refusal.Err; it is
	// not logged.
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
	// send the browser then, also outside of the app: to the logout page of an identity
	// provider. session.FromContext(r.Context()) has the session, unless it has ended or the
	// store does not answer. Empty: the page is the form value "next" or the login page, as
	// without LogoutURL.
	//
	// Turbo and other libraries that send forms by fetch cannot follow such an answer to another
	// site: let the browser send the form of the logout. A Content-Security-Policy with
	// form-action must name the provider.
	LogoutURL func(r *http.Request) string

	// Answer, if not nil, writes refusals in place of the guard's own small pages. The
	// headers, such as Location, HX-Redirect and Retry-After, are set. Answer cannot
	// admit a request: if it writes nothing, the guard's own answer is sent. It is not called
	// for an answer that nobody sees, such as that to a prefetch: see Refusal.Fixed.
	Answer func(w http.ResponseWriter, r *http.Request, refusal *Refusal)
}

func (cfg CoreConfig) withDefaults() CoreConfig {
	if cfg.LoginPath == "" {
		cfg.LoginPath = "/login"
	}
	if cfg.LogoutPath == "" {
		cfg.LogoutPath = "/logout"
	}
	if cfg.CrossOrigin == nil {
		cfg.CrossOrigin = http.NewCrossOriginProtection()
	}
	if cfg.OnLogoutError == nil {
		cfg.OnLogoutError = func(*http.Request, error) {}
	}
	if cfg.Credentials == nil {
		cfg.Credentials = func(*http.Request) (session.Login, error) { return session.Login{}, session.ErrUnauthenticated }
	}
	return cfg
}

// faults returns an error for each fault of a configuration with its defaults set.
func (cfg CoreConfig) faults() (faults []error) {
	wrong := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("guard: Config."+format, args...))
	}
	if p := cfg.Prefix; p != "" && (!isSafePath(p) || strings.HasSuffix(p, "/") || strings.ContainsAny(p, "?#:*%{}")) {
		wrong("Prefix is %q: use a plain path without a slash at its end, such as /app", p)
	}
	for _, p := range []struct{ field, path string }{{"LoginPath", cfg.LoginPath}, {"LogoutPath", cfg.LogoutPath}} {
		if !isSafePath(p.path) || p.path == "/" || strings.ContainsAny(p.path, "?#:*%{}") {
			wrong("%s is %q: use a plain path of its own, such as /login", p.field, p.path)
		}
	}
	if cfg.LoginPath == cfg.LogoutPath {
		wrong("LogoutPath is the same as LoginPath, %q: use two paths", cfg.LoginPath)
	}
	return faults
}

// hostFaults returns an error for each entry of Hosts that can equal no Host header.
func (cfg Config) hostFaults() (faults []error) {
	for _, host := range cfg.Hosts {
		if host == "" || host != strings.ToLower(host) || strings.ContainsAny(host, "/?#@* \t") {
			faults = append(faults, fmt.Errorf("guard: Config.Hosts has %q: write a host as browsers name it, such as example.com or localhost:8080", host))
		}
	}
	return faults
}

// listed returns a mux whose patterns are those of a field of Config.
func listed(field string, patterns []string) (mux *http.ServeMux, err error) {
	mux = http.NewServeMux()
	var faults []error
	for _, pattern := range patterns {
		if matchesAll(pattern) {
			faults = append(faults, fmt.Errorf("guard: Config.%s has %q, which matches every path: write /{$} for the home page alone", field, pattern))
			continue
		}
		if err := handle(mux, pattern); err != nil {
			faults = append(faults, fmt.Errorf("guard: Config.%s has %q: %w", field, pattern, err))
		}
	}
	return mux, errors.Join(faults...)
}

// unmatched returns the patterns for which a ServeMux has no route, without those of subtrees:
// these may match a route whose path nobody can guess.
func unmatched(patterns []string, mux *http.ServeMux) (unmatched []string) {
	for _, pattern := range patterns {
		if strings.HasSuffix(pattern, "/") || strings.HasSuffix(pattern, "...}") {
			continue
		}
		methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}
		if method, _, ok := strings.Cut(pattern, " "); ok {
			methods = []string{method}
		}
		if !slices.ContainsFunc(methods, func(method string) bool {
			_, route := mux.Handler(requestFor(method, withoutMethod(pattern)))
			return route != ""
		}) {
			unmatched = append(unmatched, pattern)
		}
	}
	return unmatched
}

// requestFor returns a request that a pattern of http.ServeMux without a method matches.
func requestFor(method, at string) *http.Request {
	r := &http.Request{Method: method, URL: &url.URL{}}
	begin := strings.Index(at, "/")
	r.Host = at[:begin]
	r.URL.Path = wildcard.ReplaceAllString(strings.TrimSuffix(at[begin:], "{$}"), "x")
	return r
}

var wildcard = regexp.MustCompile(`\{[^{}]*\}`)

// matchesAll reports whether a pattern without a host matches every path.
func matchesAll(pattern string) bool {
	path := withoutMethod(pattern)
	return path == "/" || strings.HasPrefix(path, "/{") && strings.HasSuffix(path, "...}") && strings.Count(path, "/") == 1
}

// namesHost reports whether a pattern of http.ServeMux, or "", names a host.
func namesHost(pattern string) bool {
	at := withoutMethod(pattern)
	return at != "" && at[0] != '/'
}

// withoutMethod returns the host and the path of a pattern of http.ServeMux.
func withoutMethod(pattern string) string {
	if i := strings.IndexAny(pattern, " \t"); i >= 0 {
		return strings.TrimLeft(pattern[i:], " \t")
	}
	return pattern
}

// handle registers a pattern. ServeMux panics for a pattern that is malformed or that
// conflicts with another.
func handle(mux *http.ServeMux, pattern string) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%v", fault)
		}
	}()
	mux.Handle(pattern, listedRoute{})
	return nil
}

// listedRoute marks the routes of a mux of listed. For "/docs", ServeMux answers with the
// route of "/docs/" as well, but with a redirect of its own as the handler.
type listedRoute struct{}

func (listedRoute) ServeHTTP(http.ResponseWriter, *http.Request) {}
