package oidc

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
)

func TestMain(m *testing.M) {
	if _, err := os.Stat(filepath.Join("node_modules", ".package-lock.json")); err != nil {
		fmt.Fprintln(os.Stderr, "Node's oidc-provider is not installed: run make deps, or here: npm ci --ignore-scripts")
		os.Exit(1)
	}
	// The library of zitadel writes each refusal to the log, and the tests provoke many.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	code, err := chromiumtest.Run(m)
	log, stopped := nodeJS.stop()
	if err := errors.Join(err, stopped); err != nil {
		fmt.Fprintf(os.Stderr, "Chromium or Node: %v\n", err)
		code = max(code, 1)
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "The providers in Node have written:\n%s", log)
	}
	os.Exit(code)
}
