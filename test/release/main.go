// Release prepares a version of all published modules: make release VERSION=v0.1.0.
//
// It works on a clone in a temporary folder and changes nothing else. It tags the core, and
// each nested module at a commit of its own that requires this core (see package
// moduleproxy), checks the tags, gets each module from a local proxy as a user does, and
// prints the commands that publish them. docs/releases.md says what a maintainer does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/sessionkit/sessionkit/test/internal/moduleproxy"
)

func main() {
	version := flag.String("version", "", "the `version` to prepare, such as v0.1.0")
	root := flag.String("repository", "..", "the `folder` of the checkout whose commit is released")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := release(ctx, *root, *version); err != nil {
		fmt.Fprintf(os.Stderr, "not released:\n%v\n", err)
		os.Exit(1)
	}
}

// release prepares a version from the checkout at root, and leaves the clone with its
// tags to be pushed.
func release(ctx context.Context, root, version string) (err error) {
	dir, err := os.MkdirTemp("", "sessionkit-release-")
	if err != nil {
		return err
	}
	clone := filepath.Join(dir, "clone")
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	published, err := prepare(ctx, root, version, dir, clone)
	if err != nil {
		return err
	}
	for _, name := range []string{"proxy", "user"} { // what only the proof needed
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	// The clone's origin is the checkout. The maintainer pushes to where that pushes.
	remote := "origin"
	if url, err := moduleproxy.Git(ctx, root, "remote", "get-url", "--push", "origin"); err != nil {
		remote = "REMOTE" // the checkout has no origin
	} else if _, err := moduleproxy.Git(ctx, clone, "remote", "set-url", "origin", url); err != nil {
		return err
	}
	fmt.Printf("\n%s is ready. Publish it with these commands, the core first:\n\n", version)
	for _, m := range published {
		fmt.Printf("    git -C %s push %s refs/tags/%s\n", clone, remote, m.Tag(version))
	}
	fmt.Printf("\nTags that are published never move: Go's checksum database remembers them. Until then, delete %s to start again.\n", dir)
	return nil
}

// prepare makes the clone with the tags, and proves them.
func prepare(ctx context.Context, root, version, dir, clone string) ([]moduleproxy.Module, error) {
	if err := check(ctx, root, version); err != nil {
		return nil, err
	}
	if _, err := moduleproxy.Git(ctx, dir, "clone", "-q", absolute(root), clone); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, "proxy"), 0o700); err != nil {
		return nil, err
	}
	proxy, err := moduleproxy.New(ctx, filepath.Join(dir, "proxy"))
	if err != nil {
		return nil, err
	}
	published, err := proxy.Tag(ctx, clone, version)
	if err != nil {
		return nil, err
	}
	for _, m := range published {
		fmt.Println("tagged", m.Tag(version))
	}
	if err := verify(ctx, proxy, clone, version); err != nil {
		return nil, err
	}
	for _, m := range published {
		packages, err := prove(ctx, proxy, filepath.Join(dir, "user", filepath.FromSlash(m.Dir), "app"), m, version)
		if err != nil {
			return nil, fmt.Errorf("a user cannot get %s %s: %w", m.Path(), version, err)
		}
		fmt.Printf("go get %s@%s, from an empty folder; packages that build: %d\n", m.Path(), version, packages)
	}
	return published, nil
}

func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}
