package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/sessionkit/sessionkit/test/internal/moduleproxy"
)

// prove gets a module from an empty folder, as a user does, and builds a program that
// imports all its packages. It installs the module's own programs, and asks each for its help.
// It returns how many packages and programs these are.
func prove(ctx context.Context, proxy *moduleproxy.Proxy, dir string, m moduleproxy.Module, version string) (packages int, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	if _, err := proxy.Go(ctx, dir, "mod", "init", "example.com/app"); err != nil {
		return 0, err
	}
	if _, err := proxy.Go(ctx, dir, "get", m.Path()+"@"+version); err != nil {
		return 0, err
	}
	// -e, because the module alone does not bring the checksums of what its packages import.
	listed, err := proxy.Go(ctx, dir, "list", "-e", "-f", "{{.Name}} {{.ImportPath}}", m.Path()+"/...")
	if err != nil {
		return 0, err
	}
	var imports strings.Builder
	for line := range strings.Lines(listed) {
		name, imported, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.Contains(imported+"/", "/internal/") {
			continue
		}
		packages++
		if name != "main" {
			fmt.Fprintf(&imports, "import _ %q\n", imported)
		} else if err := install(ctx, proxy, dir+"-install", imported, version); err != nil {
			return 0, err
		}
	}
	if packages == 0 {
		return 0, fmt.Errorf("it has no package that a user can import:\n%s", listed)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\n"+imports.String()+"\nfunc main() {}\n"), 0o600); err != nil {
		return 0, err
	}
	if _, err := proxy.Go(ctx, dir, "mod", "tidy"); err != nil {
		return 0, err
	}
	_, err = proxy.Go(ctx, dir, "build", "-o", os.DevNull, ".")
	return packages, err
}

// install installs a program from an empty folder, and runs it.
func install(ctx context.Context, proxy *moduleproxy.Proxy, dir, program, version string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if _, err := proxy.Go(ctx, dir, "install", program+"@"+version); err != nil {
		return err
	}
	bin, err := proxy.Go(ctx, dir, "env", "GOBIN")
	if err != nil {
		return err
	}
	help := proxy.Command(ctx, filepath.Join(bin, path.Base(program)), "-h")
	help.Dir = dir
	if out, err := help.CombinedOutput(); err != nil {
		return fmt.Errorf("%s -h, after go install: %w\n%s", path.Base(program), err, out)
	}
	return nil
}
