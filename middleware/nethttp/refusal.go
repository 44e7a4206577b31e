package nethttp

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
)

// reason is the reason for a refusal.
type reason int

const (
	admitted reason = iota
	unauthenticated
	reauthenticate
	forbidden
	disabled
	crossOrigin
	notPost
	unavailable
	tooLarge
	broken
)

// refusals holds the status and the sentence that the client gets. It gets no details:
// these are for logs.
var refusals = map[reason]struct {
	status int
	text   string
}{
	unauthenticated: {http.StatusUnauthorized, "Please log in."},
	reauthenticate:  {http.StatusUnauthorized, "Please confirm who you are: your login is too old for this."},
	forbidden:       {http.StatusForbidden, "You may not do this."},
	disabled:        {http.StatusForbidden, "This account cannot log in."},
	crossOrigin:     {http.StatusForbidden, "This request came from another site."},
	notPost:         {http.StatusMethodNotAllowed, "Logging out needs a POST."},
	unavailable:     {http.StatusServiceUnavailable, "We cannot check logins at the moment: please try again. Nobody is logged out by this."},
	tooLarge:        {http.StatusInternalServerError, "This account cannot be logged in: please tell us."},
	broken:          {http.StatusInternalServerError, "Something went wrong: please tell us."},
}

// retryAfter is in seconds.
const retryAfter = "2"

// Refusal is the answer to a request that is not admitted. It is also an error, whose
// text is for logs. It belongs to one request and is not safe for concurrent use.
type Refusal struct {
	Status int    // the HTTP status of the answer
	Text   string // a sentence for the client
	Err    error  // the cause, for logs; may be nil

	client client
	again  bool // the client must log in again, although it has a session
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

// refuse sets the headers of a refusal. The caller writes it.
func (c *Core) refuse(h http.Header, r *http.Request, why reason, err error) *Refusal {
	answer := refusals[why]
	refusal := &Refusal{Status: answer.status, Text: answer.text, Err: err, client: clientOf(r), again: why == reauthenticate}
	h.Set("Cache-Control", "no-store")
	switch why {
	case unauthenticated, reauthenticate:
		login := c.loginURL(r, refusal)
		switch refusal.client {
		case browser:
			if r.URL.Path == c.cfg.LoginPath {
				// The login page has no handler, or the guard runs before the router. A
				// redirect would loop.
				refusal.Err = errors.Join(err, errNoLogin)
				refusal.Text = "The login page itself asks for a login. If this is your app: mount the login page at this path, and the guard so that it runs after the router."
				break
			}
			// 303 for each method: 307 would post the form to the login page, and a cached
			// 301 would redirect users after their login, too.
			refusal.Status = http.StatusSeeOther
			h.Set("Location", login)
		case htmx:
			h.Set("HX-Redirect", login)
			fallthrough
		default:
			// RFC 9110, section 11.6.1: a 401 names a scheme.
			h.Set("WWW-Authenticate", "Cookie")
		}
	case unavailable:
		h.Set("Retry-After", retryAfter)
	}
	return refusal
}

var errNoLogin = errors.New("the login page itself asks for a login: mount it at Config.LoginPath, and the guard after the router (with echo: Use, not Pre)")

func (c *Core) loginURL(r *http.Request, refusal *Refusal) string {
	query := url.Values{}
	if next := c.comeBack(r, refusal.client); next != "" {
		query.Set("next", next)
	}
	if refusal.again {
		query.Set("reauth", "1")
	}
	if len(query) == 0 {
		return c.cfg.LoginPath
	}
	return c.cfg.LoginPath + "?" + query.Encode()
}

// Write sends the refusal: a redirect or a small page to browsers and htmx, a problem
// document (RFC 9457) to programs. It returns the error of the writer, if any.
func (f *Refusal) Write(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if f.client == program {
		h.Set("Content-Type", "application/problem+json")
		w.WriteHeader(f.Status)
		return json.NewEncoder(w).Encode(struct {
			Title          string `json:"title"`
			Status         int    `json:"status"`
			Detail         string `json:"detail"`
			Reauthenticate bool   `json:"reauthenticate,omitempty"`
		}{http.StatusText(f.Status), f.Status, f.Text, f.again})
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.WriteHeader(f.Status)
	_, err := fmt.Fprintf(w, page, html.EscapeString(http.StatusText(f.Status)), html.EscapeString(f.Text))
	return err
}

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>%[1]s</title>
<style>:root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto 0;padding:0 1rem}</style>
<h1>%[1]s</h1>
<p>%[2]s</p>
</html>
`
