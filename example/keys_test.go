package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session"
)

func TestKeysSurviveARestart(t *testing.T) {
	db := filepath.Join(t.TempDir(), "new", "app.db")
	failed := make(chan error)
	const processes = 8 // at once
	for range processes {
		go func() {
			_, err := loadKeys("", db)
			failed <- err
		}()
	}
	for range processes {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	file := filepath.Join(filepath.Dir(db), "app.keys")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loadKeys("", db); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(file)
	if err != nil || string(after) != string(before) {
		t.Errorf("the key was replaced (error %v)", err)
	}
	entries, err := os.ReadDir(filepath.Dir(db))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files beside the key, error %v; want none", len(entries)-1, err)
	}
}

func TestAKeyFileThatOthersCanReadIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such permissions here")
	}
	db := filepath.Join(t.TempDir(), "app.db")
	if _, err := loadKeys("", db); err != nil {
		t.Fatal(err)
	}
	file := strings.TrimSuffix(db, ".db") + ".keys"
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := loadKeys("", db); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("error %v; want one that says what to do", err)
	}
}

func TestKeysFromTheEnvironmentLeaveNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := loadKeys(session.GenerateKey(), filepath.Join(dir, "app.db")); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%d files, error %v; want none", len(entries), err)
	}
	if _, err := loadKeys("too short", filepath.Join(dir, "app.db")); err == nil || !strings.Contains(err.Error(), "SESSION_KEYS") {
		t.Errorf("error %v; want one that names SESSION_KEYS", err)
	}
}
