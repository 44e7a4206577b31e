package nethttp

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/sessionkit/sessionkit/session"
)

// reason is the reason for a refusal.
type reason int

const (
	admitted reason = iota
	unauthenticated
	reauthenticate
	forbidden
	disabled
	ambiguous
	crossOrigin
	withoutHTTPS
	framed
	notPost
	notFound
	tooMany
	prefetched
	unavailable
	tooLarge
	broken
)

// refusals holds a row for each reason but admitted: the status and the sentence that the
// client gets, and what else the answer does. The client gets no details: these are for
// logs. A reason that stands for an error of package session has a case in reasonFor, too.
var refusals = map[reason]struct {
	status int
	text   string
	does   effect
}{
	unauthenticated: {http.StatusUnauthorized, "Please log in.", asksForLogin},
	reauthenticate:  {http.StatusUnauthorized, "Please confirm who you are: this needs a newer or a stronger login.", asksForLogin},
	forbidden:       {http.StatusForbidden, "You may not do this.", nothingElse},
	disabled:        {http.StatusForbidden, "This account cannot log in.", nothingElse},
	ambiguous:       {http.StatusBadRequest, "The request has a token, and cookies or a second Authorization header: send one of them.", nothingElse},
	crossOrigin:     {http.StatusForbidden, "This request came from another site.", nothingElse},
	withoutHTTPS:    {http.StatusForbidden, "Your browser would not keep this login: the page was opened without HTTPS. Open it with https:// in its address. During development, on localhost too, session.Config{DangerouslyAllowHTTP: true} does without.", nothingElse},
	framed:          {http.StatusOK, "Please log in.", nothingElse},
	notPost:         {http.StatusMethodNotAllowed, "Logging out needs a POST.", nothingElse},
	notFound:        {http.StatusNotFound, "There is no such session.", nothingElse},
	tooMany:         {http.StatusTooManyRequests, "Too many tries: please wait a minute.", nothingElse},
	prefetched:      {http.StatusServiceUnavailable, "This page cannot be loaded in advance: please open it.", nothingElse},
	unavailable:     {http.StatusServiceUnavailable, "We cannot check logins at the moment: please try again. Nobody is logged out by this.", asksToRetry},
	tooLarge:        {http.StatusInternalServerError, "This account cannot be logged in: please tell us.", nothingElse},
	broken:          {http.StatusInternalServerError, "Something went wrong: please tell us.", nothingElse},
}

// effect is what a refusal does beside its status and its sentence. A prefetch gets the
// refusal prefetched in place of one that has an effect.
type effect int

const (
	nothingElse  effect = iota
	asksForLogin        // sends the client to the login page, in the way that its row in clients says
	asksToRetry         // with Retry-After
)

// retryAfter is in seconds.
const retryAfter = "2"

// Refusal is the answer to a request that is not admitted. It is also an error, whose
// text is for logs. It belongs to one request and is not safe for concurrent use.
type Refusal struct {
	Status int    // the HTTP status of the answer
	Text   string // a sentence for the client
	Err    error  // the cause, for logs; may be nil

	// Fixed says that no person sees this answer, and that only Write writes it as its client
	// expects it. A guard does not pass it to the app's Answer. It is the answer to a
	// prefetch (see session.IsPrefetch), whose page would be shown on the click that follows,
	// or one with a status below 300, which a library or an EventSource understands.
	Fixed bool

	who   *client
	sent  string // the body, if it sends the client to another page
	retry bool   // the page offers to load it again
	home  string // the page offers to go there; empty: it does not
	again bool   // the client must log in again, although it has a session
}

// Error returns the status and the cause, for logs.
func (f *Refusal) Error() string {
	if f.Err == nil {
		return fmt.Sprintf("refused with status %d", f.Status)
	}
	return fmt.Sprintf("refused with status %d: %v", f.Status, f.Err)
}

// Unwrap returns Err.
func (f *Refusal) Unwrap() error { return f.Err }

// Refuse returns the answer to a request that failed with an error: of the Manager, of
// Issue, or any other. It sets the headers, and the caller writes the Refusal. A Refusal, such
// as the error of Issue, keeps its status and its text; one that the app has made gets the
// form that suits the client. session.ErrUnauthenticated asks for a login.
// Otherwise the status is 403 for session.ErrUserDisabled, 404 for session.ErrNotFound, 429 for
// session.ErrSlowDown, 400 for session.ErrAmbiguous, 503
// for session.ErrStoreUnavailable, and 500 for session.ErrTooLarge and each error that is none of the session's. The client is not
// shown the error.
func (c *Core) Refuse(h http.Header, r *http.Request, err error) *Refusal {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		if refusal.who == nil {
			refusal.isFor(clientOf(r), h)
			refusal.home = c.cfg.Prefix + "/"
		}
		return refusal
	}
	return c.refuse(h, r, reasonFor(err), err)
}

// reasonFor returns the reason for a refusal after an error.
func reasonFor(err error) reason {
	switch {
	case errors.Is(err, session.ErrAmbiguous):
		return ambiguous
	case errors.Is(err, session.ErrUnauthenticated):
		return unauthenticated
	case errors.Is(err, session.ErrUserDisabled):
		return disabled
	case errors.Is(err, session.ErrTooLarge):
		return tooLarge
	case errors.Is(err, session.ErrNotFound):
		return notFound
	case errors.Is(err, session.ErrSlowDown):
		return tooMany
	case errors.Is(err, session.ErrStoreUnavailable), errors.Is(err, errUnchecked):
		return unavailable
	default:
		return broken
	}
}

var errWithoutHTTPS = errors.New("guard: the login page was opened without HTTPS, on a host that is not loopback: the browser would not store the cookies")

// errUnchecked says that Config.Credentials could not check the credentials. It is
// handled like a store that does not answer: the request is not admitted, and the user
// stays logged in.
var errUnchecked = errors.New("guard: Config.Credentials cannot check the credentials")

// refuse sets the headers of a refusal. The caller writes it.
func (c *Core) refuse(h http.Header, r *http.Request, why reason, err error) *Refusal {
	who := clientOf(r)
	if who.early && refusals[why].does != nothingElse {
		why = prefetched
	}
	answer := refusals[why]
	refusal := &Refusal{Status: answer.status, Text: answer.text, Err: err, again: why == reauthenticate || why == unauthenticated && c.sessionID(r) != ""}
	refusal.isFor(who, h)
	switch answer.does {
	case asksForLogin:
		if fault := c.circle(r, who); fault != "" {
			refusal.Err, refusal.Text = errors.Join(err, fault), string(fault)
			break
		}
		refusal.Status = who.login
		if who.back != nil {
			refusal.sent = who.send(h, c.loginURL(r, who, refusal))
		}
	case asksToRetry:
		if who.down != 0 {
			refusal.Status = who.down
			break
		}
		h.Set("Retry-After", retryAfter)
		refusal.retry = isRead(r) // another request would be sent twice
	}
	c.challenge(h, r, why, refusal)
	refusal.Fixed = who.early || refusal.Status < http.StatusMultipleChoices
	return refusal
}

// isFor makes a refusal the answer to a kind of client.
func (f *Refusal) isFor(who *client, h http.Header) {
	f.who = who
	h.Set("Cache-Control", "no-store")
	if name := who.also[0]; name != "" {
		h.Set(name, who.also[1])
	}
	f.Fixed = who.early
}

// loginURL returns the URL of the login page, with what the page may want to know.
func (c *Core) loginURL(r *http.Request, who *client, refusal *Refusal) string {
	query := url.Values{}
	if next := c.comeBack(r, who); next != "" && len(url.QueryEscape(next)) <= maxNext {
		query.Set("next", next)
	}
	if refusal.again {
		query.Set("reauth", "1")
	}
	if missing, ok := errors.AsType[missingMethod](refusal.Err); ok {
		query.Set("method", strings.Join(missing.methods, ","))
	}
	if errors.Is(refusal.Err, session.ErrReused) {
		query.Set("reason", "reuse")
	}
	if who.frame {
		query.Set(whole, "1")
	}
	page := c.cfg.Prefix + c.cfg.LoginPath
	if len(query) == 0 {
		return page
	}
	return page + "?" + query.Encode()
}

// whole is in the query of the login page if a frame was sent there.
const whole = "whole"

// isFramedLogin reports whether Turbo has followed a refusal's redirect within a frame. It
// would look for the frame in the login page, and show an error instead. A frame that the
// app itself points at its login page has not been refused.
func (c *Core) isFramedLogin(r *http.Request) bool {
	return r.URL.Path == c.cfg.LoginPath && isRead(r) && clientOf(r).frame && r.URL.Query().Get(whole) != ""
}

// Write sends the refusal: a redirect or a small page to browsers and the libraries that
// show pages, a problem document (RFC 9457) to programs, and to the others what they
// understand. It returns the error of the writer, if any.
func (f *Refusal) Write(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	body := f.sent
	if body == "" {
		body = f.client().body(h, f)
	}
	w.WriteHeader(f.Status)
	if body == "" {
		return nil // a 204 has none
	}
	_, err := io.WriteString(w, body)
	return err
}

// client returns the kind of client that the refusal is for. A Refusal that no Core has seen
// is for a program.
func (f *Refusal) client() *client {
	if f.who == nil {
		return &clients[len(clients)-1]
	}
	return f.who
}

// problem returns a problem document.
func problem(h http.Header, f *Refusal) string {
	h.Set("Content-Type", "application/problem+json")
	document, _ := json.Marshal(struct { // strings and numbers can be marshalled
		Title          string `json:"title"`
		Status         int    `json:"status"`
		Detail         string `json:"detail"`
		Reauthenticate bool   `json:"reauthenticate,omitempty"`
	}{http.StatusText(f.Status), f.Status, f.Text, f.again})
	return string(document) + "\n"
}

// stream returns what makes an EventSource open the stream again, or end.
func stream(h http.Header, f *Refusal) string {
	switch f.Status {
	case http.StatusNoContent:
		return ""
	case http.StatusOK:
		h.Set("Content-Type", "text/event-stream")
		return "retry: 2000\n\n"
	}
	return problem(h, f)
}

// page returns a small page.
func page(h http.Header, f *Refusal) string {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	head, more := "", ""
	if f.who.frame {
		head = asAWhole
	}
	if f.retry {
		more = tryAgain
	}
	if f.home != "" {
		more += fmt.Sprintf(goHome, html.EscapeString(f.home))
	}
	return fmt.Sprintf(pageText, html.EscapeString(http.StatusText(f.Status)), html.EscapeString(f.Text), head, more)
}

// asAWhole makes Turbo show the page in place of the one that has the frame.
const asAWhole = "<meta name=\"turbo-visit-control\" content=\"reload\">\n"

// tryAgain is a link to the page itself.
const tryAgain = "<p><a href=\"\">Try again</a></p>\n"

// goHome is a link on the error pages that the app has made. The URL of such a page, as that of a
// provider's answer, may not work a second time.
const goHome = "<p><a href=\"%s\">Go to the start page</a></p>\n"

const pageText = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
%[3]s<title>%[1]s</title>
<style>:root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto 0;padding:0 1rem}</style>
<h1>%[1]s</h1>
<p>%[2]s</p>
%[4]s</html>
`
