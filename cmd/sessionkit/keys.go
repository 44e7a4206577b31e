package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

const (
	// maxKeys is how many keys session.ParseKeys accepts.
	maxKeys = 3

	// maxKeyText bounds what is read as keys.
	maxKeyText = 64 << 10

	// longestRefresh is the longest refresh lifetime of an app with the defaults, that of a login with Remember.
	longestRefresh = 30 * 24 * time.Hour
)

// keyNew prints a key.
func keyNew(_ context.Context, i *invocation) error {
	key := session.GenerateKey()
	if i.json {
		return printJSON(i.out, map[string]string{"key": key})
	}
	fmt.Fprintln(i.out, key)
	return nil
}

// keyCheck says whether keys are good. It prints none.
//
// The names are those that apps log, and that the audit log has: see session.Keys.Names.
func keyCheck(_ context.Context, i *invocation) error {
	source, text := "the standard input", ""
	switch {
	case i.given["file"]:
		source = i.file
		content, err := os.ReadFile(i.file)
		if err != nil {
			return err
		}
		text = string(content)
	case i.getenv("SESSION_KEYS") != "":
		source, text = "SESSION_KEYS", i.getenv("SESSION_KEYS")
	default:
		content, err := io.ReadAll(io.LimitReader(i.in, maxKeyText))
		if err != nil {
			return err
		}
		text = string(content)
	}
	keys, err := session.ParseKeys(text)
	if err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	names := keys.Names()
	if i.json {
		return printJSON(i.out, checkedKeys{len(names), names})
	}
	fmt.Fprintf(i.out, "%s: %s, good: %s\n", printable(source), count(len(names), "key"), strings.Join(names, ", "))
	return nil
}

// checkedKeys is what key check prints as JSON.
type checkedKeys struct {
	Keys  int      `json:"keys"`
	Names []string `json:"names"`
}

// splitKeys separates keys as session.ParseKeys does.
func splitKeys(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r <= ' ' })
}

// A rotation is a change of the keys of a file. Each step is safe once all nodes have made the one before.
type rotation struct {
	apply func(i *invocation, keys []string, changed time.Time) ([]string, error)
	does  string
	next  string
}

var rotations = map[string]rotation{
	"add": {
		does: "adds a new key last, which opens cookies",
		next: "give the file to all nodes, let them load it, and then use the new key: -step use",
		apply: func(_ *invocation, keys []string, _ time.Time) ([]string, error) {
			if len(keys) >= maxKeys {
				return nil, fmt.Errorf("there are %d keys, and no more are allowed: drop one first", len(keys))
			}
			return append(keys, session.GenerateKey()), nil
		},
	},
	"use": {
		does: "moves the last key first, which seals cookies from then on",
		next: "give the file to all nodes, let them load it, and drop the old key when the event old-key no longer occurs: -step drop",
		apply: func(_ *invocation, keys []string, _ time.Time) ([]string, error) {
			if len(keys) < 2 {
				return nil, errors.New("there is one key only, which is in use: add a new one first, with -step add")
			}
			return slices.Concat(keys[len(keys)-1:], keys[:len(keys)-1]), nil
		},
	},
	"drop": {
		does: "drops the last key, and logs out whoever has cookies of that key only",
		next: "give the file to all nodes",
		apply: func(i *invocation, keys []string, changed time.Time) ([]string, error) {
			if len(keys) < 2 {
				return nil, errors.New("there is one key only, which seals the cookies: without it everybody is logged out; add a new one first, with -step add")
			}
			if age := time.Since(changed); age < longestRefresh && !i.unused {
				return nil, fmt.Errorf("the last step was %s ago, and cookies of the old key live for up to %d days: "+
					"if the event old-key no longer occurs on any node, pass -unused", age.Round(time.Second), int(longestRefresh.Hours()/24))
			}
			return keys[:len(keys)-1], nil
		},
	},
}

// keyRotate makes one step of a change of the key: see session.Manager.SetKeys.
func keyRotate(_ context.Context, i *invocation) error {
	step, known := rotations[i.step]
	if i.file == "" || !known {
		return usageError("key rotate needs -file FILE and -step add, use or drop")
	}
	name, err := filepath.EvalSymlinks(i.file) // or the link would be replaced, not the file
	if err != nil {
		return err
	}
	if err := i.confirm(step.does + ", in " + name); err != nil {
		return err
	}
	n, err := i.rewriteKeys(name, step)
	if err != nil {
		return err
	}
	fmt.Fprintf(i.out, "done: %s now has %s\nnext: %s\n", printable(name), count(n, "key"), step.next)
	return nil
}

// rewriteKeys replaces the file as a whole: whoever reads it meanwhile sees the keys before or after, never a part of
// them. The name of the new file is always the same, so a second rotation at the same time fails.
func (i *invocation) rewriteKeys(name string, step rotation) (n int, err error) {
	temporary := name + ".new"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return 0, fmt.Errorf("%s exists: another rotation is running, or was interrupted; in the second case remove that file, whose keys no node has", temporary)
	}
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			os.Remove(temporary)
		}
	}()
	defer f.Close()

	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	if info.Mode().Perm()&0o007 != 0 {
		fmt.Fprintf(i.err, "warning: every user of this machine can read or write %s: run chmod 600 on it\n", printable(name))
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	if _, err := session.ParseKeys(string(text)); err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	keys, err := step.apply(i, splitKeys(string(text)), info.ModTime())
	if err != nil {
		return 0, err
	}
	content := strings.Join(keys, "\n") + "\n"
	if _, err := session.ParseKeys(content); err != nil {
		return 0, err
	}
	if _, err := f.WriteString(content); err != nil {
		return 0, err
	}
	// The app reads the file, perhaps by another account than this one.
	if err := keepOwner(f, info); err != nil {
		return 0, fmt.Errorf("%s has another owner, and its copy cannot be given to it: run this as that owner or as root: %w", name, err)
	}
	if err := f.Chmod(info.Mode().Perm()); err != nil {
		return 0, err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	if err := os.Rename(temporary, name); err != nil {
		return 0, err
	}
	return len(keys), syncFolder(filepath.Dir(name))
}
