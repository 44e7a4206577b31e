package oidc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// nodeProvider is a process of Node that runs provider.mjs. It ends with this one.
type nodeProvider struct {
	*testing.T
	front *gate

	mu  sync.Mutex // guards what follows: one command at a time
	in  *json.Encoder
	out *bufio.Scanner
}

func startNodeProvider(t *testing.T, apps ...registration) provider {
	t.Helper()
	front, serve := startGate(t)
	clients := []map[string]any{}
	for _, a := range apps {
		client := map[string]any{
			"client_id": a.id, "client_secret": a.secret,
			"redirect_uris": []string{a.callback}, "post_logout_redirect_uris": []string{a.loggedOut},
		}
		if a.secret == "" {
			delete(client, "client_secret")
			client["token_endpoint_auth_method"] = "none"
		}
		if a.backChannel != "" {
			client["backchannel_logout_uri"], client["backchannel_logout_session_required"] = a.backChannel, true
		}
		clients = append(clients, client)
	}
	config, err := json.Marshal(map[string]any{"issuer": front.url, "clients": clients})
	if err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command("node", "provider.mjs", string(config))
	var log bytes.Buffer
	cmd.Stderr = &log
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
		in.Close()
		kill := time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
		defer kill.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("Node: %v", err)
		}
		if t.Failed() {
			t.Logf("the provider has written:\n%s", &log)
		}
	})
	n := &nodeProvider{T: t, front: front, in: json.NewEncoder(in), out: bufio.NewScanner(out)}
	var ready struct{ Address string }
	n.read(&ready)
	// The provider makes the addresses of its endpoints of the header Host.
	serve(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: ready.Address})
		r.Out.Host = r.In.Host
	}})
	return n
}

func (n *nodeProvider) issuer() string   { return n.front.url }
func (n *nodeProvider) gate() *gate      { return n.front }
func (n *nodeProvider) confirms() string { return "Yes, sign me out" }

func (n *nodeProvider) rotate(drop bool) {
	n.Helper()
	n.do(map[string]any{"do": "rotate", "drop": drop}, &struct{}{})
}

func (n *nodeProvider) endSessions(user string) int {
	n.Helper()
	var answer struct {
		Told   int
		Errors []string
	}
	n.do(map[string]any{"do": "logout", "user": user}, &answer)
	for _, e := range answer.Errors {
		n.Errorf("the provider could not tell an app that %s has logged out: %s", user, e)
	}
	return answer.Told
}

// do sends a command, and reads its answer.
func (n *nodeProvider) do(command map[string]any, answer any) {
	n.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.in.Encode(command); err != nil {
		n.Fatal(err)
	}
	n.read(answer)
}

func (n *nodeProvider) read(answer any) {
	n.Helper()
	if !n.out.Scan() {
		n.Fatalf("Node has ended: %v", n.out.Err())
	}
	if err := json.Unmarshal(n.out.Bytes(), answer); err != nil {
		n.Fatalf("%s: %v", n.out.Bytes(), err)
	}
}
