package session_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

func TestNew_NamesEveryFaultAtOnce(t *testing.T) {
	m, err := session.New(session.Keys{}, nil, session.Config{
		App:                     "My App",
		AccessTTL:               2 * time.Hour,
		IdleTimeout:             time.Minute,
		AbsoluteTimeout:         time.Second,
		RememberIdleTimeout:     -time.Second,
		RememberAbsoluteTimeout: 500 * 24 * time.Hour,
	})
	if m != nil || err == nil {
		t.Fatal("a faulty configuration was accepted")
	}
	for _, want := range []string{
		"the keys are empty", "needs a store", "Config.App ", "Config.AccessTTL ", "Config.IdleTimeout ", "Config.AbsoluteTimeout ",
		"Config.RememberIdleTimeout ", "Config.RememberAbsoluteTimeout ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	for _, c := range []struct {
		want  string
		keys  session.Keys
		store store.Store
	}{
		{"the keys are empty", session.Keys{}, store.NewMemory()},
		{"needs a store", testWorldKeys(t, testWorldKey), nil},
	} {
		m, err := session.New(c.keys, c.store, session.Config{})
		if m != nil || err == nil || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), "session: ") != 1 {
			t.Errorf("New: %v, %v; want only the fault %q", m, err, c.want)
		}
	}
}

const day = 24 * time.Hour

func TestNew_AcceptsEachLimitAndNothingBeyondIt(t *testing.T) {
	for _, c := range []struct {
		name  string
		cfg   session.Config
		fault string // the only fault that is named, empty for none
	}{
		{"zero", session.Config{}, ""},
		{"RequireFingerprint without a Fingerprint", session.Config{RequireFingerprint: true}, "RequireFingerprint"},
		{"RequireFingerprint with one", session.Config{RequireFingerprint: true, Fingerprint: (*http.Request).UserAgent}, ""},
		{"all at their shortest", session.Config{AccessTTL: time.Second, IdleTimeout: 2 * time.Second, AbsoluteTimeout: 2 * time.Second, RememberIdleTimeout: 2 * time.Second, RememberAbsoluteTimeout: 2 * time.Second}, ""},
		{"access too short", session.Config{AccessTTL: time.Second - 1}, "AccessTTL"},
		{"access negative", session.Config{AccessTTL: -2 * time.Minute}, "AccessTTL"},
		{"access longest", session.Config{AccessTTL: time.Hour, IdleTimeout: 2 * time.Hour}, ""},
		{"access too long", session.Config{AccessTTL: time.Hour + 1, IdleTimeout: 3 * time.Hour}, "AccessTTL"},

		{"idle of two accesses", session.Config{IdleTimeout: 4 * time.Minute}, ""},
		{"idle below two accesses", session.Config{IdleTimeout: 4*time.Minute - 1}, "IdleTimeout"},
		{"idle up to the absolute default", session.Config{IdleTimeout: 12 * time.Hour}, ""},
		{"idle above the absolute default", session.Config{IdleTimeout: 12*time.Hour + 1}, "AbsoluteTimeout"},
		{"absolute below the idle default", session.Config{AbsoluteTimeout: 30*time.Minute - 1}, "AbsoluteTimeout"},
		{"absolute longest", session.Config{AbsoluteTimeout: 400 * day}, ""},
		{"absolute longer than a cookie", session.Config{AbsoluteTimeout: 400*day + 1}, "AbsoluteTimeout"},

		{"remembered idle of two accesses", session.Config{RememberIdleTimeout: 4 * time.Minute}, ""},
		{"remembered idle below two accesses", session.Config{RememberIdleTimeout: 4*time.Minute - 1}, "RememberIdleTimeout"},
		{"remembered idle up to its absolute default", session.Config{RememberIdleTimeout: 90 * day}, ""},
		{"remembered idle above its absolute default", session.Config{RememberIdleTimeout: 90*day + 1}, "RememberAbsoluteTimeout"},
		{"remembered longest", session.Config{RememberAbsoluteTimeout: 400 * day}, ""},
		{"remembered longer than a cookie", session.Config{RememberAbsoluteTimeout: 400*day + 1}, "RememberAbsoluteTimeout"},

		{"app with every character", session.Config{App: "abcdefghijklmnopqrstuvwxyz-"}, ""},
		{"app with every digit", session.Config{App: "0123456789"}, ""},
		{"app of 32 characters", session.Config{App: strings.Repeat("a", 32)}, ""},
		{"app of 33 characters", session.Config{App: strings.Repeat("a", 33)}, "App"},
		{"app with a semicolon", session.Config{App: "a;b"}, "App"},
		{"app with an inner space", session.Config{App: "a b"}, "App"},
		{"app with a capital", session.Config{App: "aB"}, "App"},
		{"app with a dot", session.Config{App: "a.b"}, "App"},
		{"app with an umlaut", session.Config{App: "ä"}, "App"},

		{"one session", session.Config{MaxSessions: 1}, ""},
		{"any number of sessions", session.Config{MaxSessions: -1}, ""},
	} {
		m, err := session.New(testWorldKeys(t, testWorldKey), store.NewMemory(), c.cfg)
		if (m == nil) != (err != nil) {
			t.Errorf("%s: %v, %v; want a Manager or an error", c.name, m, err)
		}
		if c.fault == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err == nil || strings.Count(err.Error(), "session: Config.") != 1 || !strings.HasPrefix(err.Error(), "session: Config."+c.fault+" is ") {
			t.Errorf("%s: %v; want the fault of %s alone", c.name, err, c.fault)
		}
	}
}

// The defaults are part of the documentation.
func TestConfig_DefaultsAreTheDocumentedOnes(t *testing.T) {
	for _, c := range []struct {
		login          session.Login
		idle, absolute time.Duration
	}{
		{session.Login{}, 30 * time.Minute, 12 * time.Hour},
		{session.Login{Remember: true}, 30 * day, 90 * day},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			s := w.login(b, c.login)
			if life := s.ExpiresAt.Sub(s.IssuedAt); life > 2*time.Minute || life < 108*time.Second {
				w.Errorf("an access ticket lives %v; want 2 minutes, less up to a tenth", life)
			}
			if life := s.EndsAt.Sub(s.IssuedAt); life != c.absolute {
				w.Errorf("Remember %v: the session lives %v; want %v", c.login.Remember, life, c.absolute)
			}
			late := b.CloneIgnoringExpiry()
			time.Sleep(c.idle - 2*time.Second)
			w.in(late.Clone())
			time.Sleep(2 * time.Second) // the store's answer is shared for a second
			w.out(late)
		})
	}
}

func TestConfig_DefaultOfMaxSessionsIsTwenty(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		for n := 1; n <= 22; n++ {
			time.Sleep(time.Second)
			w.login(newBrowser(), session.Login{})
			if list, err := w.List(w.Context(), "1", ""); err != nil || len(list) != min(n, 20) {
				w.Fatalf("%d sessions after %d logins, %v; want %d", len(list), n, err, min(n, 20))
			}
		}
	})
}
