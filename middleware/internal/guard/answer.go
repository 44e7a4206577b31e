package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
)

// client is what a request comes from, as far as answers differ.
type client int

const (
	program client = iota
	browser        // loads a page
	htmx           // swaps a part of one: follows HX-Redirect, not Location
)

func clientOf(r *http.Request) client {
	if r.Header.Get("HX-Request") == "true" {
		return htmx
	}
	// Browsers have said since 2023 what a request is for. Where they do not, an
	// answer in HTML is for a person: the worst that a wrong guess does is a
	// redirect instead of a 401.
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode == "navigate" || mode == "" && strings.Contains(r.Header.Get("Accept"), "text/html") {
		return browser
	}
	return program
}

// reason is why a request is refused.
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
)

// refusals are what the client is told: the status, and a sentence. What went
// wrong inside is for logs.
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
}

// retryAfter is in seconds.
const retryAfter = "2"

// Refusal is the answer to a request that was not admitted. Status and Text are
// for the client, Err is for logs.
type Refusal struct {
	Status int
	Text   string
	Err    error
	client client
	again  bool // the client is to log in again, though it is logged in
}

// refuse sets the headers of a refusal; the body is the caller's to write.
func (g *Guard) refuse(h http.Header, r *http.Request, why reason, err error) *Refusal {
	told := refusals[why]
	refusal := &Refusal{Status: told.status, Text: told.text, Err: err, client: clientOf(r), again: why == reauthenticate}
	h.Set("Cache-Control", "no-store")
	switch why {
	case unauthenticated, reauthenticate:
		login := g.loginURL(r, refusal)
		switch refusal.client {
		case browser:
			if r.URL.Path == g.cfg.LoginPath {
				// Nothing answers there, or the guard does not know the route yet:
				// it would send the browser in a circle.
				refusal.Err = errors.Join(err, errNoLogin)
				refusal.Text = "This page asks for a login, and is where one logs in. If this is your app: mount the login page here, and the guard with Use, not with Pre."
				break
			}
			// 303, whatever the method: 307 would post a form to the login page,
			// and a cached 301 would lock people out.
			refusal.Status = http.StatusSeeOther
			h.Set("Location", login)
		case htmx:
			h.Set("HX-Redirect", login)
			fallthrough
		default:
			// RFC 9110, section 11.6.1: a 401 names the scheme that it wants.
			h.Set("WWW-Authenticate", "Cookie")
		}
	case unavailable:
		h.Set("Retry-After", retryAfter)
	}
	return refusal
}

var errNoLogin = errors.New("the login page asks for a login: mount it at Config.LoginPath, and the guard with Use, not with Pre")

func (g *Guard) loginURL(r *http.Request, refusal *Refusal) string {
	query := url.Values{}
	if next := g.comeBack(r, refusal.client); next != "" {
		query.Set("next", next)
	}
	if refusal.again {
		query.Set("reauth", "1")
	}
	if len(query) == 0 {
		return g.cfg.LoginPath
	}
	return g.cfg.LoginPath + "?" + query.Encode()
}

// Write sends the refusal: a redirect or a small page to browsers, a problem
// (RFC 9457) to programs.
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

// Onward sends the client to a page of this app, after something was done for it.
// It sets the header and returns the status; programs go nowhere.
func Onward(h http.Header, r *http.Request, page string) int {
	switch clientOf(r) {
	case browser:
		h.Set("Location", page)
		return http.StatusSeeOther
	case htmx:
		h.Set("HX-Redirect", page)
	}
	return http.StatusNoContent
}
