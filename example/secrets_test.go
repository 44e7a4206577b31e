package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

// secrets are texts that must appear nowhere, in every spelling, by what they are.
type secrets map[string]string

func (s secrets) add(what, text string) {
	spell := func(what, text string) {
		s[what], s[what+", in hexadecimal"] = text, hex.EncodeToString([]byte(text))
		s[what+", as a list of bytes"] = strings.Trim(fmt.Sprint([]byte(text)), "[]")
	}
	spell(what, text)
	for name, encoding := range map[string]*base64.Encoding{"a key": base64.StdEncoding, "a cookie": base64.URLEncoding} {
		raw, err := encoding.DecodeString(text)
		if err != nil || !strings.HasPrefix(what, name) {
			continue
		}
		for i, part := range bytes.Split(raw, []byte("|")) { // as securecookie joins them
			if len(part) >= 16 {
				spell(fmt.Sprint(what, ", part ", i), string(part))
			}
		}
	}
}

// in returns the names of the secrets that a text contains.
func (s secrets) in(text string) (found []string) {
	for what, secret := range s {
		if strings.Contains(text, secret) {
			found = append(found, what)
		}
	}
	return found
}

// The test makes everything happen that is logged. It then looks for every cookie, key
// and password in the log, and for every cookie and key in the pages.
func TestNoLogLineAndNoPageShowsASecret(t *testing.T) {
	log, pages := captureLog(t), &bytes.Buffer{}
	oldKey, newKey, slip := session.GenerateKey(), session.GenerateKey(), session.GenerateKey()
	issued, passwords := secrets{}, secrets{}
	for i, key := range []string{oldKey, newKey, slip, slip[:30]} {
		issued.add(fmt.Sprint("a key ", i), key)
	}
	const guess = "a-password-that-is-wrong"
	passwords.add("a guess", guess)
	passwords.add("a password", adaPassword)

	a := testApp(t, oldKey, time.Second)
	e := a.routes()
	e.Debug = true
	e.Logger.SetOutput(log)
	e.GET("/panic", func(c echo.Context) error {
		panic(fmt.Sprintf("%+v in %+v", current(c), c.Request().Context()))
	})
	e.GET("/error", func(c echo.Context) error { return fmt.Errorf("in %+v", c.Request().Context()) })
	server := serveApp(t, e)

	answers, cookies, cookie := 0, 0, ""
	note := func(got answer) {
		answers++
		for _, c := range got.Cookies() {
			if c.Value != "" {
				cookies, cookie = cookies+1, c.Value
				issued.add(fmt.Sprint("a cookie ", cookies), c.Value)
			}
		}
		got.Header.Del("Set-Cookie")
		fmt.Fprintln(pages, got.Header, got.body)
	}
	expire := func() { time.Sleep(1100 * time.Millisecond) }
	laptop := newBrowser(t, server)
	note(laptop.post("/login", "email", ada, "password", guess))
	note(laptop.post("/login", "email", "nobody@example.com", "password", guess))
	note(laptop.post("/login", "email", ada, "password", adaPassword))
	thief := &browser{laptop.CloneIgnoringExpiry(), t}
	changed := laptop.NewRequest("GET", "/devices", nil)
	changed.Header.Set("Cookie", strings.ReplaceAll(changed.Header.Get("Cookie"), "=; ", "x; ")+"x")
	note(laptop.read(laptop.Do(changed))) // undecodable
	for _, path := range []string{"/", "/login", "/devices", "/account", "/admin", "/api/session", "/panic", "/error", "/nope"} {
		note(laptop.get(path))
	}
	note(laptop.post("/account/password", "current", guess, "new", "correct horse battery staple"))
	source := keySource{file: filepath.Join(t.TempDir(), "test.keys")}
	for _, text := range []string{newKey + "\n" + oldKey, slip[:30], slip + "\n" + slip, "x " + slip} {
		if err := os.WriteFile(source.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := source.reload(a.sessions)
		if (err == nil) != strings.HasPrefix(text, newKey) {
			t.Errorf("reloading %d bytes: %v", len(text), err)
		}
		fmt.Fprintf(log, "reload of %d bytes, error %v\n", len(text), err)
	}
	expire()
	note(laptop.get("/devices")) // opened by the old key
	expire()
	note(laptop.get("/devices"))
	expire()
	note(thief.get("/devices")) // caught
	note(laptop.get("/devices"))
	phone := newBrowser(t, server)
	note(phone.post("/login", "email", grace, "password", gracePassword, "remember", "1"))
	note(phone.post("/admin/role", "user", "1", "role", "admin"))
	note(phone.post("/logout"))
	note(phone.post("/login", "email", grace, "password", gracePassword))
	expire()
	a.db.Close()
	note(phone.get("/devices"))
	note(phone.get("/panic"))
	note(phone.post("/login", "email", ada, "password", adaPassword))
	note(phone.post("/logout"))

	if found := append(issued.in(log.String()), passwords.in(log.String())...); found != nil {
		t.Errorf("the log shows %q", found)
	}
	if found := issued.in(pages.String()); found != nil {
		t.Errorf("pages show %q", found)
	}
	// The search does find secrets, and everything was logged that can be.
	for _, control := range []string{"session=" + cookie, fmt.Sprintf("%x", cookie), fmt.Sprintf("%x", adaPassword), "key=" + newKey} {
		if issued.in(control) == nil && passwords.in(control) == nil {
			t.Errorf("%q was not found: this test proves nothing", control)
		}
	}
	for _, sign := range []string{"kind=issued", "kind=refreshed", "kind=reuse", "kind=revoked", "kind=undecodable", "kind=old-key", "kind=store-error", "msg=panic", "request failed", "bytes, error <nil>", "test.keys: session:"} {
		if !strings.Contains(log.String(), sign) {
			t.Errorf("%q was never logged: this test proves little", sign)
		}
	}
	if cookies < 8 {
		t.Errorf("%d cookies were issued", cookies)
	}
	t.Logf("%d cookies, 3 keys and 2 passwords in %d spellings: 0 in %d lines of the log and %d pages", cookies, len(issued)+len(passwords), strings.Count(log.String(), "\n"), answers)
}
