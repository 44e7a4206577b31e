// Package nethttp protects the handlers of a net/http app with sessions: behind
// http.ServeMux, chi, gorilla/mux, or any other router of http.Handlers.
//
//	guard, err := nethttp.New(sessions, nethttp.Config{Public: []string{"/{$}", "/static/"}})
//	mux.Handle("POST /logout", http.HandlerFunc(guard.Logout))
//	mux.Handle("/admin", guard.RequireRole("admin")(admin))
//	http.ListenAndServe(addr, guard.Protect(mux))
//
// A [Guard] authenticates a request with its session.Manager, and sets cookies before the
// handler runs. It answers a refused page load with a redirect to the login page, and a
// program with 401. If the store does not answer, they get a 503, and stay logged in. A
// prefetch is answered from the access cookie alone; otherwise it gets a 503 that the browser
// does not keep, and the click loads the page. It never causes a statement, so RequireLive
// refuses it. Each guard authenticates a request once, by itself, and does not trust values
// that other middleware has set: every order of mounting is safe.
//
// # Front-end libraries
//
// A library that requests pages by scripts gets the answers that it understands. The user
// comes to the login page as a whole, and from there to the link's target, or to the page with
// the form or the part:
//
//	htmx 2 and 4      401 with HX-Redirect, and HX-Reswap: none: an error changes nothing
//	Turbo 8           303; in a frame too, with whole=1 in the login page's query
//	Unpoly 3          303
//	Alpine AJAX       401, after which it loads the page itself
//	Datastar          200 and an event stream with a script; an error changes nothing
//	EventSource       204, which ends it; in an outage an empty stream, so that it comes back
//	service workers,  303, if they ask for text/html
//	fetch
//
// Turbo, Unpoly and Alpine AJAX show other errors as a page. A script with another library
// is a program, unless it asks for text/html. After a form such as that of the login, Redirect
// sends each of them on.
//
// Of a Cookie header it reads the first 3,000 pairs. Reading the header costs net/http
// itself more: set http.Server.MaxHeaderBytes, 1 MB by default, to 32 KB. The
// kit's cookies need about 1 KB.
//
// # Guards for other frameworks
//
// A guard for another framework builds on [Core], which has the same rules, and adds the
// framework's signatures and route matching. Package middleware is the guard for echo v4.
// Where the framework's router tells the route of a request, Core.Routes reads Config.Public
// and Config.Background, and its Requirement says what to require. A guard calls Core.Admit before the handler and Core.Finish after it, and passes the
// writer and the request that Admit returns to the handler. If its Issue cannot put a new
// writer in place of the handler's, it wraps that with Core.Watch. It calls ReturnForm when
// the handler has returned or panicked. The login page is always public, and requests to
// Core.LogoutPath go to Logout without Admit. Logout answers with Redirect to
// Core.AfterLogout, WriteError with Core.Refuse.
package nethttp
