package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

var (
	chromium    context.Context // the running browser: the parent context of every tab
	nginx       string          // its program
	certificate tls.Certificate // of nginx, and of the servers without it
	trusted     *x509.CertPool  // holds the certificate
	uploads     string          // the folder of the files to upload
	report      rows            // what the browser saw
)

// full repeats each upload, also the longest ones, six times.
var full = flag.Bool("full", false, "repeat each upload six times")

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "proxy tests:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if nginx, err = findNginx(); err != nil {
		return 1, err
	}
	if certificate, trusted, err = newCertificate(); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "sessionkit-proxy-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	uploads = dir
	if err := writeUploads(); err != nil {
		return 1, err
	}
	ctx, stop, err := startChromium(filepath.Join(dir, "profile"))
	if err != nil {
		return 1, err
	}
	defer stop()
	chromium = ctx
	defer report.print()
	return m.Run(), nil
}

// startChromium starts a headless Chromium with a new profile.
func startChromium(profile string) (context.Context, context.CancelFunc, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, nil, fmt.Errorf("%w: install it, on Debian with: apt-get install --no-install-recommends chromium", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.NoSandbox, // the sandbox does not work for root
		chromedp.DisableGPU,
		chromedp.IgnoreCertErrors, // the certificate is self-signed
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	if _, err := chromedp.CallBrowser(ctx, browser.GetVersion, cdp.Empty{}); err != nil {
		cancel()
		return nil, nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return ctx, func() {
		if err := chromedp.Cancel(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the browser:", err)
		}
		cancel()
	}, nil
}

// rows are lines of tables, as the page has them. They are safe for concurrent use.
type rows struct {
	mu    sync.Mutex
	lines map[string][]string // by table
}

// add adds a row to a table and returns it.
func (r *rows) add(table string, cells ...string) string {
	line := "| " + strings.Join(cells, " | ") + " |"
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lines == nil {
		r.lines = map[string][]string{}
	}
	r.lines[table] = append(r.lines[table], line)
	return line
}

func (r *rows) print() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, table := range slices.Sorted(maps.Keys(r.lines)) {
		fmt.Println(table)
		slices.Sort(r.lines[table])
		for _, line := range r.lines[table] {
			fmt.Println(line)
		}
	}
}
