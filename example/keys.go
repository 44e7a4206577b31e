package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/sessionkit/sessionkit/session"
)

// keySource says where the keys are that seal the cookies. All processes that share
// sessions must share their keys.
type keySource struct {
	env  string // the text of SESSION_KEYS; empty: the file counts
	file string
}

func keyFileFor(dbFile string) string {
	return strings.TrimSuffix(dbFile, filepath.Ext(dbFile)) + ".keys"
}

// load returns the keys for the start. It creates the key file if there is none, so
// that a restart logs nobody out.
func (s keySource) load() (session.Keys, error) {
	if s.env != "" {
		keys, err := session.ParseKeys(s.env)
		if err != nil {
			return keys, fmt.Errorf("SESSION_KEYS: %w", err)
		}
		return keys, nil
	}
	if err := os.MkdirAll(filepath.Dir(s.file), 0o700); err != nil {
		return session.Keys{}, err
	}
	f, err := os.OpenFile(s.file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(session.GenerateKey() + "\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return session.Keys{}, err
	}
	return s.read()
}

func (s keySource) read() (session.Keys, error) {
	info, err := os.Stat(s.file)
	if err != nil {
		return session.Keys{}, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return session.Keys{}, fmt.Errorf("other users can read %s, and forge sessions with it: run chmod 600 on it", s.file)
	}
	text, err := os.ReadFile(s.file)
	if err != nil {
		return session.Keys{}, err
	}
	keys, err := session.ParseKeys(strings.TrimSpace(string(text)))
	if err != nil {
		return keys, fmt.Errorf("%s: %w", s.file, err)
	}
	return keys, nil
}

// reload takes the keys from the file again. On an error the current keys stay, so a
// mistake in the file logs nobody out. It creates no file, for the same reason.
func (s keySource) reload(sessions *session.Manager) error {
	if s.env != "" {
		return errors.New("the keys come from SESSION_KEYS: restart this process to change them")
	}
	keys, err := s.read()
	if err != nil {
		return err
	}
	return sessions.SetKeys(keys)
}

// reloadOnHangup reloads the keys at each SIGHUP, until ctx ends. The system sends one
// too when the terminal of the process is closed. Then it calls stop, or a server
// that nobody sees would keep its port.
func (s keySource) reloadOnHangup(ctx context.Context, sessions *session.Manager, stop func()) {
	fromTerminal := !signal.Ignored(syscall.SIGHUP) && hasTerminal() // nohup ignores it, until Notify
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				if fromTerminal && !hasTerminal() {
					stop()
					return
				}
				if err := s.reload(sessions); err != nil {
					slog.Error("keys not reloaded: the current ones stay", "error", err)
				} else {
					slog.Info("keys reloaded", "file", s.file)
				}
			}
		}
	}()
}

func hasTerminal() bool {
	terminal, err := os.Open("/dev/tty")
	if err == nil {
		terminal.Close()
	}
	return err == nil
}
