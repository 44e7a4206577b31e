package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
)

// refusedPaths returns the return paths that no login may lead to. The tests of the kit
// read the same file.
func refusedPaths(t *testing.T) (paths []string) {
	t.Helper()
	file, err := os.Open("../../middleware/nethttp/testdata/refused-paths")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line := lines.Text(); line != "" && line[0] != '#' {
			path, err := strconv.Unquote(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			paths = append(paths, path)
		}
	}
	if len(paths) < 200 {
		t.Fatalf("%d paths were read", len(paths))
	}
	return paths
}

// keptPaths are valid return paths.
var keptPaths = []string{"/", "/devices", "/devices?a=b#c", "/view/?param=http://example.com", "/;@evil.example"}

// Each return path is sent with a login. The browser sends those that it resolves to
// another host, and follows the redirect. A program sends the others and checks the answer.
func TestReturnPaths(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	b := newDevice(t, app)
	b.allowFetch() // else the policy of the pages alone would block other hosts
	b.Open("/login")
	refused := refusedPaths(t)
	var leaving, staying []string
	for i, host := range b.hosts(refused) {
		if host != app.host() {
			leaving = append(leaving, refused[i])
		} else {
			staying = append(staying, refused[i])
		}
	}
	if len(leaving) < 100 {
		t.Errorf("this browser resolves only %d of the refused paths to another host: this test proves little", len(leaving))
	}

	for _, next := range leaving {
		b.loginWith(ada, next)
		b.isAt("/")
	}
	if hosts := b.asked(); len(hosts) != 1 || !hosts[app.host()] {
		t.Errorf("the browser sent requests to %v", hosts)
	}
	t.Logf("%d logins in a browser, with return paths that it resolves to another host: no request to one", len(leaving))

	client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for i, next := range append(staying, keptPaths...) {
		form := url.Values{"email": {ada.email}, "password": {ada.password}, "next": {next}}
		answer, err := client.PostForm(app.url+"/login", form)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		want := "/"
		if i >= len(staying) {
			want = next
		}
		if got := answer.Header["Location"]; answer.StatusCode != http.StatusSeeOther || len(got) != 1 || got[0] != want {
			t.Errorf("next=%q: %d to %q; want 303 to %q", next, answer.StatusCode, got, want)
		}
	}
	for i, host := range b.hosts(keptPaths) {
		if host != app.host() {
			t.Errorf("%q leads a browser to %s", keptPaths[i], host)
		}
	}
	t.Logf("%d refused return paths: none in a Location; %d valid ones: all", len(staying), len(keptPaths))
}

// loginWith sends the login form from the current page of the app.
func (b *tab) loginWith(u user, next string) {
	b.Helper()
	fields, err := json.Marshal(map[string]string{"email": u.email, "password": u.password, "next": next})
	if err != nil {
		b.Fatalf("%v", err)
	}
	ctx, cancel := b.Limited()
	defer cancel()
	submit := func(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
		_, err = chromedp.Evaluate[any](fmt.Sprintf(`(fields => {
			const form = document.createElement('form');
			form.method = 'post', form.action = '/login';
			for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement('textarea'), {name, value}));
			document.body.append(form), HTMLFormElement.prototype.submit.call(form);
			return null;
		})(%s)`, fields))(ctx, target)
		return none, err
	}
	if _, err := chromedp.RunResponse(ctx, submit); err != nil {
		b.Fatalf("logging in with next=%q: %v", next, err)
	}
}

// hosts returns the hosts to which the page resolves the paths; "" for none.
func (b *tab) hosts(references []string) []string {
	b.Helper()
	list, err := json.Marshal(references)
	if err != nil {
		b.Fatalf("%v", err)
	}
	return eval[[]string](b, fmt.Sprintf(`%s.map(r => { try { return new URL(r, location.href).host } catch { return "" } })`, list))
}
