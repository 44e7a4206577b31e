package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// started runs the example as main does, and returns its address. It is stopped,
// and must have ended well, at the end of the test.
func started(t *testing.T, args ...string) string {
	t.Helper()
	args = append([]string{"-addr", "localhost:0", "-db", filepath.Join(t.TempDir(), "test.db")}, args...)
	opts, err := parseOptions(args, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, opts, in)
		in.CloseWithError(io.EOF)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})

	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("it printed nothing")
	}
	address, ok := strings.CutPrefix(lines.Text(), "sessionkit example: ")
	if !ok {
		t.Fatalf("its first line is %q", lines.Text())
	}
	go io.Copy(io.Discard, out)
	return address
}

func TestRun(t *testing.T) {
	address := started(t)
	response, err := http.Get(address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 || !strings.HasPrefix(address, "http://localhost:") || strings.HasSuffix(address, ":0") {
		t.Errorf("%s answered %d; want 200 at the real port", address, response.StatusCode)
	}
}

func TestRunWithTLS(t *testing.T) {
	address := started(t, "-tls")
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // made on the spot
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	response, err := client.PostForm(address+"/login", url.Values{"email": {ada}, "password": {adaPassword}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusSeeOther || response.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("login: %d, %v", response.StatusCode, response.Header)
	}
	cookies := response.Cookies()
	if len(cookies) != 2 {
		t.Fatalf("%d cookies; want 2", len(cookies))
	}
	for _, cookie := range cookies {
		if !strings.HasPrefix(cookie.Name, "__Host-Http-") || !cookie.Secure || !cookie.HttpOnly {
			t.Errorf("cookie %s: Secure %t, HttpOnly %t", cookie.Name, cookie.Secure, cookie.HttpOnly)
		}
	}
}

func TestPlainHTTPIsForThisMachineOnly(t *testing.T) {
	err := run(t.Context(), options{addr: "0.0.0.0:0", db: filepath.Join(t.TempDir(), "test.db")}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "-tls") {
		t.Errorf("error %v; want a refusal that names -tls", err)
	}
}

func TestWrongFlagsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-nope"}, {"stray"}, {"-access-ttl", "soon"}} {
		var said strings.Builder
		if _, err := parseOptions(args, &said); err == nil || said.Len() == 0 {
			t.Errorf("%q: error %v, and it said %q", args, err, said.String())
		}
	}
	opts := options{addr: "localhost:0", db: filepath.Join(t.TempDir(), "test.db")}
	opts.accessTTL, opts.refreshTTL = 1, 1
	if err := run(t.Context(), opts, io.Discard); err == nil || !strings.Contains(err.Error(), "AccessTTL") {
		t.Errorf("error %v; want the session's own complaint about AccessTTL", err)
	}
}
