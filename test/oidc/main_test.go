package oidc

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

func TestMain(m *testing.M) {
	if _, err := os.Stat(filepath.Join("node_modules", ".package-lock.json")); err != nil {
		fmt.Fprintln(os.Stderr, "Node's oidc-provider is not installed: run make deps, or here: npm ci --ignore-scripts")
		os.Exit(1)
	}
	// The library of zitadel writes each refusal to the log, and the tests provoke many.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}
