package nethttp

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"

	"github.com/sessionkit/sessionkit/session"
)

// client is one kind of client, as far as answers differ.
type client struct {
	is func(r *http.Request) bool // how it is known

	send  func(h http.Header, page string) string // sends it to another page; nil: nothing does
	login int                                     // the status of an answer that asks for a login
	back  func(c *Core, r *http.Request) string   // the page to show after the login, not checked yet; nil: such an answer sends it nowhere
	moved int                                     // the status of an answer that sends it on after a form

	down int                                    // the status of an answer when the store does not answer; 0: 503
	body func(h http.Header, f *Refusal) string // the body of any other refusal, with its headers
	also [2]string                              // a header that each refusal has, and its value

	early       bool // the user has not opened the page yet: nothing asks for a login
	frame       bool // it shows a page within another one, unless the page asks to be loaded as a whole
	credentials bool // Config.Credentials may log it in
}

// clients holds a row for each kind of client. The first row that knows the request
// counts, and the last one knows every request. The libraries are those that test/libraries
// runs in Chromium.
var clients = [...]client{
	// A browser keeps the answer to a prefetch and shows it later. So it never asks for a
	// login: the browser would show the login page to a user who has logged in since. A
	// browser does not keep an error. Turbo does, and shows it on the click if it is HTML;
	// otherwise it loads the page.
	{is: session.IsPrefetch, moved: http.StatusNoContent, body: problem, early: true},
	// A program sends an access token, whatever else it says of itself (RFC 6750).
	{is: isBearer, login: http.StatusUnauthorized, moved: http.StatusNoContent, body: problem, credentials: true},
	// A browser opens a WebSocket. A page can read neither the status nor the body.
	{is: isWebSocket, login: http.StatusUnauthorized, moved: http.StatusNoContent, body: problem, credentials: true},
	// htmx requests it while the pointer is over a link. HX-Redirect would navigate.
	{is: isPreload, login: http.StatusUnauthorized, moved: http.StatusNoContent, body: page, credentials: true},
	// htmx shows a page of the history again. Version 2 follows no header here, and shows
	// the body of an answer that is no error.
	{is: isHistoryRestore, send: byHXRedirectOrRefresh, login: http.StatusOK, back: requestedPage, moved: http.StatusNoContent, body: page},
	// htmx swaps a part of a page. It follows HX-Redirect, not Location. Version 4 swaps the
	// bodies of errors, too: it would put an error page into the part.
	{is: isHTMX, send: byHXRedirect, login: http.StatusUnauthorized, back: currentPage, moved: http.StatusNoContent, body: page, also: [2]string{"HX-Reswap", "none"}, credentials: true},
	// Datastar swaps parts of a page. It runs scripts of an event stream with status 200, and
	// does nothing with an error.
	{is: isDatastar, send: byScript, login: http.StatusOK, back: referringPage, moved: http.StatusOK, body: problem},
	// Turbo shows a page in a frame.
	{is: isTurboFrame, send: byLocation, login: http.StatusSeeOther, back: referringPage, moved: http.StatusSeeOther, body: page, frame: true},
	// Unpoly shows pages, also after a redirect and after an error, but no JSON.
	{is: isUnpoly, send: byLocation, login: http.StatusSeeOther, back: requestedPage, moved: http.StatusSeeOther, body: page},
	// Alpine AJAX swaps a part of a page. After an error whose page lacks the part, it sends
	// the request again as a page load. It would remove the part for lack of it in a login
	// page.
	{is: isAlpineAJAX, send: byLocation, login: http.StatusUnauthorized, moved: http.StatusSeeOther, body: page},
	// An EventSource opens a stream again when it has ended, but never after an answer that
	// is no stream. 204 ends it for good. In an outage an empty stream makes it come back.
	{is: isEventSource, login: http.StatusNoContent, moved: http.StatusNoContent, down: http.StatusOK, body: stream, credentials: true},
	// A browser loads a page, or a script does: Turbo for a link or a form, a service worker.
	// 303 for each method: 307 would post the form to the login page, and a cached 301 would
	// redirect users after their login, too. Credentials log nobody in: any site can have a
	// link to http://user:password@app/.
	{is: isPageLoad, send: byLocation, login: http.StatusSeeOther, back: requestedPage, moved: http.StatusSeeOther, body: page},
	// Any other client is a program.
	{login: http.StatusUnauthorized, moved: http.StatusNoContent, body: problem, credentials: true},
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

func isHTMX(r *http.Request) bool       { return r.Header.Get("HX-Request") == "true" }
func isPreload(r *http.Request) bool    { return r.Header.Get("HX-Preloaded") == "true" }
func isDatastar(r *http.Request) bool   { return r.Header.Get("Datastar-Request") == "true" }
func isTurboFrame(r *http.Request) bool { return r.Header.Get("Turbo-Frame") != "" }
func isUnpoly(r *http.Request) bool     { return r.Header.Get("X-Up-Version") != "" }
func isAlpineAJAX(r *http.Request) bool { return r.Header.Get("X-Alpine-Request") == "true" }

func isHistoryRestore(r *http.Request) bool {
	return r.Header.Get("HX-History-Restore-Request") == "true"
}

// isEventSource reports whether an EventSource opens a stream. It sends exactly this
// Accept, and a page cannot give it an Authorization header. A program that reads streams
// wants to know about a 401.
func isEventSource(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get("Accept") == "text/event-stream" && r.Header.Get("Authorization") == ""
}

// isPageLoad reports whether a browser loads a page, or a script loads one to show it.
// All browsers have sent Sec-Fetch-Mode since 2023. Whoever asks for HTML shows pages, except
// for scripts that put an answer into a part of a page, as jQuery does.
func isPageLoad(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" ||
		strings.Contains(r.Header.Get("Accept"), "text/html") && r.Header.Get("X-Requested-With") != "XMLHttpRequest"
}

// The ways to send a client to another page: each sets the headers, and returns the body.

func byLocation(h http.Header, page string) string {
	h.Set("Location", page)
	return ""
}

func byHXRedirect(h http.Header, page string) string {
	h.Set("HX-Redirect", page)
	return ""
}

// byHXRedirectOrRefresh is for clients that swap the body if they do not follow the header.
func byHXRedirectOrRefresh(h http.Header, page string) string {
	h.Set("HX-Redirect", page)
	h.Set("Content-Type", "text/html; charset=utf-8")
	return fmt.Sprintf("<meta http-equiv=\"refresh\" content=\"0; url=%[1]s\">\n<a href=\"%[1]s\">Please go on here.</a>\n", html.EscapeString(page))
}

// byScript sends a script in an event of Datastar: the first one until version
// 1.0.0-beta.11, the second one since. Each version ignores the events of the others.
func byScript(h http.Header, page string) string {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	quoted, _ := json.Marshal(page) // a string can be marshalled; it escapes < > &
	return fmt.Sprintf("event: datastar-execute-script\ndata: script location.assign(%[1]s)\n\n"+
		"event: datastar-patch-elements\ndata: selector body\ndata: mode append\ndata: elements <script>location.assign(%[1]s)</script>\n\n", quoted)
}

// Redirect sends the client to a page of this app after a form was handled, such as that of
// the login: browsers and the libraries that follow redirects by a 303, htmx by HX-Redirect,
// Datastar by a script. A program gets a 204. The page must be safe: see Guard.ReturnTo.
// Redirect writes the answer, and returns the error of the writer, if any.
func Redirect(w http.ResponseWriter, r *http.Request, page string) error {
	who := clientOf(r)
	body := ""
	if who.send != nil {
		body = who.send(w.Header(), page)
	}
	w.WriteHeader(who.moved)
	if who.moved != http.StatusOK {
		return nil
	}
	_, err := io.WriteString(w, body)
	return err
}
