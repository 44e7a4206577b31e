package moduleproxy

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Snapshot makes a repository in an empty folder, with one commit: the files of a checkout
// as they are now, committed or not, without those that git ignores.
func Snapshot(ctx context.Context, checkout, dir string) error {
	names, err := Git(ctx, checkout, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.Trim(names, "\x00"), "\x00") {
		if err := copyFile(filepath.Join(checkout, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return Commit(ctx, dir)
}

// Commit makes a repository of a folder, with one commit of all its files.
func Commit(ctx context.Context, dir string) error {
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"config", "user.name", "test"},
		{"config", "user.email", "test@example.com"},
		{"config", "commit.gpgsign", "false"},
		{"config", "tag.gpgsign", "false"},
		{"config", "gc.auto", "0"}, // a process of its own would outlive the test
		{"config", "core.hooksPath", os.DevNull},
		{"add", "--all"},
		{"commit", "-q", "-m", "snapshot"},
	} {
		if _, err := Git(ctx, dir, args...); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted, and not committed
	}
	if err != nil {
		return err
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, text, info.Mode().Perm())
}
