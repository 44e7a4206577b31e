package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/sessionkit/sessionkit/session"
)

// errKeysFromEnv says that there is nothing to reload.
var errKeysFromEnv = errors.New("the keys are from SESSION_KEYS, which is as it was when this process started: restart it to change them")

// reloadKeys takes the keys from the file once more, and logs how that went. On
// an error those in use stay: a slip in the file logs nobody out. A new file is
// not made here, because that would.
//
// A key is changed in three steps, and after each one every process reloads: the
// new key is added last, so that all can open what it seals; then it is moved
// first, so that it seals; and when the last cookie under the old key has run
// out, after the longest refresh life, that one is removed.
func reloadKeys(sessions *session.Manager, env, dbFile string) error {
	if env != "" {
		slog.Warn("keys not reloaded", "error", errKeysFromEnv)
		return errKeysFromEnv
	}
	path := keyFile(dbFile)
	keys, err := readKeyFile(path)
	if err == nil {
		err = sessions.SetKeys(keys)
	}
	if err != nil {
		slog.Error("keys not reloaded: those in use stay", "error", err)
		return err
	}
	slog.Info("keys reloaded", "file", path)
	return nil
}

// hangups are the SIGHUPs that reach this process. Mostly that is an operator's
// word to reload. But it is the system's, too, when the terminal is closed that
// the process was started from, and then a server that stayed would keep its port
// unseen.
type hangups struct {
	signals      chan os.Signal
	fromTerminal bool
}

func newHangups() *hangups {
	// Asked first: Notify undoes what nohup has set.
	stays := signal.Ignored(syscall.SIGHUP)
	h := &hangups{signals: make(chan os.Signal, 1), fromTerminal: !stays && hasTerminal()}
	signal.Notify(h.signals, syscall.SIGHUP)
	return h
}

// watch acts on hangups until ctx ends.
func (h *hangups) watch(ctx context.Context, reload, stop func()) {
	defer signal.Stop(h.signals)
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.signals:
		}
		if h.fromTerminal && !hasTerminal() {
			stop()
			return
		}
		reload()
	}
}

// hasTerminal says whether this process belongs to a terminal, which it does no
// more once that is closed.
func hasTerminal() bool {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	terminal.Close()
	return true
}
