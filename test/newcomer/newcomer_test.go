package newcomer

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/test/internal/moduleproxy"
	"github.com/sessionkit/sessionkit/test/internal/report"
)

// version is the one that the proxy has.
const version = "v0.1.0"

// A newcomer follows docs/quickstart.md for each framework.
func TestNewcomer_LogsInWithEachFramework(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	documented := quickstart(t)
	checkout := t.TempDir()
	if err := moduleproxy.Snapshot(ctx, "../..", checkout); err != nil {
		t.Fatal(err)
	}
	proxy, err := moduleproxy.New(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proxy.Tag(ctx, checkout, version); err != nil {
		t.Fatal(err)
	}

	var lines strings.Builder
	for _, framework := range frameworks {
		t.Run(framework, func(t *testing.T) {
			began := time.Now()
			result := "FAILED"
			defer func() {
				fmt.Fprintf(&lines, "%-8s %s (%.0f s)\n", framework, result, time.Since(began).Seconds())
			}()
			browse(t, start(ctx, t, build(ctx, t, proxy, documented[framework])))
			if !t.Failed() {
				result = "in an empty folder: go get, vet, test and build; logged in, refreshed, logged out"
			}
		})
	}
	if err := report.Print("what a newcomer gets from the quickstart", lines.String()); err != nil {
		t.Error(err)
	}
}

// build pastes the files into an empty folder, runs the commands, and returns the program.
func build(ctx context.Context, t *testing.T, proxy *moduleproxy.Proxy, g guide) (program string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range g.files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(dir, "app")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	for _, command := range append(g.commands, "go vet ./...", "go build -o "+program+" .") {
		if command == "go run ." {
			continue // start runs it
		}
		if _, err := proxy.Go(ctx, dir, strings.Fields(command)[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	// It is the checkout that is tested, and the go command has added nothing to do.
	goMod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if required := moduleproxy.Core + " " + version + "\n"; !strings.Contains(string(goMod), required) {
		t.Fatalf("go.mod does not require %s:\n%s", required, goMod)
	}
	if unformatted, err := proxy.Command(ctx, "gofmt", "-l", dir).CombinedOutput(); err != nil || len(unformatted) > 0 {
		t.Errorf("gofmt: %v\n%s", err, unformatted)
	}
	return program
}

// start runs a program on a free port of the loopback address until the test ends, and
// returns its origin.
func start(ctx context.Context, t *testing.T, program string) (origin string) {
	t.Helper()
	var output []byte
	for range 3 { // between freePort and the program another process may take the port
		addr := freePort(t)
		log, err := os.Create(filepath.Join(t.TempDir(), "log"))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(ctx, program)
		cmd.Dir, cmd.Env = filepath.Dir(program), append(os.Environ(), "ADDR="+addr, "SESSION_KEYS=")
		cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, diesWithTests()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait() // an error: it was killed, or serves will find that it has ended
		}()
		t.Cleanup(func() {
			_ = cmd.Process.Kill() // an error: it has ended
			<-ended
			log.Close()
		})
		if serves(ctx, "http://"+addr+"/healthz", ended) {
			return "http://" + addr
		}
		if output, err = os.ReadFile(log.Name()); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("the program does not serve:\n%s", output)
	return ""
}

func freePort(t *testing.T) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// serves waits until a page answers. It returns false if the program ends before, or after
// half a minute.
func serves(ctx context.Context, page string, ended <-chan struct{}) bool {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-ended:
			return false
		case <-ctx.Done():
			return false
		case <-again.C:
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
		if err != nil {
			return false
		}
		if answer, err := http.DefaultTransport.RoundTrip(r); err == nil {
			answer.Body.Close()
			return answer.StatusCode == http.StatusOK
		}
	}
}

// browse does what a person does to see whether the login works.
func browse(t *testing.T, origin string) {
	t.Helper()
	b := sessiontest.NewBrowser(nil)
	b.Origin, b.Transport = origin, &http.Transport{ResponseHeaderTimeout: 30 * time.Second, DisableKeepAlives: true}
	admin := b.Clone()

	const page, login = "/?tab=2", "/login?next=%2F%3Ftab%3D2"
	expect(t, "the page, before the login", b.Get(page), http.StatusSeeOther, login, "")
	expect(t, "the login page", b.Get(login), http.StatusOK, "", `<form method="post">`)
	ada := url.Values{"email": {"ada@example.com"}, "password": {"try-it-out"}}
	for _, wrong := range []url.Values{
		{"email": {"ada@example.com"}, "password": {"guessed"}},
		{"email": {"nobody@example.com"}, "password": {"try-it-out"}},
	} {
		expect(t, "a wrong login", b.PostForm(login, wrong), http.StatusUnauthorized, "", "")
	}
	expect(t, "the page, after a wrong login", b.Get(page), http.StatusSeeOther, login, "")

	expect(t, "the login", b.PostForm(login, ada), http.StatusSeeOther, page, "")
	expect(t, "the page", b.Get(page), http.StatusOK, "", "Hello, Ada")
	expect(t, "the admin's page, for another user", b.Get("/admin"), http.StatusForbidden, "", "")

	b.ExpireAccess()
	refreshed := b.Get(page)
	expect(t, "the page, without the access cookie", refreshed, http.StatusOK, "", "Hello, Ada")
	if len(refreshed.Cookies()) == 0 {
		t.Error("the answer without the access cookie sets no new one")
	}

	thief := b.CloneIgnoringExpiry()
	expect(t, "the logout", b.PostForm("/logout", nil), http.StatusSeeOther, "/login", "")
	expect(t, "the page, after the logout", b.Get(page), http.StatusSeeOther, login, "")
	expect(t, "the page, with cookies from before the logout", thief.Get(page), http.StatusSeeOther, login, "")

	grace := url.Values{"email": {"grace@example.com"}, "password": {"try-it-out"}}
	expect(t, "the admin's login", admin.PostForm("/login", grace), http.StatusSeeOther, "/", "")
	expect(t, "the admin's page", admin.Get("/admin"), http.StatusOK, "", "Only admins")
}

func expect(t *testing.T, what string, answer *http.Response, status int, location, text string) {
	t.Helper()
	var body strings.Builder
	if err := answer.Write(&body); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != status || answer.Header.Get("Location") != location || !strings.Contains(body.String(), text) {
		t.Errorf("%s: want %d, Location %q, text %q; got\n%s", what, status, location, text, &body)
	}
}
