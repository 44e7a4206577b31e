package nodes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// The cookies' names over plain HTTP.
const (
	accessCookie  = "session"
	refreshCookie = "refresh"
)

// browser keeps cookies as browsers do: by name, the last one wins, until their
// Max-Age is over. It does not keep ports apart, as browsers do not, so that it
// may talk to the balancer or to one node. It is safe for concurrent use.
type browser struct {
	c     *cluster
	agent string
	who   whoami // as the login found

	mu  sync.Mutex // guards jar
	jar map[string]kept
}

type kept struct {
	value string
	until time.Time
}

type cookies map[string]string

// cookies is what the browser would send now.
func (b *browser) cookies() cookies {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, found := time.Now(), cookies{}
	for name, c := range b.jar {
		if now.Before(c.until) {
			found[name] = c.value
		}
	}
	return found
}

// but is the cookies without one.
func (c cookies) but(name string) cookies {
	c = maps.Clone(c)
	delete(c, name)
	return c
}

// request is what a browser sends.
type request struct {
	path string
	form url.Values // nil: a GET
	page bool       // a page load, not a script's fetch
}

func fetch(path string) request { return request{path: path} }
func page(path string) request  { return request{path: path, page: true} }

// submit sends a form, given as names and values.
func submit(path string, fields ...string) request {
	r := request{path: path, form: url.Values{}, page: true}
	for i := 0; i < len(fields); i += 2 {
		r.form.Set(fields[i], fields[i+1])
	}
	return r
}

// answer is what came back.
type answer struct {
	request
	status     int
	header     http.Header
	cookies    []*http.Cookie
	body       []byte
	sent, came time.Time
	err        error // of the connection
}

// sendWith sends a request with the cookies given.
func (b *browser) sendWith(base string, r request, with cookies) (a answer) {
	a.request, a.sent = r, time.Now()
	defer func() { a.came = time.Now() }()
	method, body := http.MethodGet, ""
	if r.form != nil {
		method, body = http.MethodPost, r.form.Encode()
	}
	req, err := http.NewRequestWithContext(b.c.Context(), method, base+r.path, strings.NewReader(body))
	if err != nil {
		a.err = err
		return a
	}
	h := req.Header
	h.Set("User-Agent", b.agent)
	h.Set("Sec-Fetch-Site", "same-origin")
	h.Set("Sec-Fetch-Mode", "cors")
	h.Set("Sec-Fetch-Dest", "empty")
	h.Set("Accept", "*/*")
	if r.page {
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
	resp, err := b.c.client.Do(req)
	if err != nil {
		a.err = err
		return a
	}
	defer resp.Body.Close()
	a.status, a.header, a.cookies = resp.StatusCode, resp.Header, resp.Cookies()
	a.body, a.err = io.ReadAll(resp.Body)
	return a
}

// send sends a request with the browser's cookies. What the answer brings is
// taken in by take, or lost.
func (b *browser) send(base string, r request) answer { return b.sendWith(base, r, b.cookies()) }

// take puts the answer's cookies into the jar.
func (b *browser) take(a answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range a.cookies {
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

func (b *browser) visit(base string, r request) answer {
	a := b.send(base, r)
	b.take(a)
	return a
}

// whoami is the answer of /api/session.
type whoami struct {
	UserID     string    `json:"user_id"`
	SessionID  string    `json:"session_id"`
	Roles      []string  `json:"roles"`
	ExpiresAt  time.Time `json:"expires_at"`
	Statements int64     `json:"statements"`
}

var me = fetch("/api/session")

// login makes a browser with a session of the user's.
func (c *cluster) login(base string, u user) (*browser, error) {
	b := &browser{c: c, agent: "Mozilla/5.0 (test; " + u.email + ")", jar: map[string]kept{}}
	return b, b.login(base, u, password)
}

func (b *browser) login(base string, u user, password string) error {
	a := b.visit(base, submit("/login", "email", u.email, "password", password))
	if a.status != http.StatusSeeOther || len(a.cookies) != 2 {
		return fmt.Errorf("login of %s: %v; want 303 with two cookies", u.email, a)
	}
	a = b.visit(base, me)
	who, err := a.session()
	if err == nil && who.UserID != u.id {
		err = fmt.Errorf("login of user %s: the session is user %s's", u.id, who.UserID)
	}
	b.who = who
	return err
}

// loginAll makes one browser for each user, in turn on the bases given.
func (c *cluster) loginAll(users []user, bases ...string) []*browser {
	c.Helper()
	browsers, failed := make([]*browser, len(users)), make([]error, len(users))
	inParallel(len(users), 8, func(i int) {
		browsers[i], failed[i] = c.login(bases[i%len(bases)], users[i])
	})
	if err := errors.Join(failed...); err != nil {
		c.Fatal(err)
	}
	return browsers
}

// session reads an answer of /api/session.
func (a answer) session() (whoami, error) {
	var who whoami
	if a.err != nil || a.status != http.StatusOK {
		return who, fmt.Errorf("%v; want 200", a)
	}
	return who, json.Unmarshal(a.body, &who)
}

// is reports how an answer of /api/session differs from the session's own.
func (a answer) is(want whoami) error {
	who, err := a.session()
	if err == nil && (who.UserID != want.UserID || who.SessionID != want.SessionID) {
		err = fmt.Errorf("the answer is for user %s, session %s; want user %s, session %s",
			who.UserID, who.SessionID, want.UserID, want.SessionID)
	}
	return err
}

// refused says that the request was nobody's: 401, or sent to the login page.
func (a answer) refused() bool {
	return a.status == http.StatusUnauthorized ||
		a.status == http.StatusSeeOther && strings.HasPrefix(a.header.Get("Location"), "/login")
}

// cookie is the value that the answer sets, or "".
func (a answer) cookie(name string) (value string) {
	for _, c := range a.cookies {
		if c.Name == name && c.MaxAge >= 0 {
			value = c.Value
		}
	}
	return value
}

// clears reports whether the answer takes both cookies away: by deleting them,
// or by leaving them empty.
func (a answer) clears() bool {
	gone := map[string]bool{}
	for _, c := range a.cookies {
		gone[c.Name] = c.MaxAge < 0 || c.Value == ""
	}
	return gone[accessCookie] && gone[refreshCookie]
}

func (a answer) took() time.Duration { return a.came.Sub(a.sent) }

func (a answer) String() string {
	if a.err != nil {
		return fmt.Sprintf("%s: %v", a.path, a.err)
	}
	var set []string
	for _, c := range a.cookies {
		set = append(set, fmt.Sprintf("%s (Max-Age %d)", c.Name, c.MaxAge))
	}
	return fmt.Sprintf("%s: status %d after %v, Location %q, cookies %q, body %.200q",
		a.path, a.status, a.took().Round(time.Millisecond), a.header.Get("Location"), set, a.body)
}
