package sessiontest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session"
)

// Origin is the origin of a Browser that NewBrowser made: an app with TLS.
const Origin = "https://app.test"

// Browser makes requests and keeps the cookies of the answers, as a browser does. It
// follows no redirects. It is safe for concurrent use as long as no field is changed.
type Browser struct {
	*Jar

	// Origin is the scheme, host and port of the app. Requests name paths in it.
	Origin string

	// UserAgent is what the browser says it is; empty: nothing.
	UserAgent string

	// Transport carries the requests. NewBrowser calls a handler in this process, and
	// NewServerBrowser makes real requests.
	Transport http.RoundTripper
}

// NewBrowser returns a browser without cookies, at Origin, whose requests call app in
// this process. A nil app is allowed for a browser that only uses NewRequest and
// Receive.
func NewBrowser(app http.Handler) *Browser {
	return &Browser{Jar: &Jar{}, Origin: Origin, Transport: handlerTransport{app}}
}

// NewServerBrowser returns a browser without cookies that makes real requests to a server,
// over TLS if httptest.NewTLSServer has started it. The server sees them as it would a
// browser's, so that a handler can hijack or flush the connection.
func NewServerBrowser(server *httptest.Server) *Browser {
	return &Browser{Jar: &Jar{}, Origin: server.URL, Transport: server.Client().Transport}
}

// Clone returns an independent browser with a copy of the cookies.
func (b *Browser) Clone() *Browser {
	clone := *b
	clone.Jar = b.Jar.Clone()
	return &clone
}

// CloneIgnoringExpiry is Clone with the cookies of Jar.CloneIgnoringExpiry.
func (b *Browser) CloneIgnoringExpiry() *Browser {
	clone := *b
	clone.Jar = b.Jar.CloneIgnoringExpiry()
	return &clone
}

// NewRequest returns a request for a page load of path, with the cookies that the
// browser sends now. It has the form that a server receives. Change its headers for
// other kinds of requests. As in browsers, it has no Sec-Fetch headers if the Origin is plain
// HTTP on a host that is not loopback.
func (b *Browser) NewRequest(method, path string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, b.Origin+path, body)
	if trustworthy(r.URL) { // Fetch Metadata, section 2
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	r.Header.Set("Accept", "text/html")
	if b.UserAgent != "" {
		r.Header.Set("User-Agent", b.UserAgent)
	}
	for _, c := range b.Cookies(r.URL) {
		r.AddCookie(c)
	}
	return r
}

// Receive stores the cookies of an answer. Cookies that a browser drops are dropped.
func (b *Browser) Receive(cookies []*http.Cookie) {
	b.SetCookies(b.url("/"), cookies)
}

// Get loads a page, and stores the cookies of the answer. It panics if there is no
// answer.
func (b *Browser) Get(path string) *http.Response {
	return b.Do(b.NewRequest(http.MethodGet, path, nil))
}

// PostForm submits a form, and stores the cookies of the answer. It panics if there
// is no answer.
func (b *Browser) PostForm(path string, form url.Values) *http.Response {
	r := b.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.Origin)
	return b.Do(r)
}

// Do sends r, which NewRequest has made, and stores the cookies of the answer. It reads
// the whole body, which stays readable. It panics if there is no answer.
func (b *Browser) Do(r *http.Request) *http.Response {
	answer, err := b.Transport.RoundTrip(r)
	if err != nil {
		panic("sessiontest: " + r.Method + " " + r.URL.String() + ": " + err.Error())
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		panic("sessiontest: reading the answer of " + r.URL.String() + ": " + err.Error())
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	b.SetCookies(r.URL, answer.Cookies())
	return answer
}

// Login begins a session in this browser with Manager.Issue, without a request to the
// app. The test fails if Issue returns an error.
func (b *Browser) Login(t testing.TB, sessions *session.Manager, login session.Login) session.Session {
	t.Helper()
	v := issue(t, sessions, b.NewRequest(http.MethodPost, "/login", nil), login)
	b.Receive(v.Cookies)
	return v.Session()
}

// ExpireAccess deletes the access cookie, as the browser does when its Max-Age
// is over: the next request takes the refresh path. A Manager answers a refresh cookie that
// it has just seen from memory, for up to a second, even if the store fails.
func (b *Browser) ExpireAccess() { b.Delete(isAccessCookie) }

func (b *Browser) url(path string) *url.URL {
	u, err := url.Parse(b.Origin + path)
	if err != nil {
		panic("sessiontest: Browser.Origin: " + err.Error())
	}
	return u
}

// handlerTransport calls a handler as a server does.
type handlerTransport struct{ app http.Handler }

func (h handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.app == nil {
		return nil, errors.New("this Browser has no app: give NewBrowser a handler, or set Browser.Transport")
	}
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	recorder := httptest.NewRecorder()
	h.app.ServeHTTP(recorder, in)
	answer := recorder.Result()
	answer.Request = r
	return answer, nil
}
