package oidc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// nodeProcess is a process of Node that runs provider.mjs, which has all providers of the tests.
// It ends with this one.
type nodeProcess struct {
	begin sync.Once
	cmd   *exec.Cmd
	input io.Closer

	mu  sync.Mutex // guards what follows: one command at a time
	in  *json.Encoder
	out *bufio.Scanner
	err error // why it has not started
	log bytes.Buffer
}

var nodeJS nodeProcess

func (n *nodeProcess) start() error {
	n.cmd = exec.Command("node", "provider.mjs")
	n.cmd.Stderr = &n.log
	in, err := n.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	n.input, n.in, n.out = in, json.NewEncoder(in), bufio.NewScanner(out)
	if err := n.cmd.Start(); err != nil {
		n.input = nil
		return fmt.Errorf("Node does not start: run make deps: %w", err)
	}
	return nil
}

// stop ends the process, if it has started, and returns what it has written to its log.
func (n *nodeProcess) stop() (log string, err error) {
	if n.input == nil {
		return "", nil
	}
	n.input.Close()
	kill := time.AfterFunc(5*time.Second, func() { n.cmd.Process.Kill() })
	defer kill.Stop()
	err = n.cmd.Wait()
	return n.log.String(), err
}

// do sends a command, and reads its answer.
func (n *nodeProcess) do(command map[string]any, answer any) error {
	n.begin.Do(func() { n.err = n.start() })
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return n.err
	}
	if err := n.in.Encode(command); err != nil {
		return err
	}
	if !n.out.Scan() {
		return fmt.Errorf("Node has ended: %v", n.out.Err())
	}
	if err := json.Unmarshal(n.out.Bytes(), answer); err != nil {
		return fmt.Errorf("%s: %w", n.out.Bytes(), err)
	}
	return nil
}

// nodeProvider is Node's oidc-provider.
type nodeProvider struct {
	*testing.T
	front *gate
}

func startNodeProvider(t *testing.T, apps ...registration) provider {
	t.Helper()
	front, serve := startGate(t)
	clients := []map[string]any{}
	for _, a := range apps {
		client := map[string]any{
			"client_id": a.id, "client_secret": a.secret,
			"redirect_uris": []string{a.callback}, "post_logout_redirect_uris": []string{a.loggedOut},
			"require_auth_time": !a.noAuthTime,
		}
		if a.secret == "" {
			delete(client, "client_secret")
			client["token_endpoint_auth_method"] = "none"
		}
		if a.backChannel != "" {
			client["backchannel_logout_uri"], client["backchannel_logout_session_required"] = a.backChannel, !a.noSID
		}
		clients = append(clients, client)
	}
	n := &nodeProvider{t, front}
	var ready struct{ Address string }
	n.do("start", map[string]any{"clients": clients}, &ready)
	t.Cleanup(func() { n.do("stop", map[string]any{}, &struct{}{}) })
	// The provider makes the addresses of its endpoints of the header Host.
	serve(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: ready.Address})
			r.Out.Host = r.In.Host
		},
		// A POST is not repeated when its idle connection closes at that moment: Node closes it
		// after 5 s, and each httptest.Server that ends closes those of the default transport.
		Transport: &http.Transport{DisableKeepAlives: true},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	})
	return n
}

func (n *nodeProvider) issuer() string { return n.front.url }
func (n *nodeProvider) gate() *gate    { return n.front }

// It asks even if the app has sent the ID token.
func (n *nodeProvider) confirms(bool) string { return "Yes, sign me out" }

func (n *nodeProvider) rotate(drop bool) {
	n.Helper()
	n.do("rotate", map[string]any{"drop": drop}, &struct{}{})
}

func (n *nodeProvider) endSessions(user string) int {
	n.Helper()
	var answer struct {
		Told   int
		Errors []string
	}
	n.do("logout", map[string]any{"user": user}, &answer)
	for _, e := range answer.Errors {
		n.Errorf("the provider could not tell an app that %s has logged out: %s", user, e)
	}
	return answer.Told
}

func (n *nodeProvider) do(name string, command map[string]any, answer any) {
	n.Helper()
	command["do"], command["issuer"] = name, n.front.url
	if err := nodeJS.do(command, answer); err != nil {
		n.Fatal(err)
	}
}
