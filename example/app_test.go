package main

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestLogin(t *testing.T) {
	_, server := testServer(t)
	b := newBrowser(t, server)

	b.get("/").shows(t, 200, "Logins without a database query per request", `href="/login"`)
	b.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	b.get("/login?next=/devices").shows(t, 200, `name="next" value="/devices"`, `autocomplete="username"`, `autocomplete="current-password"`)

	wrong := b.post("/login", "email", ada, "password", "nope", "next", "/devices", "remember", "1")
	wrong.shows(t, 401, `value="ada@example.com"`, `value="/devices"`, `role="alert"`, "checked")
	if n := strings.Count(wrong.body, `aria-invalid="true"`); n != 2 {
		t.Errorf("%d fields are marked as wrong; want both: the page must not tell which one is", n)
	}

	b.post("/login", "email", " ADA@example.com", "password", adaPassword, "next", "/devices").leadsTo(t, "/devices")
	b.get("/").shows(t, 200, "Hello, Ada Lovelace", "<strong>0 statements</strong>")
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
	_, server := testServer(t)
	b := newBrowser(t, server)
	for range perAccount {
		b.post("/login", "email", ada, "password", "nope").shows(t, 401)
	}
	throttled := b.post("/login", "email", ada, "password", adaPassword)
	throttled.shows(t, 429, "too many failed attempts. Wait 5 min", `value="ada@example.com"`)
	if throttled.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	b.login(grace, gracePassword)

	// The form for a new password asks for the current one: it has the same limit.
	for range perAccount {
		b.post("/account/password", "current", "nope", "new", "correct horse battery staple").shows(t, 422)
	}
	b.post("/account/password", "current", gracePassword, "new", "correct horse battery staple").shows(t, 429, "too many failed attempts")
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

	stranger := newBrowser(t, server)
	stranger.login(grace, gracePassword)
	stranger.post("/devices/revoke", "id", found[0][1]).leadsTo(t, "/devices?done=device-gone")
	phone.get("/devices").shows(t, 200)

	laptop.post("/devices/revoke", "id", found[0][1]).leadsTo(t, "/devices?done=device")
	phone.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	laptop.get("/devices?done=device").shows(t, 200, "That device is logged out.")
	laptop.post("/devices/revoke", "id", "no id").leadsTo(t, "/devices?done=device-gone")

	tablet.login(ada, adaPassword)
	laptop.post("/devices/revoke-others").leadsTo(t, "/devices?done=others")
	tablet.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	laptop.get("/devices").shows(t, 200)
	stranger.get("/devices").shows(t, 200)
}

// The routes for devices ask for the password again (OWASP ASVS 7.5.2). A login of less
// than five minutes ago is enough: scripts log in and revoke.
func TestDevices_RevokingNeedsARecentLogin(t *testing.T) {
	a, server := testServer(t)
	laptop, phone := newBrowser(t, server), newBrowser(t, server)
	laptop.login(ada, adaPassword)
	phone.login(ada, adaPassword)
	id := hiddenID.FindStringSubmatch(laptop.get("/devices").body)[1]
	age := func(d time.Duration) {
		t.Helper()
		if _, err := a.db.ExecContext(t.Context(), `UPDATE sessions SET authenticated_at = authenticated_at - ?`, d.Microseconds()); err != nil {
			t.Fatal(err)
		}
		laptop.ExpireAccess() // its access cookie has the old time
	}

	age(6 * time.Minute)
	for path, field := range map[string]string{"/devices/revoke": id, "/devices/revoke-others": ""} {
		if got := laptop.post(path, "id", field); got.StatusCode != 303 || !strings.HasPrefix(got.Header.Get("Location"), "/login?") {
			t.Errorf("%s, six minutes after the login: %d to %q; want the login", path, got.StatusCode, got.Header.Get("Location"))
		}
	}
	phone.get("/devices").shows(t, 200)
	laptop.get("/devices").shows(t, 200, "Log out all other devices") // to look at the list needs no password

	laptop.login(ada, adaPassword)
	age(4 * time.Minute)
	laptop.post("/devices/revoke", "id", id).leadsTo(t, "/devices?done=device")
	laptop.post("/devices/revoke-others").leadsTo(t, "/devices?done=others")
	phone.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
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
	laptop.post("/account/password", "current", adaPassword, "new", strings.Repeat("x", maxPassword+1)).shows(t, 422, "at most 1024")
	phone.get("/devices").shows(t, 200)

	laptop.post("/account/password", "current", adaPassword, "new", fresh).leadsTo(t, "/account?done=password")
	laptop.get("/account?done=password").shows(t, 200, "Your password is changed.")
	phone.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	phone.post("/login", "email", ada, "password", adaPassword).shows(t, 401)
	phone.login(ada, fresh)
}
