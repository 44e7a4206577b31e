package main

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// keyFile is a file of keys in the volume of a secret. The kubelet writes a changed secret into a
// new folder, and then lets the symlink ..data lead there. So the content changes as a whole, and
// the file that was open stays as it was: to read the path again is all that is needed.
type keyFile struct {
	name   string
	log    *slog.Logger
	report func(names []string, fault error) // tells what is in use, and why the file is not

	text  string   // the content in use
	names []string // of its keys, which are no secrets: see session.Keys.Names
	fault string   // of the file now; empty: its content is in use
}

// load reads the keys for the start, which fails without them.
func (f *keyFile) load() (session.Keys, error) {
	keys, text, err := f.read()
	if err != nil {
		return keys, err
	}
	f.text, f.names = text, keys.Names()
	f.report(f.names, nil)
	f.log.Info("keys loaded", "keys", f.names)
	return keys, nil
}

func (f *keyFile) read() (session.Keys, string, error) {
	text, err := os.ReadFile(f.name)
	if err != nil {
		return session.Keys{}, "", err
	}
	keys, err := session.ParseKeys(string(text))
	return keys, string(text), err
}

// watch gives the keys to the Manager whenever the file changes, until ctx ends.
func (f *keyFile) watch(ctx context.Context, sessions *session.Manager, every time.Duration) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			f.refresh(sessions.SetKeys)
		}
	}
}

// refresh reads the file once. The keys in use stay if the file is gone, empty or faulty: a mistake
// logs nobody out.
func (f *keyFile) refresh(setKeys func(session.Keys) error) {
	keys, text, err := f.read()
	if err == nil && text != f.text {
		err = setKeys(keys)
	}
	if err != nil {
		f.report(f.names, err)
		if f.fault != err.Error() { // once, not every few seconds
			f.fault = err.Error()
			f.log.Error("the keys in use stay: the file of the keys is faulty", "keys", f.names, "error", err)
		}
		return
	}
	if text != f.text {
		before := f.names
		f.text, f.names = text, keys.Names()
		level, what := judge(before, f.names)
		f.log.Log(context.Background(), level, what, "before", before, "keys", f.names)
	} else if f.fault != "" {
		f.log.Info("the file of the keys is good again", "keys", f.names)
	}
	f.fault = ""
	f.report(f.names, nil)
}

// judge says what a change of the keys means. Each pod sees the change at a time of its own, up to
// a minute or two apart, so a key must open cookies everywhere before it seals any.
func judge(before, after []string) (slog.Level, string) {
	switch {
	case !slices.ContainsFunc(after, func(key string) bool { return slices.Contains(before, key) }):
		return slog.LevelWarn, "keys changed: none of the old ones is left, so everybody logs in again"
	case !slices.Contains(before, after[0]):
		return slog.LevelWarn, "keys changed: the first one is new, and pods that do not have it yet ignore its cookies; add a key last, and move it first when all pods have it"
	default:
		return slog.LevelInfo, "keys changed"
	}
}
