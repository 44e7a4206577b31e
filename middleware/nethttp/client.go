package nethttp

import (
	"net/http"
	"strings"

	"github.com/sessionkit/sessionkit/session"
)

// client is one kind of client, as far as answers differ.
type client struct {
	is func(r *http.Request) bool // how it is known

	to    string                                // the header field that sends it to another page; "": nothing does
	login int                                   // the status of an answer that asks for a login
	moved int                                   // the status of an answer that sends it on after a form
	back  func(c *Core, r *http.Request) string // the page to show after the login, not checked yet; not nil if to is set

	early       bool // the user has not opened the page yet: nothing asks for a login
	page        bool // refusals are pages, not problem documents
	credentials bool // Config.Credentials may log it in
}

// clients holds a row for each kind of client. The first row that knows the request
// counts, and the last one knows every request.
var clients = [...]client{
	// A browser keeps the answer to a prefetch and shows it later. So it never asks for a
	// login: the browser would show the login page to a user who has logged in since. A
	// browser does not keep an error. Turbo does, and shows it on the click if it is HTML;
	// otherwise it loads the page.
	{is: session.IsPrefetch, moved: http.StatusNoContent, early: true},
	// htmx requests it while the pointer is over a link. HX-Redirect would navigate.
	{is: isPreload, login: http.StatusUnauthorized, moved: http.StatusNoContent, page: true, credentials: true},
	// htmx swaps a part of a page. It follows HX-Redirect, not Location.
	{is: isHTMX, to: "HX-Redirect", login: http.StatusUnauthorized, moved: http.StatusNoContent, back: currentPage, page: true, credentials: true},
	// A browser loads a page. 303 for each method: 307 would post the form to the login
	// page, and a cached 301 would redirect users after their login, too. Credentials log
	// nobody in: any site can have a link to http://user:password@app/.
	{is: isPageLoad, to: "Location", login: http.StatusSeeOther, moved: http.StatusSeeOther, back: requestedPage, page: true},
	// Any other client is a program.
	{login: http.StatusUnauthorized, moved: http.StatusNoContent, credentials: true},
}

func clientOf(r *http.Request) *client {
	last := len(clients) - 1
	for i := range clients[:last] {
		if clients[i].is(r) {
			return &clients[i]
		}
	}
	return &clients[last]
}

func isHTMX(r *http.Request) bool    { return r.Header.Get("HX-Request") == "true" }
func isPreload(r *http.Request) bool { return r.Header.Get("HX-Preloaded") == "true" }

// isPageLoad reports whether a browser loads a page. All browsers have sent
// Sec-Fetch-Mode since 2023. Without it, a request for HTML counts as a page load. A wrong
// guess costs a redirect instead of a 401.
func isPageLoad(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return mode == "navigate" || mode == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// Redirect sends the client to a page of this app after a form was handled. It sets the
// Location for browsers and HX-Redirect for htmx, and returns the status for the caller to
// write: 303 for browsers, else 204. The page must be safe: see Guard.ReturnTo.
func Redirect(h http.Header, r *http.Request, page string) int {
	who := clientOf(r)
	if who.to != "" {
		h.Set(who.to, page)
	}
	return who.moved
}
