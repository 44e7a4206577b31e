package session_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

func TestVerdict_CookiesOfALoginToTheByte(t *testing.T) {
	for _, c := range []struct {
		cfg    session.Config
		login  session.Login
		prefix string
		secure string
		maxAge int
	}{
		{session.Config{}, session.Login{}, "__Host-Http-", " Secure;", 30 * 60},
		{session.Config{}, session.Login{Remember: true}, "__Host-Http-", " Secure;", 30 * 24 * 3600},
		{session.Config{App: "shop-2"}, session.Login{}, "__Host-Http-shop-2-", " Secure;", 30 * 60},
		{session.Config{DangerouslyAllowHTTP: true}, session.Login{}, "sessionkit-", "", 30 * 60},
		{session.Config{App: "shop", DangerouslyAllowHTTP: true}, session.Login{}, "sessionkit-shop-", "", 30 * 60},
	} {
		inTestWorld(t, c.cfg, func(w *testWorld) {
			c.login.UserID = "1"
			v, err := w.Issue(page(newBrowser()), c.login)
			if err != nil {
				w.Fatal(err)
			}
			w.wantCookies("login", v.Cookies, c.prefix+"session", c.prefix+"refresh-0", c.prefix+"refresh-1")
			s := v.Session()
			accessAge := int(math.Ceil(s.ExpiresAt.Sub(s.IssuedAt).Seconds()))
			for i, want := range []string{
				fmt.Sprintf("%ssession=%s; Path=/; Max-Age=%d; HttpOnly;%s SameSite=Lax", c.prefix, v.Cookies[0].Value, accessAge, c.secure),
				fmt.Sprintf("%srefresh-0=%s; Path=/; Max-Age=%d; HttpOnly;%s SameSite=Lax", c.prefix, v.Cookies[1].Value, c.maxAge, c.secure),
				fmt.Sprintf("%srefresh-1=%s; Path=/; Max-Age=%d; HttpOnly;%s SameSite=Lax", c.prefix, v.Cookies[2].Value, c.maxAge, c.secure),
			} {
				if got := v.Cookies[i].String(); got != want || v.Cookies[i].Valid() != nil {
					w.Errorf("got  %s\nwant %s\n%v", got, want, v.Cookies[i].Valid())
				}
			}

			v, err = w.Logout(page(newBrowser()))
			if err != nil || len(v.Cookies) != 3 {
				w.Fatalf("Logout: %v, %d cookies; want all three deleted", err, len(v.Cookies))
			}
			for i, want := range []string{
				fmt.Sprintf("%ssession=; Path=/; Max-Age=1; HttpOnly;%s SameSite=Lax", c.prefix, c.secure),
				fmt.Sprintf("%srefresh-0=; Path=/; Max-Age=0; HttpOnly;%s SameSite=Lax", c.prefix, c.secure),
				fmt.Sprintf("%srefresh-1=; Path=/; Max-Age=0; HttpOnly;%s SameSite=Lax", c.prefix, c.secure),
			} {
				if got := v.Cookies[i].String(); got != want {
					w.Errorf("got  %s\nwant %s", got, want)
				}
			}
		})
	}
}

// Max-Age counts whole seconds. The browser keeps a cookie for as long as its ticket is
// valid, and less than a second longer.
func TestVerdict_CookiesAreKeptAsLongAsTheirTickets(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		end := w.login(b, session.Login{}).EndsAt
		check := func() {
			v := w.answered(b)
			s := v.Session()
			b.Receive(v.Cookies)
			for i, life := range []time.Duration{s.ExpiresAt.Sub(s.IssuedAt), min(30*time.Minute, end.Sub(s.IssuedAt))}[:len(v.Cookies)] {
				kept := time.Duration(v.Cookies[i].MaxAge) * time.Second
				if kept < life || kept >= life+time.Second {
					w.Errorf("%v before the end: %s has Max-Age %v; its ticket lives %v", time.Until(end), v.Cookies[i].Name, kept, life)
				}
			}
		}
		for time.Until(end) > 2*time.Minute {
			w.expireAccess()
			check()
		}
		for _, left := range []time.Duration{90 * time.Second, 10 * time.Second, 1500 * time.Millisecond} {
			time.Sleep(time.Until(end) - left)
			b.ExpireAccess()
			check()
		}
	})
}

// net/http writes no Max-Age attribute for zero. The browser would then keep the cookie
// until it is closed.
func TestVerdict_CookiesOfTheLastMillisecondsHaveAMaxAge(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		time.Sleep(7 * time.Millisecond) // so that the end is not a multiple of a ticket's time unit
		b := newBrowser()
		end := time.Now().Add(12 * time.Hour)
		w.login(b, session.Login{})
		for time.Until(end) > 2*time.Minute {
			w.expireAccess()
			w.in(b)
		}
		time.Sleep(time.Until(end) - time.Millisecond)
		b = b.CloneIgnoringExpiry()
		b.ExpireAccess()
		v := w.answered(b)
		if len(v.Cookies) == 0 {
			w.Fatal("no cookies; want at least the access cookie")
		}
		for _, c := range v.Cookies {
			if c.MaxAge != 1 {
				w.Errorf("%s has Max-Age %d; want 1", c.Name, c.MaxAge)
			}
		}
	})
}

// A cookie whose name and value together exceed 4,096 bytes is dropped by browsers
// (RFC 6265bis, section 5.6), so a login that would need one fails.
func TestManager_IssuesCookiesUpToTheSizeThatBrowsersKeep(t *testing.T) {
	values := map[int]bool{} // the possible lengths of a value, found with the shortest name
	exact := 0
	for letters := range 33 {
		longest, refused, name := 0, 0, ""
		inTestWorld(t, session.Config{App: strings.Repeat("a", letters)}, func(w *testWorld) {
			for size := 2130; size < 2240; size++ {
				w.users.SetUser("1", store.User{Attrs: map[string]string{"x": strings.Repeat("x", size)}})
				b := newBrowser()
				v, err := w.Issue(page(b), session.Login{UserID: "1"})
				if err != nil {
					refused++
					continue
				}
				name = v.Cookies[0].Name
				value := len(v.Cookies[0].Value)
				longest = max(longest, value)
				if letters == 0 {
					values[value] = true
				}
				b.Receive(v.Cookies)
				if n := w.calls(func() { w.in(b) }); n != 0 {
					w.Fatalf("an access cookie of %d bytes: %d calls of the store; want 0", len(name)+value, n)
				}
			}
		})
		want := 0
		for value := range values {
			if len(name)+value <= 4096 {
				want = max(want, value)
			}
			if len(name)+value == 4096 {
				exact++
			}
		}
		if longest != want || refused == 0 {
			t.Errorf("%s: the longest value has %d bytes; want %d; %d logins were refused", name, longest, want, refused)
		}
	}
	if exact == 0 {
		t.Error("no cookie has 4,096 bytes")
	}
}

// The browser sends both cookies with every request. The sizes in the package
// documentation come from the log of this test.
func TestVerdict_CookiesAreSmall(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		const user = "01K5Q8ZT4X9M7WV3B2RC000000"
		sizes := func(u store.User) (access, refresh int) {
			u.Epoch = 1
			w.users.SetUser(user, u)
			b := newBrowser()
			w.login(b, session.Login{UserID: user, Remember: true})
			for range 200 { // some hours later, numbers are longer
				w.expireAccess()
				w.in(b)
			}
			for _, c := range page(b).Cookies() {
				switch c.Name {
				case accessCookie:
					access = len(c.Value)
				case refreshCookie, oddRefreshCookie:
					refresh = len(c.Value)
				}
			}
			return access, refresh
		}
		access, refresh := sizes(store.User{Roles: []string{"user", "staff", "admin"}})
		if access == 0 || access > 240 || refresh == 0 || refresh > 240 {
			w.Errorf("an access cookie of %d bytes and a refresh cookie of %d; want at most 240 each", access, refresh)
		}
		w.Logf("a user id of 26 bytes, three roles of 14 letters: %d bytes; refresh: %d", access, refresh)
		none, _ := sizes(store.User{})
		w.Logf("no role: %d", none)
		for _, letters := range []int{4, 8, 16} {
			var u store.User
			for i := range 10 {
				u.Roles = append(u.Roles, strings.Repeat("x", letters-1)+string(rune('a'+i)))
			}
			access, _ := sizes(u)
			w.Logf("each role of %d letters: %.1f more", letters, float64(access-none)/10)
		}
		access, _ = sizes(store.User{Attrs: map[string]string{"name": "Ada Lovelace", "email": "ada@example.com"}})
		w.Logf("name=Ada Lovelace and email=ada@example.com: %d more", access-none)
	})
}
