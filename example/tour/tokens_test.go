package main

import (
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The commands of the page are pasted into a shell.
func TestTokens_TheCommandsWork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatalf("%v: .ci/deps installs it", err)
	}
	tour := start(t)
	b := tour.ada()
	b.get("/tokens").shows(200, "What is it for?")
	commands := b.post("/tokens", "name", "Ada's <backup> & co").shows(200, "Ada's <backup> & co").commands()
	if len(commands) != 4 {
		t.Fatalf("%d commands: %q", len(commands), commands)
	}
	b.get("/tokens").shows(200, "What is it for?") // and shows none of them again
	b.get("/devices").shows(200, "Command line", "Ada's <backup> & co")

	sh := func(command string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Env = append(os.Environ(), secretVariable+"="+tour.secret, "CURL_HOME="+t.TempDir())
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", command, err, output)
		}
		return string(output)
	}
	has := func(output string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(output, text) {
				t.Errorf("no %q in %s", text, output)
			}
		}
	}
	use, renew, introspect, revoke := commands[0], commands[1], commands[2], commands[3]
	has(sh(use), `"user_id":"1"`, `"client":"cli"`)
	has(sh(renew), `"access_token":"skat_`, `"token_type":"Bearer"`)
	has(sh(introspect), `"active":true`, `"client_id":"cli"`)
	has(sh(revoke), " 200 OK")
	has(sh(use), `"status":401`)
	has(sh(renew), "invalid_grant")
	has(sh(introspect), `"active":false`)

	// The home page has those of a device.
	commands = b.get("/").shows(200).commands()
	var device struct {
		Code     string `json:"device_code"`
		UserCode string `json:"user_code"`
	}
	if err := json.Unmarshal([]byte(sh(commands[0])), &device); err != nil {
		t.Fatal(err)
	}
	b.post("/device", "user_code", device.UserCode, "decision", "yes").leadsTo("/device?done=approved")
	has(sh("CODE="+device.Code+"\n"+commands[1]), `"refresh_token":"skrt_`)
}

func TestTokens_ATokenOpensNoPage(t *testing.T) {
	tour := start(t)
	b := tour.ada()
	command := b.post("/tokens", "name", "x").shows(200).commands()[0]
	token, _, _ := strings.Cut(command[strings.Index(command, "skat_"):], "'")
	tour.call("/api/session", token, nil).shows(200, `"name":"x"`)
	for _, path := range []string{"/", "/login", "/device", "/tokens", "/devices", "/factor", "/notes"} {
		if a := tour.call(path, token, nil); a.StatusCode != 403 || !strings.Contains(a.Header.Get("WWW-Authenticate"), "insufficient_scope") {
			t.Errorf("GET %s: %d, %s", path, a.StatusCode, a.Header.Get("WWW-Authenticate"))
		}
	}
	for _, path := range []string{"/login", "/device", "/tokens", "/devices/revoke", "/factor", "/factor/new", "/people/stop", "/tenant"} {
		if a := tour.call(path, token, form("name", "x", "decision", "yes", "email", "ada@example.com", "password", "ada-demo-password")); a.StatusCode != 403 || len(a.Cookies()) > 0 {
			t.Errorf("POST %s: %d, cookies %v", path, a.StatusCode, a.Cookies())
		}
	}

	// A browser has the same API.
	if w := b.who(); w.UserID != "1" || w.Client != "" || w.Name != "" {
		t.Errorf("%+v", w)
	}
}

func TestTokens_ANameIsShortAndReadable(t *testing.T) {
	_, tour := inProcess(t)
	b := tour.ada()
	for _, name := range []string{"", "  ", strings.Repeat("x", maxName+1), "a\x00b", "a\nb", "\xff"} {
		b.post("/tokens", "name", name).shows(422, "at most 60 characters")
	}
	b.post("/tokens", "name", " "+strings.Repeat("ö", maxName)+" ").shows(200)
	if n := len(sessionOfForm.FindAllString(b.get("/devices").shows(200).body, -1)); n != 1 {
		t.Errorf("%d sessions of tokens; want one", n)
	}
}

func TestClients_EachEndpointHasItsOwn(t *testing.T) {
	tour := start(t)
	for _, c := range []struct {
		path, id, secret string
		status           int
		text             string
	}{
		{"/oauth/device", commandLine, "", 200, "user_code"},
		{"/oauth/device", commandLine, "x", 401, "invalid_client"},
		{"/oauth/device", "nobody", "", 401, "invalid_client"},
		{"/oauth/device", "billing", tour.secret, 400, "unauthorized_client"},
		{"/oauth/token", "billing", tour.secret, 400, "unauthorized_client"},
		{"/oauth/introspect", "billing", tour.secret, 200, `"active":false`},
		{"/oauth/introspect", "billing", "", 401, "invalid_client"},
		{"/oauth/introspect", "billing", tour.secret + "x", 401, "invalid_client"},
		{"/oauth/introspect", commandLine, "", 400, "unauthorized_client"},
		{"/oauth/revoke", commandLine, "", 200, ""},
	} {
		tour.call(c.path, "", form("client_id", c.id, "client_secret", c.secret, "token", "skrt_x")).has(c.status, c.text)
	}
	if _, err := newClients("short"); err == nil || !strings.Contains(err.Error(), secretVariable) {
		t.Errorf("a short secret: %v", err)
	}
}

func TestCommand_QuotesForAShell(t *testing.T) {
	args := []string{"printf", "%s\\n", "a b", "it's", "$HOME", "`id`", "", "*", "!x", "x;y", "ä\"\\", "a\nb", "=x", "~", "a=b", "http://x:1/y.z"}
	output, err := exec.CommandContext(t.Context(), "sh", "-c", command(args...)).Output()
	if want := strings.Join(args[2:], "\n") + "\n"; err != nil || string(output) != want {
		t.Errorf("%s printed %q, %v; want %q", command(args...), output, err, want)
	}
}

// Whoever finds an unlocked browser, or copies its access cookie, gets no token that outlives it.
func TestTokens_NeedARecentLoginAndTheRefreshCookie(t *testing.T) {
	a, tour := inProcess(t)
	b := tour.ada()

	if stolen := b.accessOnly().post("/tokens", "name", "x"); stolen.StatusCode != 303 || strings.Contains(stolen.body, "skat_") {
		t.Errorf("an access cookie alone: %d", stolen.StatusCode)
	}
	b.post("/tokens", "name", "x").shows(200, "skat_")

	a.age(t)
	b.get("/device").shows(200)
	b.get("/devices").shows(200)
	b.get("/tokens").asksForLogin()
	b.post("/tokens", "name", "x").asksForLogin()
	b.post("/device", "decision", "no").asksForLogin()
	b.post("/devices/revoke").asksForLogin()
	b.get("/login?reauth=1").shows(200, "enter your password again")
}

func TestRun_IsForThisMachineOnlyAndARestartLogsNobodyOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tour.db")
	if err := run(t.Context(), options{addr: "0.0.0.0:0", db: file}, io.Discard); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("%v; want a refusal", err)
	}
	if _, err := parseFlags(flag.NewFlagSet("tour", flag.ContinueOnError), []string{"x"}); err == nil {
		t.Error("an argument is accepted")
	}
	var b browser
	t.Run("first", func(t *testing.T) { b = start(t, "-db", file).ada() })
	second := start(t, "-db", file).browser()
	second.Jar = b.Jar
	second.get("/devices").shows(200, "This browser")
	second.post("/logout", "next", "/?done=logged-out").leadsTo("/?done=logged-out")
	second.get("/?done=logged-out").shows(200, "You are logged out.", "Log in")
	second.post("/login", "email", "ada@example.com", "password", "nope").shows(401, "is wrong", `value="ada@example.com"`)
}
