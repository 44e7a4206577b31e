// Package moduleproxy tags the modules of this repository as a release does, and serves
// them to the go command from a folder in the form of GOPROXY=file://...: tests get them
// as users do.
package moduleproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// Core is the path of the core module, whose go.mod is at the root of the repository.
const Core = "github.com/sessionkit/sessionkit"

// Module is a module that users get.
type Module struct {
	Dir string // below the root of the repository, with slashes; "": the core
}

// Path is the path to get and to import the module.
func (m Module) Path() string { return path.Join(Core, m.Dir) }

// Tag is the name of a version's tag.
func (m Module) Tag(version string) string { return path.Join(m.Dir, version) }

// GoMod is the name of the module's go.mod below the root.
func (m Module) GoMod() string { return path.Join(m.Dir, "go.mod") }

// GoSum is the name of the module's go.sum below the root.
func (m Module) GoSum() string { return path.Join(m.Dir, "go.sum") }

// Nested returns the published modules besides the core: every go.mod below assertion, oidc, metrics,
// middleware and cmd.
func Nested(root string) (nested []Module, err error) {
	for _, tree := range []string{"assertion", "oidc", "metrics", "middleware", "cmd"} {
		err := fs.WalkDir(os.DirFS(root), tree, func(name string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && name == tree {
				return nil
			}
			if err == nil && !d.IsDir() && d.Name() == "go.mod" {
				nested = append(nested, Module{Dir: path.Dir(name)})
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return nested, nil
}

// ReadGoMod parses the go.mod of a module at a revision of repo.
func ReadGoMod(ctx context.Context, repo, revision string, m Module) (*modfile.File, error) {
	text, err := Git(ctx, repo, "show", revision+":"+m.GoMod())
	if err != nil {
		return nil, err
	}
	return modfile.Parse(revision+":"+m.GoMod(), []byte(text+"\n"), nil)
}

// Git runs git in a folder and returns its output without the last line break.
func Git(ctx context.Context, dir string, args ...string) (string, error) {
	return run(exec.CommandContext(ctx, "git", args...), dir)
}

func run(cmd *exec.Cmd, dir string) (string, error) {
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s in %s: %w\n%s%s", filepath.Base(cmd.Path), strings.Join(cmd.Args[1:], " "), dir, err, &stdout, &stderr)
	}
	return strings.TrimRight(stdout.String(), "\n"), nil
}
