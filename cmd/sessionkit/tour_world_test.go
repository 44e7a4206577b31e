package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// tour is example/tour, which runs as a process, and the built command line on the same database.
type tour struct {
	*world
	programs string   // the folder with both programs
	args     []string // of the tour
	keys     string   // the tour's file of keys

	url       string
	transport *http.Transport
	stop      func(t *testing.T) // ends the tour
}

// buildPrograms builds the tour and the command line, and returns their folder.
func buildPrograms(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, args := range [][]string{
		{"build", "-o", filepath.Join(folder, "sessionkit"), "."},
		{"build", "-C", filepath.Join("..", "..", "example"), "-o", filepath.Join(folder, "tour"), "./tour"},
	} {
		if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return folder
}

// supervise runs a program until its input ends, which it does when this process ends in any way. Its output ends with
// the program, and its exit code is that of the program.
const supervise = `"$@" </dev/null & p=$!
exec >&-
read -r line
kill -s TERM $p 2>/dev/null
wait $p`

// start starts the tour, on a free port.
func (w *tour) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(w.folder, "tour.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("sh", append([]string{"-c", supervise, "sh", filepath.Join(w.programs, "tour"), "-addr", "127.0.0.1:0", "-db", filepath.Join(w.folder, "app.db")}, w.args...)...)
	cmd.Env = append(os.Environ(), "SESSION_KEYS=", "SESSION_MYSQL=", "SESSION_POSTGRES=")
	if variable := map[string]string{"mysql": "SESSION_MYSQL", "postgres": "SESSION_POSTGRES"}[w.dialect]; variable != "" {
		cmd.Env = append(cmd.Env, variable+"="+w.dsn)
	}
	cmd.Stderr = log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.transport = &http.Transport{}
	stopped := false
	w.stop = func(t *testing.T) {
		t.Helper()
		if stopped {
			return
		}
		stopped = true
		w.transport.CloseIdleConnections()
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			text, _ := os.ReadFile(log.Name())
			t.Errorf("the tour: %v\n%s", err, text)
		}
	}
	t.Cleanup(func() { w.stop(t) })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		url, ok := strings.CutPrefix(lines.Text(), "sessionkit tour: ")
		if ok {
			w.url = url
			return
		}
	}
	w.stop(t)
	t.Fatal("the tour has ended before it served")
}

// run runs the built command line. It hides run of the world, which runs the commands in this process.
func (w *tour) run(t *testing.T, args ...string) answer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(w.programs, "sessionkit"), args...)
	cmd.Dir = w.folder
	for name, value := range w.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return answer{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// prints runs a command, and compares all that it prints with a golden file.
func (w *tour) prints(t *testing.T, file string, code int, args ...string) answer {
	t.Helper()
	a := w.run(t, args...)
	a.want(t, code)
	w.golden(t, filepath.Join("tour", file), a.out+a.err)
	return a
}

// client is a browser or a program that has a session of the tour.
type client struct {
	name, id, user string

	tour    *tour
	browser *sessiontest.Browser
	token   string // of a program
}

// who is what the tour says of the session of a request.
type who struct {
	SessionID string `json:"session_id"`
	UserID    string `json:"user_id"`
}

// status asks the tour who the client is, and returns the status of the answer.
func (c *client) status(t *testing.T) (status int, w who) {
	t.Helper()
	c.browser.Origin = c.tour.url // another port after a restart
	c.browser.Transport = c.tour.transport
	r := c.browser.NewRequest(http.MethodGet, "/api/session", nil)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	got := c.browser.Do(r)
	if got.StatusCode == http.StatusOK {
		if err := json.NewDecoder(got.Body).Decode(&w); err != nil {
			t.Fatal(err)
		}
	}
	return got.StatusCode, w
}

// isRefused says that the tour does not know the session. A page load is led to the login page.
func isRefused(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusSeeOther
}

// serves fails unless the tour serves the sessions.
func serves(t *testing.T, clients ...*client) {
	t.Helper()
	for _, c := range clients {
		if status, w := c.status(t); status != http.StatusOK || w.SessionID != c.id {
			t.Errorf("%s: %d, session %s; want 200 and %s", c.name, status, w.SessionID, c.id)
		}
	}
}

// refuses fails unless the tour refuses the sessions.
func refuses(t *testing.T, clients ...*client) {
	t.Helper()
	for _, c := range clients {
		if status, _ := c.status(t); !isRefused(status) {
			t.Errorf("%s: %d; want a refusal", c.name, status)
		}
	}
}

// begun reads which session a client has.
func (c *client) begun(t *testing.T) *client {
	t.Helper()
	status, w := c.status(t)
	if status != http.StatusOK {
		t.Fatalf("%s: %d; want 200", c.name, status)
	}
	c.id, c.user = w.SessionID, w.UserID
	return c
}

// post sends a form, and fails unless the answer has the status.
func (c *client) post(t *testing.T, status int, path string, form url.Values) *http.Response {
	t.Helper()
	got := c.browser.PostForm(path, form)
	if got.StatusCode != status {
		body, _ := io.ReadAll(got.Body)
		t.Fatalf("%s, %s: %d; want %d\n%s", c.name, path, got.StatusCode, status, body)
	}
	return got
}

// visitor is a browser without a session. Its name is its user agent.
func (w *tour) visitor(name string) *client {
	return &client{name: name, tour: w, browser: &sessiontest.Browser{Jar: &sessiontest.Jar{}, Origin: w.url, UserAgent: name, Transport: w.transport}}
}

// login logs a demo user in, by the form.
func (w *tour) login(t *testing.T, name, user string) *client {
	t.Helper()
	c := w.visitor(name)
	c.post(t, http.StatusSeeOther, "/login", url.Values{"email": {user + "@example.com"}, "password": {user + "-demo-password"}})
	return c.begun(t)
}

// act is a browser in which an administrator acts as a user. The administrator's own session goes on.
func (c *client) act(t *testing.T, name, user string) *client {
	t.Helper()
	acting := &client{name: name, tour: c.tour, browser: c.browser.Clone()}
	acting.post(t, http.StatusSeeOther, "/people/act", url.Values{"user": {user}})
	return acting.begun(t)
}

var bearer = regexp.MustCompile(`Authorization: Bearer ([^'"]+)`)

// mint makes a token on the page of tokens, for a program.
func (c *client) mint(t *testing.T, name string) *client {
	t.Helper()
	time.Sleep(2 * time.Millisecond) // SQLite's clock counts milliseconds, and the list is sorted by it
	body, err := io.ReadAll(c.post(t, http.StatusOK, "/tokens", url.Values{"name": {name}}).Body)
	if err != nil {
		t.Fatal(err)
	}
	match := bearer.FindStringSubmatch(html.UnescapeString(string(body)))
	if match == nil {
		t.Fatalf("the page has no token:\n%s", body)
	}
	program := c.tour.visitor(name)
	program.token = match[1]
	return program.begun(t)
}

// loginByProvider logs the provider's user in. It brings the provider's answer back as a browser does.
func (w *tour) loginByProvider(t *testing.T, name string) *client {
	t.Helper()
	c := w.visitor(name)
	location, err := url.Parse(c.browser.Get("/login/provider").Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	asked := location.Query()
	back := "/callback/provider?" + url.Values{"state": {asked.Get("state")}, "code": {asked.Get("nonce")}}.Encode()
	for range 3 { // to the page after the login, at the latest
		got := c.browser.Get(back)
		if status, _ := c.status(t); status == http.StatusOK {
			return c.begun(t)
		}
		if back = got.Header.Get("Location"); !strings.HasPrefix(back, "/") {
			break
		}
	}
	t.Fatalf("%s: the login by the provider has failed", name)
	return nil
}

// ends runs a command that ends some sessions. It returns how long after the command's end the tour refused the last one,
// and fails if that takes too long. The others must go on.
func (w *tour) ends(t *testing.T, file string, ended, others []*client, args ...string) (took time.Duration) {
	t.Helper()
	serves(t, append(append([]*client{}, ended...), others...)...)
	w.prints(t, file, exitDone, args...)
	began := time.Now()
	for _, c := range ended {
		for {
			status, _ := c.status(t)
			took = time.Since(began)
			if isRefused(status) {
				break
			}
			if status != http.StatusOK || took > seenWithin {
				t.Errorf("sessionkit %s: %v later, the tour answers %s with %d; want a refusal within %v", strings.Join(args, " "), took, c.name, status, seenWithin)
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	serves(t, others...)
	return took
}
