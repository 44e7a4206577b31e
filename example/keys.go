package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/sessionkit/sessionkit/session"
)

// loadKeys returns the keys in env, the text of SESSION_KEYS, or else those of a
// file beside the database, which is made on the first start: so a restart logs
// nobody out. Several processes that share sessions must share their keys.
func loadKeys(env, dbFile string) (session.Keys, error) {
	if env != "" {
		keys, err := session.ParseKeys(env)
		if err != nil {
			return session.Keys{}, fmt.Errorf("SESSION_KEYS: %w", err)
		}
		return keys, nil
	}

	path := keyFile(dbFile)
	if err := createKeyFile(path); err != nil {
		return session.Keys{}, err
	}
	keys, err := readKeyFile(path)
	if err != nil {
		return session.Keys{}, fmt.Errorf("%w (without the file the next start makes a new key, and logs everybody out)", err)
	}
	return keys, nil
}

// keyFile is where the keys are that SESSION_KEYS does not say.
func keyFile(dbFile string) string {
	return strings.TrimSuffix(dbFile, filepath.Ext(dbFile)) + ".keys"
}

func readKeyFile(path string) (session.Keys, error) {
	info, err := os.Stat(path)
	if err != nil {
		return session.Keys{}, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return session.Keys{}, fmt.Errorf("%s can be read by others, and with it they can forge sessions: run chmod 600 on it", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return session.Keys{}, err
	}
	keys, err := session.ParseKeys(strings.TrimSpace(string(text)))
	if err != nil {
		return session.Keys{}, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// createKeyFile makes the file unless it is there. It appears whole or not at
// all, and never twice: of two processes that start at once, both end up with
// the same key.
func createKeyFile(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(dir, ".keys-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	_, err = draft.WriteString(session.GenerateKey() + "\n")
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	// Link, unlike Rename, does not replace the file of a faster process.
	switch err := os.Link(draft.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	slog.Info("made a key for the cookies", "file", path)
	return nil
}
