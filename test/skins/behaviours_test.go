package skins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

const (
	accessCookie  = "__Host-Http-session"
	refreshPrefix = "__Host-Http-refresh-"
)

var errDown = errors.New("connection refused")

// refreshes returns how many refresh cookies an answer sets.
func (a answer) refreshes() (n int) {
	for _, name := range a.set {
		if strings.HasPrefix(name, refreshPrefix) {
			n++
		}
	}
	return n
}

// behaviours are what each app of the suite shows.
var behaviours = []struct {
	name string
	with func(t *testing.T) settings // nil: the zero settings
	test func(w *world)
}{
	{"a page load goes to the login and back", nil, func(w *world) {
		c := w.client(page)
		c.get(303, "/login?next=%2Faccount%3Fa%3D1", "/account?a=1")
		c.get(200, "login page", "/login?next=%2Faccount%3Fa%3D1")
		a := c.want(303, "/account?a=1", "POST", "/login?next=%2Faccount%3Fa%3D1", form("user", w.ada))
		if len(a.set) != 3 || a.header.Get("Cache-Control") != "no-store" {
			w.Errorf("the login sets %q, Cache-Control %q", a.set, a.header.Get("Cache-Control"))
		}
		c.get(200, "user="+w.ada+" roles=staff methods=pwd", "/account?a=1")
	}},
	{"other clients get an answer that they understand", nil, func(w *world) {
		a := w.client(program).get(401, `"status":401`, "/account")
		if a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("WWW-Authenticate") == "" {
			w.Errorf("a program gets %v", a.header)
		}
		a = w.client(htmx).get(401, "", "/account")
		if a.header.Get("HX-Redirect") != "/login?next=%2Fhere" {
			w.Errorf("htmx is sent to %q", a.header.Get("HX-Redirect"))
		}
		if a = w.client(kind{"Accept": "text/event-stream"}).get(204, "", "/account"); a.body != "" {
			w.Errorf("an EventSource gets %q", a.body)
		}
		w.client(page).want(503, "", "GET", "/account", nil, "Sec-Purpose", "prefetch")
	}},
	{"an access cookie costs no statement", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		before := w.store.Calls()
		for range 20 {
			if a := c.get(200, "user="+w.ada, "/account"); len(a.set) != 0 || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Vary") != "Cookie" {
				w.Errorf("the answer sets %q, with %v", a.set, a.header)
			}
		}
		if n := w.store.Calls() - before; n != 0 {
			w.Errorf("20 requests caused %d calls of the store", n)
		}
	}},
	{"a refresh goes unnoticed, and keeps a form", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		w.later()
		c.ExpireAccess()
		a := c.want(200, "text=kept", "POST", "/account", form("text", "kept"))
		if len(a.set) != 2 || a.refreshes() != 1 || a.header.Get("Cache-Control") != "no-store" {
			w.Errorf("a refresh sets %q, Cache-Control %q", a.set, a.header.Get("Cache-Control"))
		}
		c.get(200, "user="+w.ada, "/account")
	}},
	{"a program with a token", withTokens, func(w *world) {
		g, err := w.sessions.Tokens().Issue(w.client(program).NewRequest("POST", "/", nil), session.Login{UserID: w.ada, Client: "acme-cli"})
		if err != nil {
			w.Fatal(err)
		}
		send := func(status int, method, path, token string, headers ...string) answer {
			w.Helper()
			return w.client(program).want(status, "", method, path, nil, append(headers, "Authorization", "Bearer "+token)...)
		}
		before := w.store.Calls()
		for range 20 {
			if a := send(200, "GET", "/account", g.AccessToken); !strings.HasPrefix(a.body, "user="+w.ada+" roles=staff methods= ") || len(a.set) > 0 {
				w.Errorf("the answer is %q and sets %q", a.body, a.set)
			}
		}
		send(200, "POST", "/account", g.AccessToken, "Sec-Fetch-Site", "cross-site")
		if n := w.store.Calls() - before; n != 0 {
			w.Errorf("21 requests caused %d calls of the store", n)
		}
		send(403, "GET", "/admin", g.AccessToken)
		if a := send(401, "GET", "/account", "skat_x", "Accept", "text/html"); !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
			w.Errorf("a bad token gets %v", a.header)
		}
		w.loggedIn(w.ada).want(400, "", "GET", "/account", nil, "Authorization", "Bearer "+g.AccessToken)
		if a := send(204, "POST", "/logout", g.AccessToken); len(a.set) > 0 {
			w.Errorf("the logout sets %q", a.set)
		}
		send(401, "GET", "/account", g.AccessToken)
	}},
	{"routes are public as the Config says", nil, func(w *world) {
		c := w.client(program)
		for _, path := range []string{"/", "/static/app.css", "/static/a/b", "/articles/7", "/greeting", "/login"} {
			c.get(200, "", path)
		}
		c.want(200, "nobody", "POST", "/", form("text", ""))
		for _, path := range []string{"/account", "/admin", "/articles", "/nothing", "/login/x", "/logout/x", "/%61ccount", "//", "/./account"} {
			if a := c.send("GET", path, nil); a.status == 200 {
				w.Errorf("GET %s: %d %q", path, a.status, a.body)
			}
		}
		c.want(401, "", "POST", "/articles/7", form("text", ""))
		w.loggedIn(w.ada).get(200, "user="+w.ada, "/articles/7")
		w.loggedIn(w.ada).get(404, "", "/nothing")
	}},
	{"roles", nil, func(w *world) {
		w.loggedIn(w.ada).get(403, "You may not do this", "/admin")
		w.loggedIn(w.grace).get(200, "user="+w.grace, "/admin")
		w.client(page).get(303, "/login?next=%2Fadmin", "/admin")
	}},
	{"a recent login", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		c.get(200, "", "/password")
		s := w.sessionOf(c)
		w.store.AgeLogin(s.ID, recent)
		c.ExpireAccess()
		c.get(303, "/login?next=%2Fpassword&reauth=1", "/password")
		c.login(w.ada)
		c.get(200, "", "/password")
	}},
	{"RequireLive asks the store", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		before := w.store.Calls()
		c.get(200, "user="+w.ada, "/pay")
		if n := w.store.Calls() - before; n != 1 {
			w.Errorf("%d calls of the store; want 1", n)
		}
		w.database.exec(w.T, `UPDATE users SET roles = '["boss"]' WHERE id = ?`, w.ada)
		c.get(200, "roles=staff", "/account")
		c.get(403, "", "/pay")
		w.database.exec(w.T, `UPDATE users SET roles = '["boss","staff"]' WHERE id = ?`, w.ada)
		c.get(200, "roles=boss,staff", "/pay")
		stolen := c.as(page)
		stolen.Delete(func(name string) bool { return name != accessCookie })
		stolen.get(200, "", "/account")
		stolen.get(303, "/login", "/pay")
		w.database.exec(w.T, `UPDATE users SET session_epoch = 2 WHERE id = ?`, w.ada)
		c.get(303, "/login", "/pay")
	}},
	{"a second factor", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		old := c.as(page)
		c.get(303, "/login?method=otp&next=%2Fotp&reauth=1", "/otp")
		if a := c.want(200, "methods=pwd,otp", "POST", "/code", form()); len(a.set) != 3 {
			w.Errorf("StepUp sets %q", a.set)
		}
		c.get(200, "methods=pwd,otp", "/otp")
		old.ExpireAccess()
		old.get(303, "/login", "/account")
	}},
	{"Update replaces the data", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		c.want(200, "tenant=7", "POST", "/tenant", form("tenant", "7"))
		c.get(200, "tenant=7", "/account")
		w.client(page).want(303, "/login", "POST", "/tenant", form("tenant", "7"))
	}},
	{"a new password ends the other sessions", nil, func(w *world) {
		c, other := w.loggedIn(w.ada), w.loggedIn(w.ada)
		w.database.exec(w.T, `UPDATE users SET session_epoch = 2 WHERE id = ?`, w.ada)
		c.want(200, "user="+w.ada, "POST", "/password", form("epoch", "2"))
		for range 2 {
			c.get(200, "user="+w.ada, "/account")
			other.get(303, "/login", "/account")
			c.ExpireAccess()
			other.ExpireAccess()
		}
	}},
	{"impersonation", mayImpersonate, func(w *world) {
		c := w.loggedIn(w.grace)
		c.want(303, "/account", "POST", "/login", form("user", w.ada, "impersonate", "1"))
		c.get(200, "user="+w.ada+" roles=staff methods= tenant= actor="+w.grace, "/account")
		c.get(403, "", "/password")
		c.want(200, "user="+w.grace, "POST", "/stop", form())
		c.get(200, "user="+w.grace, "/admin")
		w.loggedIn(w.ada).want(403, "", "POST", "/login", form("user", w.grace, "impersonate", "1"))
	}},
	{"logout", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		old := c.as(page)
		if a := c.get(405, "", "/logout"); a.header.Get("Allow") != "POST" {
			w.Errorf("GET /logout: Allow %q", a.header.Get("Allow"))
		}
		c.get(200, "user="+w.ada, "/account")
		if a := c.want(303, "/login", "POST", "/logout", form()); c.holds() || !strings.Contains(a.header.Get("Clear-Site-Data"), "prefetchCache") {
			w.Errorf("the logout leaves cookies, or pages: %v", a.header)
		}
		old.get(303, "/login", "/account")
		old.ExpireAccess()
		old.get(303, "/login", "/account")
		again := w.loggedIn(w.ada)
		again.as(program).want(204, "", "POST", "/logout", form())
		again.get(303, "/login", "/account")
	}},
	{"other sites change nothing", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		for _, path := range []string{"/account", "/logout", "/login", "/code", "/tenant", "/"} {
			if a := c.want(403, "another site", "POST", path, form("user", w.grace), "Sec-Fetch-Site", "cross-site"); len(a.set) != 0 {
				w.Errorf("POST %s sets %q", path, a.set)
			}
		}
		c.as(program).want(403, "", "GET", "/stream", nil, "Sec-Fetch-Site", "cross-site", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13")
		c.get(200, "user="+w.ada, "/account")
	}},
	{"an outage logs nobody out", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		w.store.Fail(errDown)
		c.get(200, "user="+w.ada, "/account")
		c.get(200, "hello "+w.ada, "/greeting")
		c.get(503, "try again", "/pay")
		c.ExpireAccess()
		a := c.get(503, "Try again</a>", "/account")
		if len(a.header["Set-Cookie"]) != 0 || a.header.Get("Retry-After") == "" {
			w.Errorf("the 503 sets %q, Retry-After %q", a.header["Set-Cookie"], a.header.Get("Retry-After"))
		}
		c.get(200, "unknown", "/greeting")
		c.as(program).get(503, `"status":503`, "/account")
		w.client(page).get(200, "nobody", "/greeting")
		w.client(page).get(303, "/login", "/account")
		a = w.client(page).want(503, "try again", "POST", "/login", form("user", w.ada))
		if len(a.header["Set-Cookie"]) != 0 {
			w.Errorf("a login in an outage sets %q", a.header["Set-Cookie"])
		}
		w.store.Fail(nil)
		for deadline := time.Now().Add(10 * time.Second); c.send("GET", "/account", nil).status == 503 && time.Now().Before(deadline); {
			time.Sleep(50 * time.Millisecond) // the Manager looks for the store
		}
		c.get(200, "user="+w.ada, "/account")
	}},
	{"a logout in an outage is told to the app", tellsOfLogouts, func(w *world) {
		c := w.loggedIn(w.ada)
		old := c.as(page)
		w.store.Fail(errDown)
		c.want(303, "/login?logout=pending", "POST", "/logout", form())
		if lostLogouts != 1 {
			w.Errorf("OnLogoutError was called %d times", lostLogouts)
		}
		old.get(503, "try again", "/account") // this node refuses the session
	}},
	{"a logout leads to the identity provider", leavesForProvider, func(w *world) {
		c := w.loggedIn(w.ada)
		c.want(303, "https://id.test/logout?user="+w.ada, "POST", "/logout", form("next", "/"))
		c.get(303, "/login", "/account")
	}},
	{"a banned user", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		w.database.exec(w.T, `UPDATE users SET disabled = TRUE WHERE id = ?`, w.ada)
		if a := w.client(page).want(403, "cannot log in", "POST", "/login", form("user", w.ada)); len(a.set) != 0 || !strings.Contains(a.header.Get("Content-Type"), "text/html") {
			w.Errorf("a banned user's login sets %q, %q", a.set, a.header.Get("Content-Type"))
		}
		c.ExpireAccess()
		c.get(303, "/login", "/account")
	}},
	{"errors show no secret", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		for _, k := range []kind{page, program, htmx} {
			if a := c.as(k).get(500, "Something went wrong", "/error"); strings.Contains(a.body, "secret") {
				w.Errorf("the error is shown: %q", a.body)
			}
		}
		c.get(404, "no such session", "/error?is=not-found")
		c.get(503, "try again", "/error?is=down")
		c.get(303, "/login", "/error?is=none")
	}},
	{"the app's own error pages", func(*testing.T) settings { return settings{setup: setup{ownPage: true}} }, func(w *world) {
		c := w.loggedIn(w.ada)
		if a := c.get(403, ownPage, "/admin"); a.body != ownPage {
			w.Errorf("the page is %q", a.body)
		}
		w.client(program).get(401, ownPage, "/account")
		w.client(page).get(303, "/login", "/account")
		c.get(500, ownPage, "/error")
		w.client(page).want(403, ownPage, "POST", "/login", form("user", "0"))
	}},
	{"programs log in by a password", basicAuth, func(w *world) {
		c := w.client(program)
		right := []string{"Authorization", "Basic " + basic(w.ada, "secret")}
		c.want(200, "user="+w.ada, "GET", "/account", nil, right...)
		c.get(200, "user="+w.ada, "/account")
		w.client(program).want(401, "", "GET", "/account", nil, "Authorization", "Basic "+basic(w.ada, "wrong"))
		w.client(page).want(303, "/login", "GET", "/account", nil, right...)
	}},
	{"a poll refreshes nothing", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		w.later()
		c.ExpireAccess()
		if a := c.get(200, "user="+w.ada, "/poll"); a.refreshes() != 0 {
			w.Errorf("a poll sets %q", a.set)
		}
		if a := c.get(200, "user="+w.ada, "/account"); a.refreshes() != 1 {
			w.Errorf("the next page sets %q", a.set)
		}
	}},
	{"a stolen cookie ends the session", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		thief := c.as(page)
		for range 2 { // the second refresh confirms what the first has set
			w.later()
			c.ExpireAccess()
			c.get(200, "", "/account")
		}
		w.age(c, time.Hour)
		thief.ExpireAccess()
		thief.get(303, "reason=reuse", "/account")
		c.get(303, "/login", "/account")
	}},
	{"another device ends the session", nil, func(w *world) {
		c := w.loggedIn(w.ada)
		sessiontest.Revoke(w.T, w.sessions, w.sessionOf(c))
		c.get(303, "/login", "/account")
	}},
	{"an answer after the end sets no cookies", nil, func(w *world) {
		for how, status := range map[string]int{"write": 200, "status": 202, "flush": 200, "copy": 200, "empty": 200, "error": 500, "panic": 500} {
			c := w.loggedIn(w.ada)
			w.later()
			c.ExpireAccess()
			a := c.get(status, "", "/end?how="+how)
			if a.refreshes() != 0 {
				w.Errorf("%s: the answer sets %q", how, a.set)
			}
		}
	}},
	{"guards work without Protect", func(*testing.T) settings { return settings{setup: setup{bare: true}} }, func(w *world) {
		c := w.client(page)
		c.get(200, "nobody", "/account")
		c.get(303, "/login?next=%2Fadmin", "/admin")
		c.login(w.grace)
		c.get(200, "user="+w.grace, "/account")
		c.get(200, "user="+w.grace, "/admin")
		c.ExpireAccess()
		c.get(200, "user="+w.grace, "/admin")
		c.want(303, "/login", "POST", "/logout", form())
		c.get(200, "nobody", "/account")
	}},
	{"a prefix that browsers see", func(*testing.T) settings { return settings{setup: setup{prefix: "/app"}} }, func(w *world) {
		w.app = http.StripPrefix("/app", w.app)
		c := w.client(page)
		c.get(303, "/app/login?next=%2Fapp%2Faccount", "/app/account")
		c.want(303, "/app/pay", "POST", "/app/login?next=%2Fapp%2Fpay", form("user", w.ada))
		c.get(200, "user="+w.ada, "/app/account")
		c.want(303, "/app/login", "POST", "/app/logout", form())
	}},
	{"a stream ends with its session", nil, func(w *world) {
		server := httptest.NewTLSServer(w.app)
		defer server.Close()
		b := sessiontest.NewServerBrowser(server)
		s := b.Login(w.T, w.sessions, session.Login{UserID: w.ada, Epoch: 1})
		w.later()
		b.ExpireAccess() // so that the guard's writer checks the header
		ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
		defer cancel()
		answer, err := server.Client().Transport.RoundTrip(b.NewRequest("GET", "/stream", nil).WithContext(ctx))
		if err != nil {
			w.Fatal(err)
		}
		defer answer.Body.Close()
		first := make([]byte, len("begin\n"))
		if _, err := io.ReadFull(answer.Body, first); err != nil || string(first) != "begin\n" || len(answer.Cookies()) != 2 {
			w.Fatalf("the stream begins with %q, %v, %d cookies", first, err, len(answer.Cookies()))
		}
		sessiontest.Revoke(w.T, w.sessions, s)
		rest, err := io.ReadAll(answer.Body)
		if err != nil || string(rest) != "end\n" {
			w.Errorf("the stream ends with %q, %v", rest, err)
		}
	}},
	{"a connection can be hijacked", nil, func(w *world) {
		server := httptest.NewTLSServer(w.app)
		defer server.Close()
		b := sessiontest.NewServerBrowser(server)
		b.Login(w.T, w.sessions, session.Login{UserID: w.ada, Epoch: 1})
		for range 2 {
			answer := b.Get("/hijack")
			if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "hijacked" {
				w.Errorf("the answer is %q, %v", body, err)
			}
			b.ExpireAccess()
		}
	}},
	{"uploads leave no files, and their refusals are seen", nil, func(w *world) {
		w.Setenv("TMPDIR", w.TempDir())
		server := httptest.NewTLSServer(w.app)
		defer server.Close()
		b := sessiontest.NewServerBrowser(server)
		file := bytes.Repeat([]byte("x"), 1<<20)
		if status, body := post(w, b, file); status != 303 {
			w.Errorf("without a login: %d %q", status, body)
		}
		b.Login(w.T, w.sessions, session.Login{UserID: w.ada, Epoch: 1})
		for range 2 { // with an access cookie, and with a refresh
			if status, body := post(w, b, file); status != 200 || body != fmt.Sprint(len(file)) {
				w.Errorf("with a login: %d %q", status, body)
			}
			b.ExpireAccess()
		}
		server.Close() // waits for the requests
		want := 0
		if w.skin.copiesRequests {
			want = 2
		}
		if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) != want {
			w.Errorf("%d files are left, %v; want %d", len(left), err, want)
		}
	}},
}

// holds reports whether the client has a cookie with a value.
func (c *client) holds() bool {
	return slices.ContainsFunc(c.NewRequest("GET", "/", nil).Cookies(), func(cookie *http.Cookie) bool { return cookie.Value != "" })
}

// sessionOf returns the session that a client's cookies name.
func (w *world) sessionOf(c *client) session.Session {
	w.Helper()
	v, err := w.sessions.Authenticate(c.NewRequest("GET", "/", nil))
	if err != nil {
		w.Fatal(err)
	}
	return v.Session()
}

// age moves the refreshes of a client's session into the past, so that its superseded
// tickets are no stragglers.
func (w *world) age(c *client, d time.Duration) {
	w.Helper()
	w.database.exec(w.T, `UPDATE sessions SET confirmed_at = confirmed_at - ? WHERE user_id = ?`, d.Microseconds(), w.sessionOf(c).UserID)
}

func withTokens(*testing.T) settings {
	return settings{config: session.Config{TokenTTL: 10 * time.Minute}}
}

func mayImpersonate(*testing.T) settings {
	return settings{config: session.Config{MayImpersonate: func(_ *http.Request, actor session.Session, _ string) error {
		if actor.HasRole("admin") {
			return nil
		}
		return session.ErrUserDisabled
	}}}
}

// lostLogouts counts the calls of OnLogoutError in the behaviour that runs.
var lostLogouts int

func tellsOfLogouts(*testing.T) settings {
	lostLogouts = 0
	return settings{setup: setup{onLogoutError: func(_ *http.Request, err error) {
		if errors.Is(err, session.ErrStoreUnavailable) {
			lostLogouts++
		}
	}}}
}

func leavesForProvider(*testing.T) settings {
	return settings{setup: setup{logoutURL: func(r *http.Request) string {
		s, _ := session.FromContext(r.Context())
		return "https://id.test/logout?user=" + s.UserID
	}}}
}

func basicAuth(*testing.T) settings {
	return settings{setup: setup{credentials: nethttp.BasicAuth(func(_ context.Context, user, password string) (session.Login, error) {
		if password != "secret" {
			return session.Login{}, session.ErrUnauthenticated
		}
		return session.Login{UserID: user, Epoch: 1}, nil
	})}}
}

func basic(user, password string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
}

// post uploads a file.
func post(w *world, b *sessiontest.Browser, file []byte) (status int, body string) {
	w.Helper()
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	part, err := parts.CreateFormFile("file", "file")
	if err == nil {
		_, err = part.Write(file)
	}
	if err := errors.Join(err, parts.Close()); err != nil {
		w.Fatal(err)
	}
	r := b.NewRequest("POST", "/upload", &form)
	r.Header.Set("Content-Type", parts.FormDataContentType())
	answer := b.Do(r)
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.Fatal(err)
	}
	return answer.StatusCode, string(text)
}
