// Package chromiumtest runs tests in headless Chromium.
package chromiumtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// chromium is the running browser: the parent context of every device.
var chromium context.Context

// Run starts Chromium, runs the tests of a package, and stops it. Call it from TestMain.
func Run(m *testing.M) (code int, err error) {
	path, err := find()
	if err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "sessionkit-chromium-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)

	var stop context.CancelFunc
	chromium, stop, err = start(path, filepath.Join(dir, "profile"))
	if err != nil {
		return 1, err
	}
	defer stop()

	// The tests wait most of the time, so more tests than processors may run in parallel.
	// -parallel=1 runs them one by one.
	if p := flag.Lookup("test.parallel"); p != nil && p.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = flag.Set("test.parallel", strconv.Itoa(max(4, runtime.GOMAXPROCS(0))))
	}
	return m.Run(), nil
}

// find returns an error if there is no Chromium. If the tests were skipped, they would seem
// to pass.
func find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no Chromium in PATH: install it, on Debian with: apt-get install --no-install-recommends chromium")
}

// idleFeatures are features of the browser that no test uses. The list replaces that of chromedp,
// from which Translate comes. The others start processes for every device: together these take
// almost half of the processor time.
var idleFeatures = []string{"Translate", "WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "SpareRendererForSitePerProcess"}

func start(path, profile string) (context.Context, context.CancelFunc, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.NoSandbox, // the sandbox does not work for root
		chromedp.DisableGPU,
		chromedp.IgnoreCertErrors, // the certificates of the tests are self-signed
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-features", strings.Join(idleFeatures, ",")),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	version, err := chromedp.CallBrowser(ctx, browser.GetVersion, cdp.Empty{})
	if err != nil {
		cancel()
		return nil, nil, fmt.Errorf("starting %s: %w", path, err)
	}
	fmt.Printf("browser tests run in %s\n", version.Product)
	stop := func() {
		if err := chromedp.Cancel(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the browser:", err)
		}
		cancel()
	}
	return ctx, stop, nil
}
