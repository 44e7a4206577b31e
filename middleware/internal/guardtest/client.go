package guardtest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// The names of the cookies. A login sets all of them. A refresh sets one of the two
// refresh cookies, in turn.
const (
	AccessName     = "__Host-Http-session"
	RefreshName    = "__Host-Http-refresh-0"
	OddRefreshName = "__Host-Http-refresh-1"
)

// Kind holds the headers, by name, that one kind of client sends.
type Kind map[string]string

// The kinds of clients that guards answer differently.
var (
	PageLoad = Kind{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"}
	Fetch    = Kind{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
	HTMX     = Kind{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "HX-Request": "true", "HX-Current-URL": "https://app.test/here?p=1"}
	Kinds    = map[string]Kind{"page": PageLoad, "htmx": HTMX, "program": Fetch}
)

// Client sends requests of one Kind to a handler. Its Browser keeps the cookies.
type Client struct {
	*sessiontest.Browser
	t    testing.TB
	app  http.Handler
	kind Kind
}

// NewClient returns a Client without cookies.
func NewClient(t testing.TB, app http.Handler, kind Kind) *Client {
	return &Client{Browser: sessiontest.NewBrowser(app), t: t, app: app, kind: kind}
}

// As returns a client of another kind with a copy of the cookies.
func (c *Client) As(kind Kind) *Client {
	return &Client{Browser: c.Clone(), t: c.t, app: c.app, kind: kind}
}

// Copied returns a client of the same kind with a copy of the cookies. It sends them
// after their Max-Age too, as a thief can.
func (c *Client) Copied() *Client {
	return &Client{Browser: c.CloneIgnoringExpiry(), t: c.t, app: c.app, kind: c.kind}
}

// At returns a client that shares the cookies and sends to another handler.
func (c *Client) At(app http.Handler) *Client {
	return &Client{Browser: c.Browser, t: c.t, app: app, kind: c.kind}
}

// Send makes a request and stores the cookies of the answer. A body is a form. more
// holds further headers by name and value.
func (c *Client) Send(method, target, body string, more ...string) *httptest.ResponseRecorder {
	r := c.NewRequest(method, target, strings.NewReader(body))
	for _, name := range []string{"Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-Site", "Accept"} {
		r.Header.Del(name) // the Kind says which of them the client sends
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range c.kind {
		r.Header.Set(name, value)
	}
	for i := 0; i < len(more); i += 2 {
		r.Header.Set(more[i], more[i+1])
	}
	rec := httptest.NewRecorder()
	c.app.ServeHTTP(rec, r)
	c.Receive(rec.Result().Cookies())
	return rec
}

// LogIn posts the form of a login, and returns c. The test fails unless the answer
// is a redirect, and the browser then has an access cookie and both refresh cookies.
func (c *Client) LogIn(user string) *Client {
	c.t.Helper()
	if rec := c.Send("POST", "/login", url.Values{"user": {user}}.Encode()); rec.Code != http.StatusSeeOther || len(c.Kept()) != 3 {
		c.t.Fatalf("login of %q: %d, cookies %v", user, rec.Code, c.Kept())
	}
	return c
}

// Kept returns the values of the cookies that the browser has, by name. A cookie
// that is empty, and about to expire, is left out.
func (c *Client) Kept() map[string]string {
	kept := map[string]string{}
	for _, cookie := range c.Cookies(c.home()) {
		if cookie.Value != "" {
			kept[cookie.Name] = cookie.Value
		}
	}
	return kept
}

// Plant gives the browser a cookie of the app's without an answer.
func (c *Client) Plant(name, value string) {
	c.t.Helper()
	if err := c.Set(c.home(), &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true}); err != nil {
		c.t.Fatalf("planting %s: %v", name, err)
	}
}

// Garble replaces the values of the browser's cookies by one that no key opens.
func (c *Client) Garble() {
	c.t.Helper()
	for name := range c.Kept() {
		c.Plant(name, "x")
	}
}

// Forget deletes all cookies.
func (c *Client) Forget() { c.Delete(func(string) bool { return true }) }

// ForgetRefresh deletes the refresh cookies.
func (c *Client) ForgetRefresh() { c.Delete(isRefresh) }

func isRefresh(name string) bool { return name == RefreshName || name == OddRefreshName }

func (c *Client) home() *url.URL {
	u, err := url.Parse(c.Origin + "/")
	if err != nil {
		c.t.Fatal(err)
	}
	return u
}

// CookiesOf says what the cookies of an answer do: "set" sets the access cookie and one
// refresh cookie, as a refresh does. "login" sets the access cookie and both refresh
// cookies. "access" sets the access cookie, as a late refresh does, and as a
// refusal does with one that names no session. "clear" deletes all, and "" is an answer
// without cookies. Of any other answer it returns all lines.
func CookiesOf(answer *httptest.ResponseRecorder) string {
	var did []string
	for _, c := range answer.Result().Cookies() {
		switch {
		case c.Name == AccessName && c.Value != "":
			did = append(did, "access")
		case c.Name == AccessName:
			did = append(did, "no access")
		case isRefresh(c.Name) && c.Value != "":
			did = append(did, c.Name)
		case isRefresh(c.Name) && c.MaxAge < 0:
			did = append(did, "no "+c.Name)
		default:
			did = append(did, "other")
		}
	}
	slices.Sort(did)
	switch strings.Join(did, ", ") {
	case "":
		return ""
	case "access":
		return "access"
	case RefreshName + ", access", OddRefreshName + ", access":
		return "set"
	case RefreshName + ", " + OddRefreshName + ", access":
		return "login"
	case "no " + RefreshName + ", no " + OddRefreshName + ", no access":
		return "clear"
	}
	return strings.Join(answer.Header()["Set-Cookie"], "\n")
}
