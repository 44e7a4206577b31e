package moduleproxy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
)

// Tag tags a version of all published modules in repo, whose tree is clean, and adds
// them to the proxy. It returns them in their order: the core comes first, because
// the checksums of the others name it.
//
// During development a nested module replaces the core by the folder above it, because the
// core's next version does not exist yet. So a nested module is tagged at a commit of
// its own, which no branch contains: there it requires the core's version.
func (p *Proxy) Tag(ctx context.Context, repo, version string) (published []Module, err error) {
	nested, err := Nested(repo)
	if err != nil {
		return nil, err
	}
	core, err := Git(ctx, repo, "rev-parse", "HEAD")
	if err != nil {
		return nil, err
	}
	published = append([]Module{{}}, nested...)
	for _, m := range published {
		if m.Dir != "" {
			if err := p.commitForRelease(ctx, repo, core, version, m); err != nil {
				return nil, err
			}
		}
		if _, err := Git(ctx, repo, "tag", "-a", "-m", m.Path()+" "+version, m.Tag(version)); err != nil {
			return nil, err
		}
		if err := p.add(ctx, repo, m.Tag(version), m, version); err != nil {
			return nil, err
		}
	}
	_, err = Git(ctx, repo, "checkout", "-q", "--detach", core)
	return published, err
}

// commitForRelease makes the commit of a nested module whose parent is that of the core.
func (p *Proxy) commitForRelease(ctx context.Context, repo, core, version string, m Module) error {
	if _, err := Git(ctx, repo, "checkout", "-q", "--detach", core); err != nil {
		return err
	}
	if err := requireCore(filepath.Join(repo, filepath.FromSlash(m.GoMod())), version); err != nil {
		return err
	}
	dir := filepath.Join(repo, filepath.FromSlash(m.Dir))
	if _, err := p.Go(ctx, dir, "mod", "tidy"); err != nil {
		return err
	}
	if _, err := Git(ctx, repo, "add", m.GoMod(), m.GoSum()); err != nil {
		return err
	}
	_, err := Git(ctx, repo, "commit", "-q", "--allow-empty", "-m", fmt.Sprintf("%s: %s requires %s %s", m.Dir, version, Core, version))
	return err
}

// requireCore makes a go.mod require a version of the core in place of a folder.
func requireCore(name, version string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	mod, err := modfile.Parse(name, text, nil)
	if err != nil {
		return err
	}
	if err := mod.DropReplace(Core, ""); err != nil {
		return err
	}
	if err := mod.AddRequire(Core, version); err != nil {
		return err
	}
	mod.Cleanup()
	text, err = mod.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o600)
}
