package oidc

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
)

// startTour runs example/tour with a provider, as its users run it.
func startTour(t *testing.T, start func(*testing.T, ...registration) provider) (url string, p provider) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // the provider must know the address beforehand
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	listener.Close()
	url = "http://" + address
	p = start(t, registration{id: "tour", secret: "the-secret-of-the-tour", callback: url + "/callback/provider", loggedOut: url + "/", backChannel: url + "/backchannel-logout/provider"})

	program := filepath.Join(t.TempDir(), "tour")
	if out, err := exec.Command("go", "build", "-C", filepath.Join("..", "..", "example"), "-o", program, "./tour").CombinedOutput(); err != nil {
		t.Fatalf("building the tour: %v\n%s", err, out)
	}
	cmd := exec.Command(program, "-addr", address, "-db", filepath.Join(t.TempDir(), "tour.db"), "-oidc", p.issuer()+",tour,the-secret-of-the-tour")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
		defer kill.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the tour: %v", err)
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "post-logout redirect") {
			go io.Copy(io.Discard, out)
			return url, p
		}
	}
	t.Fatalf("the tour has ended: %v", lines.Err())
	return "", nil
}

// A person logs in to the tour with a provider, in Chromium: the cookies, the redirects between
// two sites and the Content-Security-Policy are real.
func TestTour_InChromium(t *testing.T) {
	onEach(t, func(t *testing.T, start func(*testing.T, ...registration) provider) {
		url, p := startTour(t, start)
		tab := chromiumtest.NewDevice(t, url, nil)
		at := func(prefix string) {
			t.Helper()
			tab.Until("the tab shows "+prefix, func() bool {
				got, err := chromiumtest.TryEval[string](tab, `document.readyState + ' ' + location.href`)
				return err == nil && strings.HasPrefix(got, "complete "+prefix)
			})
		}
		giveName := func() {
			t.Helper()
			tab.Until("the provider asks for the name", func() bool {
				ok, err := chromiumtest.TryEval[bool](tab, `document.readyState == 'complete' && document.querySelector('#login input[name=name]') != null`)
				return err == nil && ok
			})
			tab.Fill("#login input[name=name]", "ada")
			tab.Click("#login button")
		}

		tab.Open("/devices")
		tab.Click("#provider")
		giveName()
		at(url + "/devices")

		// A new login, on the page that asks for it.
		tab.Open("/login?reauth=1&next=%2Ftokens")
		tab.Click("#provider")
		giveName()
		at(url + "/tokens")

		// The provider ends its sessions.
		if told := p.endSessions("ada"); told < 1 {
			t.Fatalf("the provider has told %d apps", told)
		}
		tab.Until("the session ends", func() bool {
			status, err := tab.Visit("/api/session")
			return err == nil && status != http.StatusOK || strings.HasPrefix(tab.Path(), "/login")
		})

		// The user logs out, here and there.
		tab.Open("/devices")
		tab.Click("#provider")
		giveName()
		at(url + "/devices")
		tab.Click("form.who button")
		if button := p.confirms(false); button != "" {
			tab.Until("the provider asks", func() bool {
				ok, err := chromiumtest.TryEval[bool](tab, fmt.Sprintf(`(b => { if (b) b.click(); return Boolean(b) })(location.origin != %q && [...document.querySelectorAll('button')].find(b => b.innerText.trim() == %q))`, url, button))
				return err == nil && ok
			})
		}
		at(url + "/")
		if status := tab.Open("/devices"); status != http.StatusOK || !strings.HasPrefix(tab.Path(), "/login") {
			t.Errorf("after the logout: %d, %s", status, tab.Path())
		}
		tab.Click("#provider")
		giveName() // the provider asks again: its own session is over
		at(url + "/devices")
	})
}
