package tokens

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"
)

// openIDClient is a process of Node that runs client.mjs. It ends by itself.
type openIDClient struct {
	t    *testing.T
	out  *bufio.Scanner
	from *node
}

func (n *node) startOpenIDClient(refreshToken string) *openIDClient {
	t := n.app.T
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, "node", "client.mjs", n.server.URL, publicClient, refreshToken, service, serviceSecret)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("Node does not start: run make deps: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			stop()
		}
		if err := cmd.Wait(); err != nil && !t.Failed() {
			t.Errorf("Node: %v", err)
		}
		stop()
	})
	return &openIDClient{t, bufio.NewScanner(out), n}
}

// step is a line of client.mjs.
type step struct {
	Step   string
	Status int
	Error  string

	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`

	Active   *bool
	Subject  string `json:"sub"`
	ClientID string `json:"client_id"`
	SID      string
	Roles    []string

	UserCode string `json:"user_code"`
	URI      string `json:"verification_uri"`
	Interval int

	identity
}

// next reads the line of a step.
func (c *openIDClient) next(name string) (s step) {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatalf("%s: Node has ended: %v", name, c.out.Err())
	}
	if err := json.Unmarshal(c.out.Bytes(), &s); err != nil {
		c.t.Fatalf("%s: %v", c.out.Bytes(), err)
	}
	if s.Step != name {
		c.t.Fatalf("%s; want the step %q", c.out.Bytes(), name)
	}
	return s
}

// tokens reads a step that gets tokens.
func (c *openIDClient) tokens(name string) step {
	c.t.Helper()
	s := c.next(name)
	// openid-client writes the type in small letters.
	if s.Error != "" || s.AccessToken == "" || s.RefreshToken == "" || s.TokenType != "bearer" || s.ExpiresIn <= 0 {
		c.t.Fatalf("%+v; want tokens", s)
	}
	return s
}

// refused reads a step that ends in an error of OAuth.
func (c *openIDClient) refused(name, code string) {
	c.t.Helper()
	if answer := c.next("answer"); answer.Error != code {
		c.t.Errorf("%s: the answer is %+v; want %s", name, answer, code)
	}
	if s := c.next(name); s.Error != code || s.Status != 400 {
		c.t.Errorf("%+v; want 400 and %s", s, code)
	}
}

func TestOpenIDClient_LivesOnTheEndpoints(t *testing.T) {
	t.Parallel()
	a := newApp(t, 6*time.Second, 1)
	first, id := a.login(publicClient)
	a.grow()
	c := a.nodes[0].startOpenIDClient(first.RefreshToken)

	rotated := c.tokens("refresh")
	if rotated.RefreshToken == first.RefreshToken || rotated.ExpiresIn > 6 {
		t.Errorf("%+v; want a new refresh token", rotated)
	}
	if s := c.next("whoami"); s.Status != 200 || s.identity != (identity{id, ada, publicClient}) {
		t.Errorf("%+v; want session %s", s, id)
	}
	for _, name := range []string{"introspect access", "introspect refresh"} {
		s := c.next(name)
		if s.Active == nil || !*s.Active || s.Subject != ada || s.ClientID != publicClient || s.SID != id || len(s.Roles) != 1 || s.Roles[0] != "staff" {
			t.Errorf("%+v; want what the row of %s says", s, id)
		}
	}

	device := c.next("device")
	if device.UserCode == "" || device.URI != a.nodes[0].server.URL+"/device" || device.Interval != 5 {
		t.Fatalf("%+v; want a code for the user", device)
	}
	if waits := c.next("answer"); waits.Error != "authorization_pending" {
		t.Errorf("%+v; want authorization_pending", waits)
	}
	a.nodes[0].approveAsUser(device.UserCode)
	c.tokens("device tokens")
	if s := c.next("device whoami"); s.Status != 200 || s.User != ada || s.Client != publicClient || s.Session == id {
		t.Errorf("%+v; want another session", s)
	}

	if again := c.tokens("refresh again"); again.RefreshToken == rotated.RefreshToken {
		t.Errorf("%+v; want a new refresh token", again)
	}
	if got := a.row(id).Generation; got != 1 {
		t.Errorf("generation %d; want 1", got)
	}
	if s := c.next("revoke"); s.Error != "" {
		t.Errorf("%+v", s)
	}
	c.refused("refresh after it", "invalid_grant")
	if s := c.next("introspect after it"); s.Active == nil || *s.Active || s.Subject != "" {
		t.Errorf("%+v; want active: false and no more", s)
	}
	if got := a.thefts(); got > 0 {
		t.Errorf("%d thefts", got)
	}
}
