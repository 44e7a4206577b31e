package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/sessionkit/sessionkit/test/internal/moduleproxy"
)

// verify returns every fault of the tags of a version in repo. It trusts nothing that
// made them. It leaves the work tree at the commit of the core.
func verify(ctx context.Context, proxy *moduleproxy.Proxy, repo, version string) error {
	core := moduleproxy.Module{}
	if !hasTag(ctx, repo, core.Tag(version)) {
		return fmt.Errorf("%s is not tagged: the core is tagged first", core.Tag(version))
	}
	if _, err := moduleproxy.Git(ctx, repo, "checkout", "-q", "--detach", core.Tag(version)); err != nil {
		return err
	}
	nested, err := moduleproxy.Nested(repo)
	if err != nil {
		return err
	}
	changelog, err := moduleproxy.Git(ctx, repo, "show", core.Tag(version)+":CHANGELOG.md")
	if err == nil && !hasHeading(changelog, version) {
		err = fmt.Errorf("%s: CHANGELOG.md has no heading for it", version)
	}
	faults := []error{err}
	for _, m := range append([]moduleproxy.Module{core}, nested...) {
		if err := verifyTag(ctx, proxy, repo, version, m); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", m.Tag(version), err))
		}
	}
	_, err = moduleproxy.Git(ctx, repo, "checkout", "-q", "--detach", core.Tag(version))
	return errors.Join(append(faults, err)...)
}

func hasTag(ctx context.Context, repo, tag string) bool {
	_, err := moduleproxy.Git(ctx, repo, "rev-parse", "-q", "--verify", "refs/tags/"+tag)
	return err == nil
}

// verifyTag returns the faults of one module's tag.
func verifyTag(ctx context.Context, proxy *moduleproxy.Proxy, repo, version string, m moduleproxy.Module) error {
	tag := m.Tag(version)
	if !hasTag(ctx, repo, tag) {
		return errors.New("is not tagged")
	}
	mod, err := moduleproxy.ReadGoMod(ctx, repo, tag, m)
	if err != nil {
		return err
	}
	var faults []error
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if mod.Module == nil || mod.Module.Mod.Path != m.Path() {
		wrong("the module path is not %s", m.Path())
	}
	for _, r := range mod.Replace {
		wrong("go.mod replaces %s", r.Old.Path)
	}
	if m.Dir != "" {
		switch required := requiredCore(mod); {
		case !hasTag(ctx, repo, required):
			wrong("it requires %s %s, which has no tag: the core is tagged first", moduleproxy.Core, required)
		case required != version:
			wrong("it requires %s %s; want %s", moduleproxy.Core, required, version)
		}
		faults = append(faults, verifyCommit(ctx, repo, version, m))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if _, err := moduleproxy.Git(ctx, repo, "checkout", "-q", "--detach", tag); err != nil {
		return err
	}
	dir := filepath.Join(repo, filepath.FromSlash(m.Dir))
	if _, err := proxy.Go(ctx, dir, "mod", "tidy", "-diff"); err != nil {
		return fmt.Errorf("go.mod and go.sum are not tidy: %w", err)
	}
	_, err = proxy.Go(ctx, dir, "vet", "./...") // its tests, too, compile with the core that is tagged
	return err
}

// requiredCore returns the version of the core that a module requires, or "none".
func requiredCore(mod *modfile.File) string {
	for _, r := range mod.Require {
		if r.Mod.Path == moduleproxy.Core {
			return r.Mod.Version
		}
	}
	return "none"
}

// verifyCommit returns an error unless the commit of a nested module follows that of the
// core, and changes nothing but which core it requires.
func verifyCommit(ctx context.Context, repo, version string, m moduleproxy.Module) error {
	core := moduleproxy.Module{}.Tag(version)
	if _, err := moduleproxy.Git(ctx, repo, "merge-base", "--is-ancestor", core, m.Tag(version)); err != nil {
		return fmt.Errorf("its commit does not follow that of %s", core)
	}
	changed, err := moduleproxy.Git(ctx, repo, "diff", "--name-only", core, m.Tag(version))
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(changed) {
		if !slices.Contains([]string{m.GoMod(), m.GoSum()}, name) {
			return fmt.Errorf("its commit changes %s as well", name)
		}
	}
	return nil
}
