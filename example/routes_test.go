package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// doors are all routes, and who may use each. A route that is missing here, or that is
// no longer there, fails the test.
var doors = map[string]string{
	"GET /":         "everybody",
	"GET /static/*": "everybody",
	"GET /healthz":  "everybody",
	"GET /login":    "everybody",
	"POST /login":   "everybody",
	"POST /logout":  "everybody",

	"GET /api/session":            "users",
	"GET /devices":                "users",
	"POST /devices/revoke":        "users",
	"POST /devices/revoke-others": "users",
	"GET /account":                "users",
	"POST /account/password":      "users",

	"GET /admin":             "admins",
	"POST /admin/ban":        "admins",
	"POST /admin/unban":      "admins",
	"POST /admin/revoke":     "admins",
	"POST /admin/role":       "admins",
	"POST /admin/revoke-all": "admins",
}

// wire sends raw requests, byte by byte as a test says.
type wire struct {
	*testing.T
	addr string
}

// ask sends a request, and returns the status and the lines of the header.
func (w wire) ask(request string) (status int, header []string) {
	w.Helper()
	conn, err := net.DialTimeout("tcp", w.addr, 5*time.Second)
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = io.WriteString(conn, request) }() // it may be answered before it is read whole
	lines := bufio.NewScanner(conn)
	for lines.Scan() && lines.Text() != "" {
		header = append(header, lines.Text())
	}
	if len(header) == 0 {
		w.Errorf("no answer to %.200q: %v", request, lines.Err())
		return 0, nil
	}
	if _, err := fmt.Sscanf(header[0], "HTTP/1.1 %d", &status); err != nil {
		w.Errorf("%.200q was answered %.200q", request, header[0])
	}
	return status, header[1:]
}

// of returns the values of a header.
func of(header []string, name string) (values []string) {
	for _, line := range header {
		if n, value, _ := strings.Cut(line, ": "); strings.EqualFold(n, name) {
			values = append(values, value)
		}
	}
	return values
}

// cookiesAfterLogin logs a user in and returns the value of a Cookie header: the access
// cookie and one of the two refresh cookies of a login.
func (w wire) cookiesAfterLogin(email, password string) string {
	w.Helper()
	form := "email=" + email + "&password=" + password
	status, header := w.ask(fmt.Sprintf("POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(form), form))
	var cookies []string
	for _, line := range of(header, "Set-Cookie") {
		cookie, _, _ := strings.Cut(line, ";")
		cookies = append(cookies, cookie)
	}
	if status != 303 || len(cookies) != 3 || !strings.HasPrefix(cookies[0], "sessionkit-session=") || !strings.HasPrefix(cookies[1], "sessionkit-refresh-0=") || !strings.HasPrefix(cookies[2], "sessionkit-refresh-1=") {
		w.Fatalf("login: %d, %q", status, header)
	}
	return strings.Join(cookies[:2], "; ")
}

var (
	asPage    = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n"
	asProgram = "Accept: application/json\r\n"
)

// visitors are requests without a good session.
func visitors(good string) map[string]string {
	access, refresh, _ := strings.Cut(good, "; ")
	return map[string]string{
		"no cookies":               "",
		"empty cookies":            "Cookie: sessionkit-session=; sessionkit-refresh-0=; sessionkit-refresh-1=\r\n",
		"garbage":                  "Cookie: sessionkit-session=x; sessionkit-refresh-0=MTIz; sessionkit-refresh-1=MTIz\r\n",
		"a cut cookie":             "Cookie: " + access[:len(access)-4] + "; " + refresh[:len(refresh)-4] + "\r\n",
		"a longer cookie":          "Cookie: " + access + "AAAA; " + refresh + "AAAA\r\n",
		"swapped cookies":          "Cookie: sessionkit-session=" + strings.TrimPrefix(refresh, "sessionkit-refresh-0=") + "; sessionkit-refresh-0=" + strings.TrimPrefix(access, "sessionkit-session=") + "\r\n",
		"the other refresh cookie": "Cookie: sessionkit-refresh-1=" + strings.TrimPrefix(refresh, "sessionkit-refresh-0=") + "\r\n",
		"other names":              "Cookie: Session=" + strings.TrimPrefix(access, "sessionkit-session=") + "; SESSION=1; __Host-session=1\r\n",
		"a user id":                "Cookie: sessionkit-session=2; sessionkit-refresh-0=2; sessionkit-refresh-1=2; user=2; role=admin\r\n",
		"a header that tells":      "X-User: 2\r\nX-Forwarded-User: 2\r\nX-Original-URL: /login\r\nX-Rewrite-URL: /login\r\nX-HTTP-Method-Override: GET\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: localhost\r\n",
		"a bearer":                 "Authorization: Bearer " + strings.TrimPrefix(access, "sessionkit-session=") + "\r\n",
	}
}

func TestEveryRouteIsOpenToWhomItShouldBe(t *testing.T) {
	captureLog(t)
	a, server := testServer(t)
	w := wire{t, server.Listener.Addr().String()}
	good := w.cookiesAfterLogin(grace, gracePassword)
	user := w.cookiesAfterLogin(ada, adaPassword)
	asked := 0
	ask := func(method, path, more string) (int, []string) {
		asked++
		return w.ask(method + " " + path + " HTTP/1.1\r\nHost: " + w.addr + "\r\n" + more + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\nuser=1")
	}
	isShut := func(method, path, who, more string) {
		t.Helper()
		before := a.statements.Load()
		for kind, want := range map[string]int{asPage: 303, asProgram: 401} {
			status, header := ask(method, path, kind+more)
			location := strings.Join(of(header, "Location"), "")
			if status != want || status == 303 && !strings.HasPrefix(location, "/login") || len(of(header, "Set-Cookie")) != 0 {
				t.Errorf("%s %s with %s: %d to %q, %d cookies; want %d", method, path, who, status, location, len(of(header, "Set-Cookie")), want)
			}
		}
		if n := a.statements.Load() - before; n != 0 {
			t.Errorf("%s %s with %s: %d statements; want 0", method, path, who, n)
		}
	}

	listed := map[string]bool{}
	for _, route := range a.routes().Routes() {
		name := route.Method + " " + route.Path
		listed[name] = true
		path := strings.ReplaceAll(route.Path, "*", "app.css")
		door := doors[name]
		switch door {
		case "everybody":
			for who, more := range visitors(good) {
				if status, header := ask(route.Method, path, asPage+more); status >= 400 && name != "POST /login" || status >= 500 || status == 303 && name != "POST /logout" {
					t.Errorf("%s with %s: %d, %q", name, who, status, header)
				}
			}
			continue
		case "users", "admins":
		default:
			t.Errorf("%s is new: say in doors who may use it", name)
			continue
		}
		for who, more := range visitors(good) {
			isShut(route.Method, path, who, more)
		}
		status, _ := ask(route.Method, path, asPage+"Cookie: "+user+"\r\n")
		if shut := status == 403; shut != (door == "admins") || status >= 500 || status == 401 {
			t.Errorf("%s, which is for %s, answers a user %d", name, door, status)
		}
	}
	for name := range doors {
		if !listed[name] {
			t.Errorf("%s no longer exists: remove it from doors", name)
		}
	}

	// All other methods and spellings need a session too.
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "X"} {
		for _, path := range []string{"/admin", "/account", "/api/session", "/devices/revoke"} {
			isShut(method, path, "no cookies", "")
		}
	}
	for _, path := range []string{
		"/admin/", "//admin", "///admin", "/./admin", "/x/../admin", "/login/../admin", "/login/..%2fadmin", "/login;/admin",
		"/ADMIN", "/%61dmin", "/admin%2f", "/admin%00", "/admin%20", "/admin;x=y", "/admin.css", "/admin/x.css", "/account/app.css", "/devices/x.png", "/api/session/", "/api//session", "/admin?x=/login", "/admin#/login", "/nope", "/static", "/login/x", "/.git/config",
	} {
		isShut("GET", path, "no cookies", "")
	}
	for _, path := range []string{"/static/../admin", "/static/..%2fadmin", "/static/%2e%2e/admin", "/static/..%5cadmin", "/static/admin", "/static/app.css%00.html"} {
		if status, header := ask("GET", path, asPage); status != 404 {
			t.Errorf("GET %s: %d, %q", path, status, header)
		}
	}
	t.Logf("%d requests to %d routes, and to what is none: none is open that should not be", asked, len(doors))
}
