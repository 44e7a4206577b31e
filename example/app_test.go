package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// testServer is the whole app in this process, on a database of its own.
func testServer(t *testing.T) (*app, *httptest.Server) {
	t.Helper()
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	opts := options{accessTTL: 2 * time.Minute, refreshTTL: 30 * time.Minute, maxLifetime: 12 * time.Hour}
	a, err := newApp(t.Context(), keys, testDatabases(t), opts, true)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.routes())
	t.Cleanup(server.Close)
	return a, server
}

// logTo sends the app's log there, for as long as the test runs. Call it before
// the app is made.
func logTo(t *testing.T, out io.Writer) {
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(old) })
}

// browser keeps cookies and follows no redirect.
type browser struct {
	t      *testing.T
	base   string
	client *http.Client
}

func newBrowser(t *testing.T, server *httptest.Server) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, server.URL, &http.Client{
		Transport:     server.Client().Transport,
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	body string
}

func (b *browser) send(method, path string, form url.Values) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{response, string(body)}
}

func (b *browser) get(path string) answer { b.t.Helper(); return b.send("GET", path, nil) }

func (b *browser) post(path string, fields ...string) answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.send("POST", path, form)
}

// shows fails unless the answer has the status, and the texts in its page.
func (a answer) shows(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s %s: status %d; want %d", a.Request.Method, a.Request.URL, a.StatusCode, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s %s: the page does not say %q:\n%s", a.Request.Method, a.Request.URL, text, a.body)
		}
	}
}

func (a answer) leadsTo(t *testing.T, location string) {
	t.Helper()
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != location {
		t.Errorf("%s %s: %d to %q; want 303 to %q", a.Request.Method, a.Request.URL, a.StatusCode, got, location)
	}
}

func (b *browser) login(email, password string) {
	b.t.Helper()
	b.post("/login", "email", email, "password", password).leadsTo(b.t, "/")
}

const (
	ada, adaPassword     = "ada@example.com", "ada-demo-password"
	grace, gracePassword = "grace@example.com", "grace-demo-password"
)

func TestLogin(t *testing.T) {
	_, server := testServer(t)
	b := newBrowser(t, server)

	b.get("/").shows(t, 200, "Logged in, without asking the database", `href="/login"`)
	b.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	b.get("/login?next=/devices").shows(t, 200, `name="next" value="/devices"`, `autocomplete="username"`, `autocomplete="current-password"`)

	wrong := b.post("/login", "email", ada, "password", "nope", "next", "/devices", "remember", "1")
	wrong.shows(t, 401, `value="ada@example.com"`, `value="/devices"`, `role="alert"`, `aria-invalid="true"`, "checked")
	unknown := b.post("/login", "email", "ida@example.com", "password", "nope", "next", "/devices", "remember", "1")
	if strings.ReplaceAll(unknown.body, "ida@", "ada@") != wrong.body || unknown.StatusCode != wrong.StatusCode {
		t.Error("the answer tells an unknown user from a wrong password")
	}

	b.post("/login", "email", " ADA@example.com", "password", adaPassword, "next", "/devices").leadsTo(t, "/devices")
	b.get("/").shows(t, 200, "Hello, Ada Lovelace", "<strong>0 statements</strong>", "POST /login")
	b.get("/login").shows(t, 200, "Confirm your password", ada)
	b.post("/logout", "next", "/?done=logged-out").leadsTo(t, "/?done=logged-out")
	b.get("/?done=logged-out").shows(t, 200, "You are logged out.")
	b.get("/account").leadsTo(t, "/login?next=%2Faccount")
}

func TestLoginLeadsOnlyToThisApp(t *testing.T) {
	_, server := testServer(t)
	for _, next := range []string{"https://evil.example/", "//evil.example", "/\t/evil.example", `/\evil.example`, "javascript:alert(1)"} {
		b := newBrowser(t, server)
		b.post("/login", "email", ada, "password", adaPassword, "next", next).leadsTo(t, "/")
	}
}

func TestFailedLoginsAreThrottled(t *testing.T) {
	a, server := testServer(t)
	a.credentials.throttle.accounts = newLimiter(5, time.Hour, 10) // slower than any test
	b := newBrowser(t, server)
	for range 5 {
		b.post("/login", "email", ada, "password", "nope").shows(t, 401)
	}
	throttled := b.post("/login", "email", ada, "password", adaPassword)
	throttled.shows(t, 429, "Too many failed attempts. Wait 1 hour", `value="ada@example.com"`)
	if got := throttled.Header.Get("Retry-After"); got == "" {
		t.Error("no Retry-After")
	}
	b.login(grace, gracePassword)
}

var hiddenID = regexp.MustCompile(`name="id" value="([0-9a-f]{32})"`)

func TestDevices(t *testing.T) {
	_, server := testServer(t)
	laptop, phone, tablet := newBrowser(t, server), newBrowser(t, server), newBrowser(t, server)
	laptop.login(ada, adaPassword)
	phone.login(ada, adaPassword)

	page := laptop.get("/devices")
	page.shows(t, 200, "This device", "Go-http-client", "127.0.0.1")
	found := hiddenID.FindAllStringSubmatch(page.body, -1)
	if len(found) != 1 {
		t.Fatalf("%d devices can be logged out; want the phone:\n%s", len(found), page.body)
	}

	thief := newBrowser(t, server)
	thief.login(grace, gracePassword)
	thief.post("/devices/revoke", "id", found[0][1]).leadsTo(t, "/devices?done=device-gone")
	phone.get("/devices").shows(t, 200)

	laptop.post("/devices/revoke", "id", found[0][1]).leadsTo(t, "/devices?done=device")
	phone.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	laptop.get("/devices?done=device").shows(t, 200, "That device is logged out.")
	laptop.post("/devices/revoke", "id", "no id").leadsTo(t, "/devices?done=device-gone")

	tablet.login(ada, adaPassword)
	laptop.post("/devices/revoke-others").leadsTo(t, "/devices?done=others")
	tablet.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	laptop.get("/devices").shows(t, 200)
	thief.get("/devices").shows(t, 200)
}

func TestPasswordChange(t *testing.T) {
	_, server := testServer(t)
	laptop, phone := newBrowser(t, server), newBrowser(t, server)
	laptop.login(ada, adaPassword)
	phone.login(ada, adaPassword)
	const fresh = "correct horse battery staple"

	laptop.get("/account").shows(t, 200, `autocomplete="new-password"`, `autocomplete="current-password"`)
	laptop.post("/account/password", "current", "nope", "new", fresh).shows(t, 422, "not your current password")
	laptop.post("/account/password", "current", adaPassword, "new", "short").shows(t, 422, "at least 12 characters")
	laptop.post("/account/password", "current", adaPassword, "new", adaPassword).shows(t, 422, "Choose another")
	phone.get("/devices").shows(t, 200)

	laptop.post("/account/password", "current", adaPassword, "new", fresh).leadsTo(t, "/account?done=password")
	laptop.get("/account?done=password").shows(t, 200, "Your password is changed.")
	phone.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	phone.post("/login", "email", ada, "password", adaPassword).shows(t, 401)
	phone.login(ada, fresh)
}

var userRow = regexp.MustCompile(`action="/admin/ban"><input type="hidden" name="user" value="(\d+)">.*?Ban (.*?)"`)

func TestAdmin(t *testing.T) {
	_, server := testServer(t)
	user, admin := newBrowser(t, server), newBrowser(t, server)
	user.login(ada, adaPassword)
	admin.login(grace, gracePassword)

	user.get("/admin").shows(t, 403, "This page is not for you")
	user.post("/admin/ban", "user", "2").shows(t, 403)
	page := admin.get("/admin")
	page.shows(t, 200, ada, grace, "active")
	row := userRow.FindStringSubmatch(page.body)
	if row == nil || row[2] != "Ada Lovelace" {
		t.Fatalf("no button to ban Ada:\n%s", page.body)
	}

	admin.post("/admin/ban", "user", row[1]).leadsTo(t, "/admin?done=banned")
	user.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	user.post("/login", "email", ada, "password", adaPassword).shows(t, 403, "may not log in")
	user.post("/login", "email", ada, "password", "nope").shows(t, 401)
	admin.get("/admin").shows(t, 200, "banned")
	admin.post("/admin/unban", "user", row[1]).leadsTo(t, "/admin?done=unbanned")
	user.login(ada, adaPassword)

	admin.post("/admin/revoke", "user", row[1]).leadsTo(t, "/admin?done=revoked")
	user.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	admin.post("/admin/ban", "user", "1 or so").leadsTo(t, "/admin?done=no-user")
	admin.post("/admin/ban", "user", "2").leadsTo(t, "/admin?done=not-self")

	user.login(ada, adaPassword)
	admin.post("/admin/revoke-all").leadsTo(t, "/?done=everybody")
	admin.get("/?done=everybody").shows(t, 200, "Everybody is logged out", `href="/login"`)
	user.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	user.login(ada, adaPassword)
}
