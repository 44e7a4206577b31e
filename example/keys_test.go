package main

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/sessionkit/sessionkit/session"
)

func TestKeysSurviveARestart(t *testing.T) {
	source := keySource{file: keyFileFor(filepath.Join(t.TempDir(), "new", "app.db"))}
	if filepath.Base(source.file) != "app.keys" {
		t.Errorf("the file is %s; want app.keys beside the database", source.file)
	}
	var before []byte
	for start := range 2 {
		if _, err := source.load(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(source.file)
		if err != nil || start > 0 && string(text) != string(before) {
			t.Errorf("start %d: error %v, or another key", start, err)
		}
		before = text
	}
}

func TestAKeyFileThatOthersCanReadIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	source := keySource{file: filepath.Join(t.TempDir(), "app.keys")}
	if _, err := source.load(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(source.file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := source.load(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("error %v; want one that says what to do", err)
	}
}

func TestKeysFromTheEnvironmentLeaveNoFile(t *testing.T) {
	dir := t.TempDir()
	source := keySource{env: session.GenerateKey(), file: filepath.Join(dir, "app.keys")}
	if _, err := source.load(); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%d files, error %v; want none", len(entries), err)
	}
	source.env = "too short"
	if _, err := source.load(); err == nil || !strings.Contains(err.Error(), "SESSION_KEYS") {
		t.Errorf("error %v; want one that names SESSION_KEYS", err)
	}
}

func TestAKeyIsChangedInThreeStepsAndNobodyIsLoggedOut(t *testing.T) {
	a, server := testServer(t)
	source := keySource{file: filepath.Join(t.TempDir(), "app.keys")}
	old, fresh := session.GenerateKey(), session.GenerateKey()
	step := func(keys ...string) {
		t.Helper()
		if err := os.WriteFile(source.file, []byte(strings.Join(keys, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := source.reload(a.sessions); err != nil {
			t.Fatal(err)
		}
	}
	step(old)
	before := newBrowser(t, server)
	before.login(ada, adaPassword)
	step(old, fresh)
	before.get("/devices").shows(t, 200)
	step(fresh, old)
	before.get("/devices").shows(t, 200)
	after := newBrowser(t, server)
	after.login(grace, gracePassword)
	step(fresh)
	after.get("/devices").shows(t, 200)
	// This browser did not get the 30 days that the third step must wait.
	before.get("/devices").leadsTo(t, "/login?next=%2Fdevices")

	// A mistake in the file changes nothing.
	for name, text := range map[string]string{
		"no key":        "# to do\n",
		"half a key":    fresh[:20],
		"no file":       "",
		"an empty file": "\n",
		"one key twice": fresh + "\n" + fresh,
	} {
		if err := os.RemoveAll(source.file); err != nil {
			t.Fatal(err)
		}
		if name != "no file" {
			if err := os.WriteFile(source.file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := source.reload(a.sessions)
		if err == nil || strings.Contains(err.Error(), fresh[:20]) {
			t.Errorf("%s: error %v; want one that shows no key", name, err)
		}
		after.get("/devices").shows(t, 200)
		if _, err := os.Stat(source.file); name == "no file" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a new one was created (error %v), which logs everybody out", name, err)
		}
	}
}

func TestSIGHUPReloadsTheKeys(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such signal")
	}
	t.Setenv("SESSION_KEYS", "")
	lines := captureLog(t)
	db := filepath.Join(t.TempDir(), "app.db")
	address := started(t, "-db", db)
	if err := os.WriteFile(keyFileFor(db), []byte(session.GenerateKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	hangUp(t)
	lines.waitFor(t, "keys reloaded")
	response, err := http.Get(address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}

func TestSIGHUPSaysThatTheEnvironmentStays(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such signal")
	}
	t.Setenv("SESSION_KEYS", session.GenerateKey())
	lines := captureLog(t)
	started(t)
	hangUp(t)
	lines.waitFor(t, "SESSION_KEYS: restart this process")
}

func hangUp(t *testing.T) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}
