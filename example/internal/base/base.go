// Package base has what both apps need and every app has: a database, and a server that stops
// well.
package base

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"
)

// openSQLite opens a file, and creates it. The errors name the flag -db.
func openSQLite(file string) (*sql.DB, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("-db: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("-db: %w", err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600) // SQLite itself would let other users read it
	if err != nil {
		return nil, fmt.Errorf("-db: %w", err)
	}
	f.Close()
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(file), RawQuery: url.Values{
		// Readers do not wait for a writer. Writers wait for each other, but for less
		// time than a request waits for the store.
		"_pragma": {"busy_timeout(1500)", "journal_mode(WAL)"},
	}.Encode()}
	return sql.Open("sqlite", dsn.String())
}

// NewServer returns a server with time limits: the default has none.
func NewServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10, // the default is 1 MB; the kit's cookies need about 1 KB
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
}

// Serve answers requests until ctx ends. It then lets running requests finish, for 10
// seconds at most.
func Serve(ctx context.Context, server *http.Server, listener net.Listener) error {
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	slog.Info("stopping: waiting for the running requests")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(grace), server.Close())
}
