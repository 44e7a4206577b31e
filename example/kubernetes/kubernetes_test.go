package main

import (
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// The processes are tested in test/kubernetes, on a database that is killed.

func parse(args ...string) (options, error) {
	flags := flag.NewFlagSet("kubernetes", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return parseFlags(flags, args)
}

func TestParseFlags(t *testing.T) {
	o, err := parse("-pause=1s", "-grace=2s")
	if err != nil || o.pause != time.Second || o.grace != 2*time.Second || o.every != 2*time.Second {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{{"-nope"}, {"stray"}, {"-every=0s"}, {"-pause=-1s"}, {"-grace=0s"}} {
		if _, err := parse(args...); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		before, after string
		level         slog.Level
	}{
		{"a", "a b", slog.LevelInfo},
		{"a b", "b a", slog.LevelInfo},
		{"b a", "b", slog.LevelInfo},
		{"a", "b a", slog.LevelWarn},
		{"a", "b", slog.LevelWarn},
		{"a b", "c", slog.LevelWarn},
	} {
		if level, what := judge(strings.Fields(c.before), strings.Fields(c.after)); level != c.level || what == "" {
			t.Errorf("from %q to %q: %v, %q; want %v", c.before, c.after, level, what, c.level)
		}
	}
}

func namesOf(t *testing.T, text string) []string {
	t.Helper()
	keys, err := session.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys.Names()
}

// A Manager that refuses keys is as a faulty file: the next look tries again.
func TestKeyFile_TriesAgainWhatTheManagerRefuses(t *testing.T) {
	name := filepath.Join(t.TempDir(), "keys")
	first, second := session.GenerateKey(), session.GenerateKey()
	write := func(text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(first)
	var inUse []string
	var fault error
	f := &keyFile{name: name, log: slog.New(slog.DiscardHandler), report: func(names []string, err error) { inUse, fault = names, err }}
	if _, err := f.load(); err != nil {
		t.Fatal(err)
	}
	write(first + "\n" + second)
	refused := errors.New("refused")
	f.refresh(func(session.Keys) error { return refused })
	if !errors.Is(fault, refused) || !slices.Equal(inUse, namesOf(t, first)) {
		t.Errorf("in use are %q, %v; want the key before, and the fault", inUse, fault)
	}
	calls := 0
	for range 2 {
		f.refresh(func(session.Keys) error { calls++; return nil })
	}
	if calls != 1 || fault != nil || !slices.Equal(inUse, namesOf(t, first+" "+second)) {
		t.Errorf("%d calls, in use are %q, %v; want one call and both keys", calls, inUse, fault)
	}
}

func TestHealth_TellsThreeStates(t *testing.T) {
	h := newHealth()
	expect := func(status string, code int) {
		t.Helper()
		if report, got := h.readiness(); report.Status != status || got != code {
			t.Errorf("%+v, %d; want %s, %d", report, got, status, code)
		}
	}
	expect("not ready", http.StatusServiceUnavailable)
	h.setStage(serving)
	expect("ready", http.StatusOK)
	h.observe(session.Event{Kind: session.EventStoreError}) // one statement, not the database
	expect("ready", http.StatusOK)
	h.observe(session.Event{Kind: session.EventStoreDown})
	expect("store down", http.StatusOK)
	h.setStage(stopping)
	expect("not ready", http.StatusServiceUnavailable)
	h.observe(session.Event{Kind: session.EventStoreBack})
	h.setStage(serving)
	expect("ready", http.StatusOK)
}

func TestOpenDatabase_ErrorsDoNotShowTheDSN(t *testing.T) {
	for _, dsn := range []string{"app:secret/app", "app:secret@tcp(db.example.com:3306", "app:secret@tcp(db.example.com)/app?tls=nope"} {
		name := filepath.Join(t.TempDir(), "dsn")
		if err := os.WriteFile(name, []byte(dsn), 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := openDatabase(name)
		if err == nil {
			db.Close()
		}
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v; want an error without the password", dsn, err)
		}
	}
}
