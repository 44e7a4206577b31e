package main

import (
	"path/filepath"
	"testing"

	"github.com/sessionkit/sessionkit/session"
)

// Migrate must find the app's own table good, at the first start and at the next.
func TestNewApp_MigratesAtTheFirstStartAndAtTheNext(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	for range 2 {
		db, err := openDatabase(t.Context(), options{db: file})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := session.ParseKeys(session.GenerateKey())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newApp(t.Context(), keys, db, options{}, true); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
