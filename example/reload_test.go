package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/sessionkit/sessionkit/session"
)

func TestAKeyIsChangedInThreeStepsAndNobodyIsLoggedOut(t *testing.T) {
	a, server := testServer(t)
	db := filepath.Join(t.TempDir(), "app.db")
	old, fresh := session.GenerateKey(), session.GenerateKey()
	step := func(keys ...string) {
		t.Helper()
		if err := os.WriteFile(keyFile(db), []byte(strings.Join(keys, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := reloadKeys(a.sessions, "", db); err != nil {
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
	// The time to wait before the third step is what this one did not have.
	before.get("/devices").leadsTo(t, "/login?next=%2Fdevices")

	// A slip in the file changes nothing.
	for name, spoil := range map[string]func() error{
		"no key":           func() error { return os.WriteFile(keyFile(db), []byte("# to do\n"), 0o600) },
		"half a key":       func() error { return os.WriteFile(keyFile(db), []byte(fresh[:20]), 0o600) },
		"no file":          func() error { return nil },
		"an empty file":    func() error { return os.WriteFile(keyFile(db), nil, 0o600) },
		"one key twice":    func() error { return os.WriteFile(keyFile(db), []byte(fresh+"\n"+fresh), 0o600) },
		"read by everyone": func() error { return os.WriteFile(keyFile(db), []byte(old), 0o600) },
	} {
		if err := os.RemoveAll(keyFile(db)); err != nil {
			t.Fatal(err)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if name == "read by everyone" {
			if runtime.GOOS == "windows" {
				continue // no such permissions there
			}
			if err := os.Chmod(keyFile(db), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		err := reloadKeys(a.sessions, "", db)
		if err == nil || strings.Contains(err.Error(), fresh[:20]) {
			t.Errorf("%s: error %v; want one that shows no key", name, err)
		}
		after.get("/devices").shows(t, 200)
		if _, err := os.Stat(keyFile(db)); name == "no file" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a new one was made (error %v): it would log everybody out", name, err)
		}
	}
}

func TestKeysFromTheEnvironmentAreNotReloaded(t *testing.T) {
	a, server := testServer(t)
	b := newBrowser(t, server)
	b.login(ada, adaPassword)
	if err := reloadKeys(a.sessions, session.GenerateKey(), ""); !errors.Is(err, errKeysFromEnv) {
		t.Errorf("error %v; want errKeysFromEnv", err)
	}
	b.get("/devices").shows(t, 200)
}

// lockedLog is written to by the app's goroutines.
type lockedLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
	got chan struct{} // closed by the first line that has the text
	of  string
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	if l.of != "" && strings.Contains(l.buf.String(), l.of) {
		close(l.got)
		l.of = ""
	}
	return len(p), nil
}

// logged returns a channel that is closed when a line has the text.
func logged(t *testing.T, text string) <-chan struct{} {
	t.Helper()
	lines := &lockedLog{got: make(chan struct{}), of: text}
	before, to, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(slog.NewTextHandler(lines, nil)))
	t.Cleanup(func() {
		slog.SetDefault(before)
		log.SetOutput(to) // SetDefault has changed this, and does not change it back
		log.SetFlags(flags)
	})
	return lines.got
}

func TestSIGHUPReloadsTheKeys(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such signal there")
	}
	t.Setenv("SESSION_KEYS", "")
	db := filepath.Join(t.TempDir(), "app.db")
	address := started(t, "-db", db)
	reloaded := logged(t, "keys reloaded")
	if err := os.WriteFile(keyFile(db), []byte(session.GenerateKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	hangUp(t)
	<-reloaded
	response, err := http.Get(address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}

func TestSIGHUPSaysThatTheEnvironmentStays(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such signal there")
	}
	t.Setenv("SESSION_KEYS", session.GenerateKey())
	started(t)
	said := logged(t, "SESSION_KEYS")
	hangUp(t)
	<-said
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

// Without a terminal, as under a service manager, every hangup is a word to
// reload; so is one whose terminal is still there.
func TestAHangupReloadsUnlessTheTerminalIsGone(t *testing.T) {
	for _, c := range []struct {
		name         string
		fromTerminal bool
		stops        bool
	}{
		{"no terminal", false, false},
		{"a terminal", true, !hasTerminal()}, // to this process it is gone, if there was one
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.Background())
				h := &hangups{signals: make(chan os.Signal, 1), fromTerminal: c.fromTerminal}
				var reloads, stops int
				go h.watch(ctx, func() { reloads++ }, func() { stops++ })
				h.signals <- syscall.SIGHUP
				synctest.Wait()
				if c.stops && (reloads != 0 || stops != 1) || !c.stops && (reloads != 1 || stops != 0) {
					t.Errorf("%d reloads, %d stops", reloads, stops)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

func TestHelpSaysHowToChangeTheKey(t *testing.T) {
	var said strings.Builder
	if _, err := parseOptions([]string{"-h"}, &said); err == nil {
		t.Error("-h is no error, and main would go on")
	}
	for _, text := range []string{"SIGHUP", "SESSION_KEYS", "three steps", "-access-ttl"} {
		if !strings.Contains(said.String(), text) {
			t.Errorf("-h does not say %q:\n%s", text, said.String())
		}
	}
}
