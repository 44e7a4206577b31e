package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

func TestAPISession(t *testing.T) {
	_, server := testServer(t)
	b := newBrowser(t, server)
	b.login(grace, gracePassword)
	type who struct {
		UserID     string    `json:"user_id"`
		SessionID  string    `json:"session_id"`
		Roles      []string  `json:"roles"`
		AuthTime   time.Time `json:"auth_time"`
		IssuedAt   time.Time `json:"issued_at"`
		ExpiresAt  time.Time `json:"expires_at"`
		Statements *int64    `json:"statements"`
	}
	ask := func() (w who) {
		t.Helper()
		got := b.get("/api/session")
		got.shows(t, 200)
		if err := json.Unmarshal([]byte(got.body), &w); err != nil {
			t.Fatal(err)
		}
		return w
	}
	first := ask()
	if first.UserID != "2" || len(first.SessionID) != 32 || len(first.Roles) != 1 || first.Roles[0] != "admin" ||
		first.AuthTime.IsZero() || first.IssuedAt.IsZero() || first.ExpiresAt.IsZero() || first.Statements == nil {
		t.Errorf("got %+v", first)
	}
	for range 100 {
		b.get("/")
	}
	if last := ask(); *last.Statements != *first.Statements {
		t.Errorf("101 requests on a valid access cookie cost %d statements; want 0", *last.Statements-*first.Statements)
	}
}

// The guard says in the URL why the user must log in, and what a logout could not do.
func TestNotices(t *testing.T) {
	_, server := testServer(t)
	b := newBrowser(t, server)
	b.get("/login?reason=reuse").shows(t, 200, "a copy of your login")
	b.get("/?done=logged-out&logout=pending").shows(t, 200, "the database does not answer")
	b.get("/?done=logged-out").shows(t, 200, "You are logged out.")
}

func TestHealth(t *testing.T) {
	a, server := testServer(t)
	b := newBrowser(t, server)
	b.get("/healthz").shows(t, 200, "ok")
	if n := a.statements.Load(); n != 0 {
		t.Errorf("%d statements counted; want 0", n)
	}
	a.db.Close()
	b.get("/healthz").shows(t, 503)
}

func TestADatabaseThatIsDownLogsNobodyOut(t *testing.T) {
	a, server := testServer(t)
	b := newBrowser(t, server)
	b.login(ada, adaPassword)
	a.db.Close()

	for _, got := range []answer{
		b.get("/devices"),
		b.post("/login", "email", ada, "password", adaPassword),
		b.post("/account/password", "current", adaPassword, "new", "correct horse battery staple"),
	} {
		got.shows(t, 503, "Service Unavailable", "again")
		if got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", got.Request.URL)
		}
		if got.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: a cookie was changed", got.Request.URL)
		}
	}
	b.get("/").shows(t, 200, "Hello, Ada Lovelace") // the access cookie is enough
	newBrowser(t, server).get("/").shows(t, 200, "Log in")
	b.ExpireAccess()
	b.get("/").shows(t, 503, "Try again") // who is logged in is not known
}

// During an outage many requests are logged, and a path is as long as the client likes.
func TestErrors_LogTheRouteAndNotThePath(t *testing.T) {
	log := captureLog(t)
	a := testApp(t, session.GenerateKey(), 2*time.Minute)
	e := a.routes()
	e.GET("/down/*", func(echo.Context) error { return errUnavailable })
	b := newBrowser(t, serveApp(t, e))
	b.login(ada, adaPassword)
	before := len(log.String())
	b.get("/down/"+strings.Repeat("x", 20_000)).shows(t, 503)
	log.waitFor(t, "route=/down/* status=503")
	if n := len(log.String()) - before; n > 1_000 {
		t.Errorf("a request with a long path wrote %d bytes to the log", n)
	}
}

func TestErrorsForPeopleAndPrograms(t *testing.T) {
	_, server := testServer(t)
	b := newBrowser(t, server)
	b.get("/nope").leadsTo(t, "/login?next=%2Fnope")
	b.login(ada, adaPassword)
	b.get("/nope").shows(t, 404, "Not Found", "<!doctype html>")
	b.get("/devices/x.css").shows(t, 404)
	b.post("/account").shows(t, 405, "Method Not Allowed")
	b.post("/login", "email", strings.Repeat("x", 100_000)).shows(t, 413, "Request Entity Too Large")

	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/nope", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(b.Cookies(r.URL)[0])
	response, err := b.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); response.StatusCode != 404 || !strings.HasPrefix(got, "application/problem+json") {
		t.Errorf("to a program: %d, %s; want 404, application/problem+json", response.StatusCode, got)
	}
}

func TestEveryAnswerIsSafeToShow(t *testing.T) {
	_, server := testServer(t)
	b := newBrowser(t, server)
	b.login(ada, adaPassword)
	for _, path := range []string{"/", "/login", "/devices", "/account", "/admin", "/nope", "/api/session", "/healthz"} {
		got := b.get(path)
		csp := got.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: the content security policy lacks %s: %q", path, part, csp)
			}
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff",
			"Referrer-Policy":        "same-origin",
			"Cache-Control":          "no-store",
		} {
			if value := got.Header.Get(name); value != want {
				t.Errorf("%s: %s is %q; want %q", path, name, value, want)
			}
		}
		// The policy blocks these.
		for _, inline := range []string{" style=", "<style", " onclick=", "<script>"} {
			if strings.Contains(got.body, inline) {
				t.Errorf("%s contains %q, which the content security policy forbids", path, inline)
			}
		}
	}
	if got := b.get("/?done=<script>alert(1)</script>"); strings.Contains(got.body, "alert(1)") {
		t.Error("the query is shown")
	}
}

func TestStaticFiles(t *testing.T) {
	_, server := testServer(t)
	b := newBrowser(t, server)
	for _, name := range []string{"app.css", "app.js", "icon.svg"} {
		b.get("/static/"+name).shows(t, 200)
	}
	b.get("/static/nope.css").shows(t, 404)
	b.get("/static/..%2fapp.css").shows(t, 404)
}
