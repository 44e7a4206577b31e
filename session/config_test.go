package session

import (
	"strings"
	"testing"
	"time"
)

func TestNewNamesEveryFaultAtOnce(t *testing.T) {
	m, err := New(Keys{}, nil, Config{
		App:                     "My App",
		AccessTTL:               2 * time.Hour,
		IdleTimeout:             time.Minute,
		AbsoluteTimeout:         time.Second,
		RememberIdleTimeout:     -time.Second,
		RememberAbsoluteTimeout: 500 * 24 * time.Hour,
	})
	if m != nil || err == nil {
		t.Fatal("a faulty configuration was taken")
	}
	for _, want := range []string{
		"no keys were given", "no store", "Config.App ", "Config.AccessTTL ", "Config.IdleTimeout ", "Config.AbsoluteTimeout ",
		"Config.RememberIdleTimeout ", "Config.RememberAbsoluteTimeout ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

func TestConfigBoundaries(t *testing.T) {
	keys, err := ParseKeys(testKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cfg  Config
		ok   bool
	}{
		{"zero", Config{}, true},
		{"shortest", Config{AccessTTL: time.Second, IdleTimeout: 2 * time.Second, AbsoluteTimeout: 2 * time.Second}, true},
		{"access too short", Config{AccessTTL: time.Second - 1}, false},
		{"access longest", Config{AccessTTL: time.Hour, IdleTimeout: 2 * time.Hour}, true},
		{"access too long", Config{AccessTTL: time.Hour + 1, IdleTimeout: 3 * time.Hour}, false},
		{"idle below two accesses", Config{IdleTimeout: 4*time.Minute - 1}, false},
		{"idle above the absolute default", Config{IdleTimeout: 13 * time.Hour}, false},
		{"longest cookie", Config{RememberAbsoluteTimeout: 400 * 24 * time.Hour}, true},
		{"longer than a cookie", Config{RememberAbsoluteTimeout: 400*24*time.Hour + 1}, false},
		{"app", Config{App: "shop-2"}, true},
		{"app with a semicolon", Config{App: "a;b"}, false},
		{"app with an inner space", Config{App: "a b"}, false},
		{"app too long", Config{App: strings.Repeat("a", 33)}, false},
	} {
		if _, err := New(keys, NewMemoryStore(), c.cfg); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestSetCookiesToTheByte(t *testing.T) {
	for _, c := range []struct {
		names         cookieNames
		set, deletion string
	}{
		{namesFor("", true), "__Host-Http-session=v; Path=/; Max-Age=120; HttpOnly; Secure; SameSite=Lax", "__Host-Http-session=; Path=/; Max-Age=1; HttpOnly; Secure; SameSite=Lax\n__Host-Http-refresh=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
		{namesFor("shop", true), "__Host-Http-shop-session=v; Path=/; Max-Age=120; HttpOnly; Secure; SameSite=Lax", "__Host-Http-shop-session=; Path=/; Max-Age=1; HttpOnly; Secure; SameSite=Lax\n__Host-Http-shop-refresh=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
		{namesFor("", false), "session=v; Path=/; Max-Age=120; HttpOnly; SameSite=Lax", "session=; Path=/; Max-Age=1; HttpOnly; SameSite=Lax\nrefresh=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"},
	} {
		cookie := c.names.cookie(c.names.access, "v", 2*time.Minute)
		if got := cookie.String(); got != c.set || cookie.Valid() != nil {
			t.Errorf("got  %s\nwant %s", got, c.set)
		}
		cleared := c.names.cleared()
		if got := cleared[0].String() + "\n" + cleared[1].String(); got != c.deletion {
			t.Errorf("got  %s\nwant %s", got, c.deletion)
		}
	}
	if c := namesFor("", true).cookie("x", "v", 1500*time.Millisecond); c.MaxAge != 2 {
		t.Errorf("1.5 s became Max-Age=%d; want 2: the ticket's own end decides", c.MaxAge)
	}
}

// Both travel with every request. The figures in the package's documentation are
// those that this test logs.
func TestTheCookiesAreSmall(t *testing.T) {
	inWorld(t, func(w *world) {
		const user = "01K5Q8ZT4X9M7WV3B2RC000000"
		sizes := func(u User) (access, refresh int) {
			u.Epoch = 1
			w.users.SetUser(user, u)
			b := newBrowser()
			w.login(b, Login{UserID: user, Remember: true})
			for range 200 { // some hours on, numbers are longer
				w.nextPeriod()
				w.in(b)
			}
			return len(b.jar[w.names.access].value), len(b.jar[w.names.refresh].value)
		}
		access, refresh := sizes(User{Roles: []string{"user", "staff", "admin"}})
		if access > 230 || refresh > 240 {
			w.Errorf("an access cookie of %d bytes and a refresh cookie of %d; want at most 230 and 240", access, refresh)
		}
		w.Logf("a user id of 26 bytes, three roles of 14 letters: %d bytes; refresh: %d", access, refresh)
		none, _ := sizes(User{})
		w.Logf("no role: %d", none)
		for _, letters := range []int{4, 8, 16} {
			var u User
			for i := range 10 {
				u.Roles = append(u.Roles, strings.Repeat("x", letters-1)+string(rune('a'+i)))
			}
			access, _ := sizes(u)
			w.Logf("each role of %d letters: %.1f more", letters, float64(access-none)/10)
		}
		access, _ = sizes(User{Attrs: map[string]string{"name": "Ada Lovelace", "email": "ada@example.com"}})
		w.Logf("name=Ada Lovelace and email=ada@example.com: %d more", access-none)
	})
}
