package nodetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// AccessCookie is the name of the access cookie over plain HTTP.
const AccessCookie = "sessionkit-session"

// RefreshCookies are the names of the refresh cookie over plain HTTP. A login sets both. Its
// first refresh sets the second one, and from then on they alternate.
var RefreshCookies = []string{"sessionkit-refresh-0", "sessionkit-refresh-1"}

// Browser stores cookies as browsers do: by name, the last one wins, until Max-Age has
// passed. Like browsers it ignores the port, so it may use the balancer or one node. It
// is safe for concurrent use.
type Browser struct {
	C     *Cluster
	agent string
	Who   Whoami // the session of the login

	mu  sync.Mutex // guards jar
	jar map[string]kept
}

type kept struct {
	value string
	until time.Time
}

// Cookies are values by name.
type Cookies map[string]string

// Cookies returns the cookies that the browser sends now.
func (b *Browser) Cookies() Cookies {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, found := time.Now(), Cookies{}
	for name, c := range b.jar {
		if now.Before(c.until) {
			found[name] = c.value
		}
	}
	return found
}

// Hoard returns all cookies, also those past their Max-Age, as a browser sends them
// that keeps cookies for too long.
func (b *Browser) Hoard() Cookies {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := Cookies{}
	for name, c := range b.jar {
		found[name] = c.value
	}
	return found
}

// CopyOf returns another browser with copies of those of the named cookies that b has.
func (b *Browser) CopyOf(agent string, names ...string) *Browser {
	b.mu.Lock()
	defer b.mu.Unlock()
	other := &Browser{C: b.C, agent: agent, Who: b.Who, jar: map[string]kept{}}
	for _, name := range names {
		if c, ok := b.jar[name]; ok {
			other.jar[name] = c
		}
	}
	return other
}

// But returns the cookies without the named one.
func (c Cookies) But(name string) Cookies {
	c = maps.Clone(c)
	delete(c, name)
	return c
}

// Request is what a browser sends.
type Request struct {
	path string
	form url.Values // nil: a GET
	Page bool       // a page load, else a fetch of a script
}

func fetch(path string) Request { return Request{path: path} }

// Page returns a page load.
func Page(path string) Request { return Request{path: path, Page: true} }

// Submit returns a form submission. The fields are names and values in turn.
func Submit(path string, fields ...string) Request {
	r := Request{path: path, form: url.Values{}, Page: true}
	for i := 0; i < len(fields); i += 2 {
		r.form.Set(fields[i], fields[i+1])
	}
	return r
}

// Answer is the answer to a request, or the error of the connection.
type Answer struct {
	Request
	Status     int
	Header     http.Header
	Cookies    []*http.Cookie
	body       []byte
	Sent, Came time.Time
	Err        error // of the connection
}

// SendWith sends a request with the cookies given.
func (b *Browser) SendWith(base string, r Request, with Cookies) Answer {
	return b.SendContext(b.C.Context(), base, r, with)
}

// SendContext is SendWith for a browser that disconnects when ctx ends.
func (b *Browser) SendContext(ctx context.Context, base string, r Request, with Cookies) (a Answer) {
	a.Request, a.Sent = r, time.Now()
	defer func() { a.Came = time.Now() }()
	method, body := http.MethodGet, ""
	if r.form != nil {
		method, body = http.MethodPost, r.form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, base+r.path, strings.NewReader(body))
	if err != nil {
		a.Err = err
		return a
	}
	h := req.Header
	h.Set("User-Agent", b.agent)
	h.Set("Sec-Fetch-Site", "same-origin")
	h.Set("Sec-Fetch-Mode", "cors")
	h.Set("Sec-Fetch-Dest", "empty")
	h.Set("Accept", "*/*")
	if r.Page {
		h.Set("Sec-Fetch-Mode", "navigate")
		h.Set("Sec-Fetch-Dest", "document")
		h.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	}
	if r.form != nil {
		h.Set("Origin", base)
		h.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range with {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := b.C.client.Do(req)
	if err != nil {
		a.Err = err
		return a
	}
	defer resp.Body.Close()
	a.Status, a.Header, a.Cookies = resp.StatusCode, resp.Header, resp.Cookies()
	a.body, a.Err = io.ReadAll(resp.Body)
	return a
}

// Send sends a request with the browser's cookies. It does not store the cookies of the
// answer: call Take for that.
func (b *Browser) Send(base string, r Request) Answer { return b.SendWith(base, r, b.Cookies()) }

// Take stores the cookies of the answer.
func (b *Browser) Take(a Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range a.Cookies {
		switch {
		case c.MaxAge < 0:
			delete(b.jar, c.Name)
		case c.MaxAge > 0:
			b.jar[c.Name] = kept{c.Value, time.Now().Add(time.Duration(c.MaxAge) * time.Second)}
		default:
			b.jar[c.Name] = kept{c.Value, time.Now().AddDate(1, 0, 0)} // until the browser is closed
		}
	}
}

// Visit sends a request and stores the cookies of the answer.
func (b *Browser) Visit(base string, r Request) Answer {
	a := b.Send(base, r)
	b.Take(a)
	return a
}

// Whoami is the answer of /api/session.
type Whoami struct {
	UserID     string    `json:"user_id"`
	SessionID  string    `json:"session_id"`
	Roles      []string  `json:"roles"`
	IssuedAt   time.Time `json:"issued_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	Statements int64     `json:"statements"`
}

// Me asks for the session of the request.
var Me = fetch("/api/session")

// Login returns a new browser in which the user is logged in.
func (c *Cluster) Login(base string, u User) (*Browser, error) {
	b := &Browser{C: c, agent: "Mozilla/5.0 (test; " + u.email + ")", jar: map[string]kept{}}
	return b, b.Login(base, u, Password)
}

// errBusy says that the login got a 503. The example gives it, too, when a login has
// waited for its turn to check a password for 5 seconds, as on a loaded machine.
var errBusy = errors.New("the login was refused for now")

// Login logs a user in and sets Who.
func (b *Browser) Login(base string, u User, password string) error {
	a := b.Visit(base, Submit("/login", "email", u.email, "password", password))
	if a.Status == http.StatusServiceUnavailable {
		return fmt.Errorf("login of %s: %w: %v", u.email, errBusy, a)
	}
	if set := a.Set(); a.Status != http.StatusSeeOther || len(set) != 3 || set[AccessCookie] == "" || set[RefreshCookies[0]] == "" || set[RefreshCookies[1]] == "" {
		return fmt.Errorf("login of %s: %v; want 303 with an access cookie and both refresh cookies", u.email, a)
	}
	a = b.Visit(base, Me)
	who, err := a.Session()
	if err == nil && who.UserID != u.ID {
		err = fmt.Errorf("login of user %s: the session is user %s's", u.ID, who.UserID)
	}
	b.Who = who
	return err
}

// LoginAll returns one browser for each user, logged in at the bases in turn. It tries
// again, up to ten times, if a login is refused for now.
func (c *Cluster) LoginAll(users []User, bases ...string) []*Browser {
	c.Helper()
	browsers, failed := make([]*Browser, len(users)), make([]error, len(users))
	InParallel(len(users), 8, func(i int) {
		for range 10 {
			browsers[i], failed[i] = c.Login(bases[i%len(bases)], users[i])
			if !errors.Is(failed[i], errBusy) {
				break
			}
		}
	})
	if err := errors.Join(failed...); err != nil {
		c.Fatal(err)
	}
	return browsers
}

// Session reads an answer of /api/session.
func (a Answer) Session() (Whoami, error) {
	var who Whoami
	if a.Err != nil || a.Status != http.StatusOK {
		return who, fmt.Errorf("%v; want 200", a)
	}
	return who, json.Unmarshal(a.body, &who)
}

// Is returns an error unless the answer of /api/session is for the user and session of want.
func (a Answer) Is(want Whoami) error {
	who, err := a.Session()
	if err == nil && (who.UserID != want.UserID || who.SessionID != want.SessionID) {
		err = fmt.Errorf("the answer is for user %s, session %s; want user %s, session %s",
			who.UserID, who.SessionID, want.UserID, want.SessionID)
	}
	return err
}

// Refused reports whether the request was not authenticated: 401, or a redirect to the login page.
func (a Answer) Refused() bool {
	return a.Status == http.StatusUnauthorized ||
		a.Status == http.StatusSeeOther && strings.HasPrefix(a.Header.Get("Location"), "/login")
}

// Cookie returns the value that the answer sets, or "".
func (a Answer) Cookie(name string) (value string) {
	for _, c := range a.Cookies {
		if c.Name == name && c.MaxAge >= 0 {
			value = c.Value
		}
	}
	return value
}

// Set returns the cookies that the answer sets, without those that it removes.
func (a Answer) Set() Cookies {
	set := Cookies{}
	for _, c := range a.Cookies {
		if c.MaxAge >= 0 && c.Value != "" {
			set[c.Name] = c.Value
		}
	}
	return set
}

// Renews reports whether the answer sets a refresh cookie.
func (a Answer) Renews() bool {
	return slices.ContainsFunc(RefreshCookies, func(name string) bool { return a.Set()[name] != "" })
}

// Clears reports whether the answer removes all cookies: it deletes them, or sets empty
// values.
func (a Answer) Clears() bool {
	gone := map[string]bool{}
	for _, c := range a.Cookies {
		gone[c.Name] = c.MaxAge < 0 || c.Value == ""
	}
	return gone[AccessCookie] && !slices.ContainsFunc(RefreshCookies, func(name string) bool { return !gone[name] })
}

// Took returns the time from the request to the answer.
func (a Answer) Took() time.Duration { return a.Came.Sub(a.Sent) }

func (a Answer) String() string {
	if a.Err != nil {
		return fmt.Sprintf("%s: %v", a.path, a.Err)
	}
	var set []string
	for _, c := range a.Cookies {
		set = append(set, fmt.Sprintf("%s (Max-Age %d)", c.Name, c.MaxAge))
	}
	return fmt.Sprintf("%s: status %d after %v, Location %q, cookies %q, body %.200q",
		a.path, a.Status, a.Took().Round(time.Millisecond), a.Header.Get("Location"), set, a.body)
}
