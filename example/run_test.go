package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// parse reads a command line as main does.
func parse(out io.Writer, args ...string) (options, error) {
	flags := flag.NewFlagSet("example", flag.ContinueOnError)
	flags.SetOutput(out)
	return parseFlags(flags, args)
}

// started runs the example as main does, and returns its address. At the end of the test
// it stops, and must return no error.
func started(t *testing.T, args ...string) string {
	t.Helper()
	args = append([]string{"-addr", "localhost:0", "-db", filepath.Join(t.TempDir(), "test.db")}, args...)
	opts, err := parse(t.Output(), args...)
	if err != nil {
		t.Fatal(err)
	}
	address, stop := start(t, opts)
	t.Cleanup(stop)
	return address
}

func start(t *testing.T, opts options) (address string, stop func()) {
	t.Helper()
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, opts, in)
		in.CloseWithError(io.EOF)
		ended <- err
	}()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}

	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("it printed nothing: %v", <-ended)
	}
	address, ok := strings.CutPrefix(lines.Text(), "sessionkit example: ")
	if !ok {
		t.Fatalf("its first line is %q", lines.Text())
	}
	go io.Copy(io.Discard, out)
	return address, stop
}

func TestRun(t *testing.T) {
	address := started(t)
	response, err := http.Get(address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 || !strings.HasPrefix(address, "http://localhost:") || strings.HasSuffix(address, ":0") {
		t.Errorf("%s answered %d; want 200 at the real port", address, response.StatusCode)
	}
}

func TestRunWithTLS(t *testing.T) {
	address := started(t, "-tls")
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // self-signed
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	response, err := client.PostForm(address+"/login", url.Values{"email": {ada}, "password": {adaPassword}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusSeeOther || response.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("login: %d, %v", response.StatusCode, response.Header)
	}
	cookies := response.Cookies()
	if len(cookies) != 3 {
		t.Fatalf("%d cookies; want 2, and one that is deleted", len(cookies))
	}
	for _, cookie := range cookies {
		if !strings.HasPrefix(cookie.Name, "__Host-Http-") || !cookie.Secure || !cookie.HttpOnly {
			t.Errorf("cookie %s: Secure %t, HttpOnly %t", cookie.Name, cookie.Secure, cookie.HttpOnly)
		}
	}
}

func TestPlainHTTPIsForThisMachineOnly(t *testing.T) {
	err := run(t.Context(), options{addr: "0.0.0.0:0", db: filepath.Join(t.TempDir(), "test.db")}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "-tls") {
		t.Errorf("error %v; want a refusal that names -tls", err)
	}
}

// The database may be one that a process on a loopback address has used before.
func TestRun_NoDemoUsersOnANetwork(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	db, err := openDatabase(t.Context(), options{db: file})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := (&userTable{db}).prepare(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(started(t, "-addr", "0.0.0.0:0", "-tls", "-db", file), "https://"))
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{&sessiontest.Browser{Jar: &sessiontest.Jar{}, Origin: "https://127.0.0.1:" + port, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // self-signed
	}}, t}
	b.post("/login", "email", grace, "password", gracePassword).shows(t, 401)
	if page := b.get("/login"); strings.Contains(page.body, gracePassword) {
		t.Error("the login page shows a demo password")
	}
}

// Every user of the machine can read a flag in the list of processes.
func TestParseFlags_TakesTheDSNFromTheEnvironment(t *testing.T) {
	const mysql, postgres = "app:secret@tcp(db.example.com)/app", "postgres://app:secret@db.example.com/app"
	for _, c := range []struct {
		env  map[string]string
		args []string
		want [2]string // of MySQL, of PostgreSQL
	}{
		{env: map[string]string{"SESSION_MYSQL": mysql}, want: [2]string{mysql, ""}},
		{env: map[string]string{"SESSION_POSTGRES": postgres}, want: [2]string{"", postgres}},
		{env: map[string]string{"SESSION_MYSQL": mysql}, args: []string{"-mysql", "other"}, want: [2]string{"other", ""}},
		{env: map[string]string{"SESSION_POSTGRES": postgres}, args: []string{"-postgres", "other"}, want: [2]string{"", "other"}},
		{env: map[string]string{"SESSION_MYSQL": mysql}, args: []string{"-postgres", "other"}, want: [2]string{"", "other"}},
	} {
		for _, name := range []string{"SESSION_MYSQL", "SESSION_POSTGRES"} {
			t.Setenv(name, c.env[name])
		}
		if opts, err := parse(io.Discard, c.args...); err != nil || [2]string{opts.mysql, opts.postgres} != c.want {
			t.Errorf("%v %q: DSNs %q and %q, error %v; want %q", c.env, c.args, opts.mysql, opts.postgres, err, c.want)
		}
		var help strings.Builder
		if _, err := parse(&help, "-h"); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("error %v; want flag.ErrHelp", err)
		}
		if strings.Contains(help.String(), "secret") {
			t.Errorf("-h shows the DSN:\n%s", help.String())
		}
	}
}

func TestOpenDatabase_ErrorsDoNotShowTheDSN(t *testing.T) {
	for _, c := range []struct {
		opts options
		says string
	}{
		{options{mysql: "app:secret/app"}, "SESSION_MYSQL"},
		{options{mysql: "app:secret@tcp(db.example.com:3306"}, "SESSION_MYSQL"},
		{options{mysql: "app:secret@tcp(db.example.com)/app?tls=nope"}, "SESSION_MYSQL"},
		{options{mysql: "app:secret@tcp(127.0.0.1:1)/app"}, "does not answer"},
		{options{postgres: "postgres://app:secret@db.example.com:port/app"}, "SESSION_POSTGRES"},
		{options{postgres: "postgres://app:secret@db.example.com/app?sslmode=nope"}, "SESSION_POSTGRES"},
		{options{postgres: "postgres://app:sec%ret@db.example.com/secret"}, "SESSION_POSTGRES"},
		{options{postgres: "host=db.example.com password = secret sslmode=nope"}, "SESSION_POSTGRES"},
		{options{postgres: "host=db.example.com password='secret"}, "SESSION_POSTGRES"},
		{options{postgres: "app:secret@tcp(db.example.com)/app"}, "SESSION_POSTGRES"},
		{options{postgres: "postgres://app:secret@127.0.0.1:1/app"}, "does not answer"},
		{options{mysql: "app:secret@tcp(db.example.com)/app", postgres: "postgres://app:secret@db.example.com/app"}, "two databases"},
	} {
		db, err := openDatabase(t.Context(), c.opts)
		if err == nil {
			db.Close()
		}
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: error %v; want one that contains %q, and not the password", c.opts, err, c.says)
		}
	}
}

func TestWrongFlagsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-nope"}, {"stray"}, {"-access-ttl", "soon"}} {
		if _, err := parse(io.Discard, args...); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
	opts := options{addr: "localhost:0", db: filepath.Join(t.TempDir(), "test.db")}
	opts.accessTTL, opts.refreshTTL = 1, 1
	if err := run(t.Context(), opts, io.Discard); err == nil || !strings.Contains(err.Error(), "AccessTTL") {
		t.Errorf("error %v; want the session's own complaint about AccessTTL", err)
	}
}

func TestHelpSaysHowToChangeTheKey(t *testing.T) {
	var help strings.Builder
	if _, err := parse(&help, "-h"); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("error %v; want flag.ErrHelp", err)
	}
	for _, text := range []string{"SIGHUP", "SESSION_KEYS", "SESSION_MYSQL", "SESSION_POSTGRES", "three steps", "-access-ttl"} {
		if !strings.Contains(help.String(), text) {
			t.Errorf("-h does not have %q:\n%s", text, help.String())
		}
	}
}

func TestARestartLogsNobodyOut(t *testing.T) {
	t.Setenv("SESSION_KEYS", "")
	opts, err := parse(t.Output(), "-addr", "localhost:0", "-db", filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{&sessiontest.Browser{Jar: &sessiontest.Jar{}, Transport: &http.Transport{}}, t}
	for restart := range 3 {
		address, stop := start(t, opts)
		b.Origin = address
		if restart == 0 {
			b.login(ada, adaPassword)
		}
		b.get("/devices").shows(t, 200, "This device")
		b.ExpireAccess()
		b.get("/devices").shows(t, 200, "This device")
		stop()
	}
}
