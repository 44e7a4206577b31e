package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/sessionkit/sessionkit/example/internal/base"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// The tests log in often, and try no passwords.
func init() { hashParams.Memory, hashParams.Iterations = 64, 1 }

// tour is a tour that runs as main runs it, on a real port.
type tour struct {
	*testing.T
	url    string
	secret string // of billing
}

func start(t *testing.T, args ...string) tour {
	t.Helper()
	flags := flag.NewFlagSet("tour", flag.ContinueOnError)
	flags.SetOutput(t.Output())
	file, mysql, postgres := databaseOf(t)
	opts, err := parseFlags(flags, append([]string{"-addr", "localhost:0", "-db", file}, args...))
	if err != nil {
		t.Fatal(err)
	}
	opts.secret, opts.keys, opts.mysql, opts.postgres = "", "", mysql, postgres // whatever the environment says
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, opts, in)
		in.CloseWithError(io.EOF)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		http.DefaultClient.CloseIdleConnections()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})

	started := tour{T: t}
	for lines := bufio.NewScanner(out); started.secret == "" && lines.Scan(); {
		if address, ok := strings.CutPrefix(lines.Text(), "sessionkit tour: "); ok {
			started.url = address
		}
		if _, secret, ok := strings.Cut(lines.Text(), secretVariable+"="); ok {
			started.secret = secret
		}
	}
	if started.url == "" || started.secret == "" {
		t.Fatalf("it printed no address and no secret: %v", <-ended)
	}
	go io.Copy(io.Discard, out)
	return started
}

// client is golang.org/x/oauth2 as a command line uses it.
func (t tour) client() oauth2.Config {
	return oauth2.Config{ClientID: commandLine, Endpoint: oauth2.Endpoint{
		DeviceAuthURL: t.url + "/oauth/device",
		TokenURL:      t.url + "/oauth/token",
		AuthStyle:     oauth2.AuthStyleInParams,
	}}
}

// browser is a user's: it keeps cookies, and follows no redirect.
type browser struct {
	tour
	*sessiontest.Browser
}

func (t tour) browser() browser {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return browser{t, &sessiontest.Browser{Jar: &sessiontest.Jar{}, Origin: t.url, UserAgent: "Test browser", Transport: transport}}
}

// ada is a browser in which Ada has just logged in.
func (t tour) ada() browser {
	t.Helper()
	b := t.browser()
	b.post("/login", "email", "ada@example.com", "password", "ada-demo-password").leadsTo("/")
	return b
}

// grace is a browser in which Grace, an administrator, has just logged in.
func (t tour) grace() browser {
	t.Helper()
	b := t.browser()
	b.post("/login", "email", "grace@example.com", "password", "grace-demo-password").leadsTo("/")
	return b
}

// clone is a browser with a copy of the cookies.
func (b browser) clone() browser { return browser{b.tour, b.Browser.Clone()} }

// who is the answer of /api/session.
type who struct {
	UserID    string `json:"user_id"`
	SessionID string `json:"session_id"`
	Actor     string
	Tenant    string
	Client    string
	Name      string
	Methods   []string
}

func (b browser) who() (w who) {
	b.Helper()
	if err := json.Unmarshal([]byte(b.get("/api/session").shows(200).body), &w); err != nil {
		b.Fatal(err)
	}
	return w
}

// accessOnly is a browser with a copy of the access cookie, and no other.
func (b browser) accessOnly() browser {
	b.Helper()
	thief := b.clone()
	thief.Delete(func(name string) bool { return name != "sessionkit-tour-session" })
	if n := len(thief.NewRequest("GET", "/", nil).Cookies()); n != 1 {
		b.Fatalf("%d cookies; want the access cookie", n)
	}
	return thief
}

// age makes all logins six minutes older.
func (a *app) age(t *testing.T) {
	t.Helper()
	if _, err := a.users.db.Exec(a.users.db.Bind(`UPDATE sessions SET authenticated_at = authenticated_at - ?`), 6*time.Minute/time.Microsecond); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"1", "2"} {
		if err := a.sessions.ForceRefresh(t.Context(), user); err != nil {
			t.Fatal(err)
		}
	}
}

// exec changes the app's tables.
func (a *app) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := a.users.db.Exec(a.users.db.Bind(query), args...); err != nil {
		t.Fatal(err)
	}
}

// asksForLogin fails unless the answer leads to the login page, for a newer login.
func (a answer) asksForLogin() {
	a.Helper()
	if a.StatusCode != 303 || !strings.Contains(a.Header.Get("Location"), "reauth=1") {
		a.Errorf("%s %s: %d to %s; want the login page", a.Request.Method, a.Request.URL, a.StatusCode, a.Header.Get("Location"))
	}
}

// lacks fails if the answer has one of the texts.
func (a answer) lacks(texts ...string) {
	a.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			a.Errorf("%s %s has %q:\n%s", a.Request.Method, a.Request.URL, text, a.body)
		}
	}
}

// answer is a response whose body has been read.
type answer struct {
	*testing.T
	*http.Response
	body string
}

func read(t *testing.T, response *http.Response) answer {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{t, response, html.UnescapeString(string(body))}
}

func (b browser) get(path string) answer { b.Helper(); return read(b.T, b.Get(path)) }

// post sends a form, given as names and values.
func (b browser) post(path string, fields ...string) answer {
	b.Helper()
	return read(b.T, b.PostForm(path, form(fields...)))
}

func form(fields ...string) url.Values {
	values := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	return values
}

// shows fails unless the answer has the status and the texts, and no cache keeps it.
func (a answer) shows(status int, texts ...string) answer {
	a.Helper()
	if a.StatusCode != status || a.Header.Get("Cache-Control") != "no-store" {
		a.Errorf("%s %s: status %d, Cache-Control %q; want %d and no-store:\n%s", a.Request.Method, a.Request.URL, a.StatusCode, a.Header.Get("Cache-Control"), status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			a.Errorf("%s %s has no %q:\n%s", a.Request.Method, a.Request.URL, text, a.body)
		}
	}
	return a
}

func (a answer) leadsTo(location string) {
	a.Helper()
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != location {
		a.Errorf("%s %s: %d to %q; want 303 to %q:\n%s", a.Request.Method, a.Request.URL, a.StatusCode, got, location, a.body)
	}
}

// call sends a program's request: a form if there is one, and a token if there is one.
func (t tour) call(path, token string, form url.Values) answer {
	t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, t.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return read(t.T, response)
}

var commandLines = regexp.MustCompile(`<code class="command">([^<]*)</code>`)

// commands returns the command lines of a page.
func (a answer) commands() (commands []string) {
	for _, match := range commandLines.FindAllStringSubmatch(a.body, -1) {
		commands = append(commands, match[1])
	}
	return commands
}

// has is shows for an answer without a page.
func (a answer) has(status int, text string) {
	a.Helper()
	if a.StatusCode != status || !strings.Contains(a.body, text) {
		a.Errorf("%s %s: %d %s; want %d and %q", a.Request.Method, a.Request.URL, a.StatusCode, a.body, status, text)
	}
}

// inProcess is a tour whose parts a test can reach.
func inProcess(t *testing.T) (*app, tour) {
	t.Helper()
	return inProcessWith(t, options{})
}

func inProcessWith(t *testing.T, opts options) (*app, tour) {
	t.Helper()
	file, mysql, postgres := databaseOf(t)
	db, err := base.Open(t.Context(), file, mysql, postgres)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	started := tour{T: t, url: "http://" + server.Listener.Addr().String(), secret: rand.Text()}
	opts.tokenTTL, opts.secret = 10*time.Minute, started.secret
	a, err := newApp(t.Context(), keys, db, opts, started.url)
	if err != nil {
		t.Fatal(err)
	}
	server.Config = base.NewServer(a.routes())
	server.Start()
	t.Cleanup(server.Close)
	return a, started
}
