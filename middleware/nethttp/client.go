package nethttp

import (
	"net/http"
	"strings"
)

// client is the kind of program that sent a request, as far as answers differ.
type client int

const (
	program client = iota
	browser        // loads a page
	htmx           // swaps a part of a page: follows HX-Redirect, not Location
)

func clientOf(r *http.Request) client {
	if r.Header.Get("HX-Request") == "true" {
		return htmx
	}
	// All browsers have sent Sec-Fetch-Mode since 2023. Without it, a request for HTML
	// counts as a page load. A wrong guess costs a redirect instead of a 401.
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode == "navigate" || mode == "" && strings.Contains(r.Header.Get("Accept"), "text/html") {
		return browser
	}
	return program
}

// Redirect sends the client to a page of this app after a form was handled. It sets the
// Location for browsers and HX-Redirect for htmx, and returns the status for the caller to
// write: 303 for browsers, else 204. The page must be safe: see Guard.ReturnTo.
func Redirect(h http.Header, r *http.Request, page string) int {
	switch clientOf(r) {
	case browser:
		h.Set("Location", page)
		return http.StatusSeeOther
	case htmx:
		h.Set("HX-Redirect", page)
	}
	return http.StatusNoContent
}
