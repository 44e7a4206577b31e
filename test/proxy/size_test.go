package proxy

import (
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
)

// login is the answer to a login.
type login struct {
	status  int
	cookies []*http.Cookie
}

// access returns the length of the access cookie, name and value together.
func (l login) access() int {
	for _, c := range l.cookies {
		if c.Name == accessCookie {
			return len(c.Name) + len(c.Value)
		}
	}
	return 0
}

// logIn logs a user in, who returns to a page. The app sets own bytes of headers itself.
func (a *app) logIn(c *http.Client, base, user, next string, own int) login {
	a.Helper()
	form := url.Values{"user": {user}, "next": {next}, "own": {strconv.Itoa(own)}}
	r, err := http.NewRequest("POST", base+"/login", strings.NewReader(form.Encode()))
	if err != nil {
		a.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := c.Do(r)
	if err != nil {
		a.Fatal(err)
	}
	defer answer.Body.Close()
	return login{answer.StatusCode, answer.Cookies()}
}

// largest returns the largest number of letters that a user's attribute may have if the
// user logs in through nginx.
func (a *app) largest(c *http.Client, base string) int {
	return sort.Search(4096, func(n int) bool {
		return a.logIn(c, base, a.sized(n), "/account", 0).status != http.StatusSeeOther
	}) - 1
}

// logInAs logs a user of any size in by the browser.
func (b *tab) logInAs(user string) {
	b.Helper()
	b.mustShow("a protected page", b.open("/account"), "200 Log in at /login?next=%2Faccount")
	chromiumtest.Eval[string](b.Tab, fmt.Sprintf(`document.querySelector('[name=user]').value = %q`, user))
	b.mustShow("the login", b.press("#login"), "200 Account at /account")
}

// The header of an answer must fit into nginx's proxy_buffer_size. The longest one is that
// of a login.
func TestSize_AnswerToALogin(t *testing.T) {
	t.Parallel()
	a := newApp(t, "")
	upstream, client := a.serve(), newClient(t)
	lines := block(t, "The lines")
	small, big := startNginx(t, without(lines, "proxy_buffer_size"), false, upstream), startNginx(t, lines, false, upstream)
	longPath := "/account?" + strings.Repeat("x", 2048-len("/account?"))

	for _, c := range []struct {
		name, base string
		over       int   // the status for one letter more
		atLeast    int   // the largest access cookie, within 100 bytes
		safe       login // must pass
	}{
		// With more the app itself refuses the login: browsers do not keep the cookie.
		{"these lines", big, http.StatusInternalServerError, 4000, a.logIn(client, big, a.sized(2190), longPath, 1000)},
		{"proxy_buffer_size at its default", small, http.StatusBadGateway, 3200, a.logIn(client, small, a.sized(1000), longPath[:600], 600)},
	} {
		n := a.largest(client, c.base)
		last, over := a.logIn(client, c.base, a.sized(n), "/account", 0), a.logIn(client, c.base, a.sized(n+1), "/account", 0)
		seen.add("size", c.name, fmt.Sprintf("an attribute of %d letters", n), fmt.Sprintf("access cookie of %d bytes", last.access()),
			fmt.Sprintf("with more: %d", over.status), fmt.Sprintf("the safe one has %d bytes", c.safe.access()))
		if over.status != c.over || c.safe.status != http.StatusSeeOther {
			t.Errorf("%s: with more %d, want %d; the safe one %d", c.name, over.status, c.over, c.safe.status)
		}
		if got := last.access(); got < c.atLeast || got > c.atLeast+100 {
			t.Errorf("%s: the largest access cookie has %d bytes; the page says %d", c.name, got, c.atLeast)
		}

		b := newTab(t, c.base)
		b.logInAs(a.sized(n))
		b.losesAccess()
		b.mustShow("without the access cookie", b.open("/account"), "200 Account at /account")
		b.hasCookies()
	}
}

// The cookies of a request must fit into one of nginx's large_client_header_buffers. The
// largest session leaves 3 KB for other cookies.
func TestSize_CookiesOfARequest(t *testing.T) {
	for _, s := range setups(t)[:2] {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			a, base := s.start(t)
			b := newTab(t, base)
			b.logInAs(a.sized(a.largest(newClient(t), base)))
			size := 0
			for name, c := range b.cookies() {
				size += len(name) + len("=") + len(c.Value) + len("; ")
			}
			other := func(name string, size int) {
				chromiumtest.Eval[string](b.Tab, fmt.Sprintf(`document.cookie = %q + 'x'.repeat(%d) + '; path=/; secure'`, name+"=", size))
			}
			other("theirs", 3000)
			b.mustShow("with other cookies", b.open("/account"), "200 Account at /account")
			other("more", 1000)
			more := b.open("/account")
			seen.add("size", s.name, fmt.Sprintf("the kit's cookies %d bytes, others 3000: 200", size), "others 4000: "+string(more))
			if want := shown("400 400 Bad Request at /account"); !s.http2 && more != want {
				b.mustShow("with more cookies", more, want)
			}
			if s.http2 {
				b.mustShow("with more cookies, which HTTP/2 sends apart", more, "200 Account at /account")
			}
		})
	}
}
