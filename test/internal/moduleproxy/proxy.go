package moduleproxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// Proxy is a folder with modules in the form of the GOPROXY protocol, and an environment
// of the go command that takes these modules from it. All other modules come from the
// user's module cache, or from where the user's go command takes them.
type Proxy struct {
	modules string   // the folder
	env     []string // for the go command
}

// New returns a Proxy without modules. It keeps its files, among them a module cache, in
// an empty folder: the user's cache must never hold a version that is not released.
func New(ctx context.Context, dir string) (*Proxy, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	kept := []string{"GOCACHE", "GOSUMDB", "GOTOOLCHAIN"}
	text, err := run(exec.CommandContext(ctx, "go", append([]string{"env", "-json", "GOPROXY", "GOMODCACHE", "GOFLAGS", "GONOSUMDB"}, kept...)...), dir)
	if err != nil {
		return nil, err
	}
	var user map[string]string
	if err := json.Unmarshal([]byte(text), &user); err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	p := &Proxy{modules: filepath.Join(dir, "proxy")}
	p.env = append(os.Environ(),
		"GOPROXY="+fileURL(p.modules)+","+fileURL(filepath.Join(user["GOMODCACHE"], "cache", "download"))+","+user["GOPROXY"],
		"GOMODCACHE="+filepath.Join(dir, "modcache"),
		"GOBIN="+filepath.Join(dir, "bin"),
		"GONOSUMDB="+strings.Trim(user["GONOSUMDB"]+","+Core, ","),
		// Tests delete the module cache, and a build for which only its place has changed
		// must come from the build cache.
		"GOFLAGS="+strings.TrimSpace(user["GOFLAGS"]+" -modcacherw -trimpath"),
		"GOWORK=off",
		// GONOPROXY, set by the user or to none, would make the go command take a cached core
		// for the module of each package below it. GOENV is the file that may set it.
		"GOENV=off", "GOPRIVATE=", "GONOPROXY=",
	)
	for _, name := range kept {
		p.env = append(p.env, name+"="+user[name])
	}
	return p, os.Mkdir(p.modules, 0o700)
}

func fileURL(dir string) string {
	slashed := filepath.ToSlash(dir)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // a drive of Windows
	}
	return (&url.URL{Scheme: "file", Path: slashed}).String()
}

// Go runs the go command in a folder and returns its output.
func (p *Proxy) Go(ctx context.Context, dir string, args ...string) (string, error) {
	return run(p.Command(ctx, "go", args...), dir)
}

// Command returns a command with the environment of the Proxy.
func (p *Proxy) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = p.env
	return cmd
}

// add adds a module as it is at a revision of repo.
func (p *Proxy) add(ctx context.Context, repo, revision string, m Module, version string) (err error) {
	mod := module.Version{Path: m.Path(), Version: version}
	escaped, err := module.EscapePath(mod.Path)
	if err != nil {
		return err
	}
	goMod, err := Git(ctx, repo, "show", revision+":"+m.GoMod())
	if err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{version, time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	dir := filepath.Join(p.modules, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{"list": version, version + ".info": string(info), version + ".mod": goMod} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			return err
		}
	}
	archive, err := os.Create(filepath.Join(dir, version+".zip"))
	if err != nil {
		return err
	}
	defer func() {
		if closed := archive.Close(); err == nil {
			err = closed
		}
	}()
	repo, err = filepath.Abs(repo)
	if err != nil {
		return err
	}
	return zip.CreateFromVCS(archive, mod, repo, revision, m.Dir)
}
