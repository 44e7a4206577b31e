package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/sessionkit/sessionkit/test/internal/moduleproxy"
)

// check returns every reason not to tag a version of the checkout at root.
func check(ctx context.Context, root, version string) error {
	if semver.Canonical(version) != version || version == "" {
		return fmt.Errorf("%q is not a version: write VERSION=v0.1.0", version)
	}
	var faults []error
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if err := module.Check(moduleproxy.Core, version); err != nil {
		wrong("%s is not a version of this module: from v2 on the module path would have to end in /v2: %w", version, err)
	}
	if changed, err := moduleproxy.Git(ctx, root, "status", "--porcelain"); err != nil {
		faults = append(faults, err)
	} else if changed != "" {
		wrong("the tree is not clean: commit these files, or put them away:\n%s", changed)
	}
	if changelog, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md")); err != nil {
		faults = append(faults, err)
	} else if !hasHeading(string(changelog), version) {
		wrong("CHANGELOG.md has no heading for %s: write \"## %s\" and the date above what has changed", version, strings.TrimPrefix(version, "v"))
	}

	nested, err := moduleproxy.Nested(root)
	if err != nil {
		faults = append(faults, err)
	}
	tags, err := moduleproxy.Git(ctx, root, "tag", "--list")
	if err != nil {
		faults = append(faults, err)
	}
	for _, m := range append([]moduleproxy.Module{{}}, nested...) {
		if slices.Contains(strings.Split(tags, "\n"), m.Tag(version)) {
			wrong("the tag %s exists: a version is released once, so choose the next one", m.Tag(version))
		}
		faults = append(faults, checkGoMod(root, m)...)
	}
	return errors.Join(faults...)
}

// checkGoMod returns the faults of a go.mod that the commit for the release does not mend.
func checkGoMod(root string, m moduleproxy.Module) (faults []error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.GoMod())))
	if err != nil {
		return []error{err}
	}
	mod, err := modfile.Parse(m.GoMod(), text, nil)
	if err != nil {
		return []error{err}
	}
	if mod.Module == nil || mod.Module.Mod.Path != m.Path() {
		faults = append(faults, fmt.Errorf("%s names another module than %s", m.GoMod(), m.Path()))
	}
	for _, r := range mod.Replace {
		if r.Old.Path != moduleproxy.Core {
			faults = append(faults, fmt.Errorf("%s replaces %s: users do not get that, so require a version that has what you need", m.GoMod(), r.Old.Path))
		}
	}
	return faults
}

// hasHeading reports whether a changelog has a section of the version, as Keep a Changelog
// writes it, or without brackets, or with the v.
func hasHeading(changelog, version string) bool {
	number := regexp.QuoteMeta(strings.TrimPrefix(version, "v"))
	return regexp.MustCompile(`(?m)^## (\[v?` + number + `\]|v?` + number + `)( |$)`).MatchString(changelog)
}
