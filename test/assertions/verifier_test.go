package assertions

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if _, err := os.Stat(filepath.Join("node_modules", ".package-lock.json")); err != nil {
		fmt.Fprintln(os.Stderr, "Node's jose is not installed: run make deps, or here: npm ci --ignore-scripts")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// verifier is a process of Node that verifies assertions for one audience. It runs until
// the end of the test.
type verifier struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func startVerifier(t *testing.T, jwksURL, issuer, audience string) *verifier {
	t.Helper()
	cmd := exec.Command("node", "verifier.mjs", jwksURL, issuer, audience)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("Node does not start: run make deps: %v", err)
	}
	t.Cleanup(func() {
		in.Close() // ends the process
		if err := cmd.Wait(); err != nil {
			t.Errorf("Node: %v", err)
		}
	})
	return &verifier{t: t, in: in, out: bufio.NewScanner(out)}
}

// outcome is what jose says of an assertion.
type outcome struct {
	Claims  map[string]any
	Refused string // an error code of jose
	Claim   string // the one that it refuses
}

// verify asks at a time of the service's clock.
func (v *verifier) verify(token string, at time.Time) (o outcome) {
	v.t.Helper()
	request, err := json.Marshal(map[string]any{"token": token, "now": at.Unix()})
	if err != nil {
		v.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(v.in, "%s\n", request); err != nil {
		v.t.Fatal(err)
	}
	if !v.out.Scan() {
		v.t.Fatalf("Node has ended: %v", v.out.Err())
	}
	if err := json.Unmarshal(v.out.Bytes(), &o); err != nil {
		v.t.Fatal(err)
	}
	return o
}

func (v *verifier) wantAccepted(what, token string, at time.Time) {
	v.t.Helper()
	if o := v.verify(token, at); o.Refused != "" || o.Claims["sub"] == nil {
		v.t.Errorf("%s: %+v; want it accepted", what, o)
	}
}

func (v *verifier) wantRefused(what, token string, at time.Time, code, claim string) {
	v.t.Helper()
	if o := v.verify(token, at); o.Refused != code || o.Claim != claim || o.Claims != nil {
		v.t.Errorf("%s: %+v; want %s %s", what, o, code, claim)
	}
}
