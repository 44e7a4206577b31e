package oidc

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/oidc"
)

// Each step may come to the other node.
func TestLogin_LeadsBackToThePage(t *testing.T) {
	onEach(t, func(t *testing.T, start func(*testing.T, ...registration) provider) {
		for kind, change := range map[string]func(*registration, *oidc.Config){
			"with a secret": nil,
			"public":        func(a *registration, c *oidc.Config) { a.secret, c.ClientSecret = "", "" },
		} {
			s, provider := startSite(t, start, change)
			p := newPerson(t, "ada")
			before := time.Now().Truncate(time.Second)
			got := s.sessionOn(p.logIn(s.url+"/account?a=b"), "/account?a=b", "ada")
			if p.asked != 1 || !slices.Equal(got.Methods, []string{"pwd"}) || got.ExternalID == "" || got.AuthTime.Before(before) {
				t.Errorf("%s: asked %d times, %+v", kind, p.asked, got)
			}
			if left := s.cookieNames(p, "login-"); len(left) > 0 {
				t.Errorf("%s: the login leaves the cookies %q", kind, left)
			}

			// From here on the provider has no part.
			provider.gate().closed.Store(true)
			for range 4 {
				s.browser(p).ExpireAccess()
				if next := s.sessionOn(p.open(s.url+"/account"), "/account", "ada"); next.ID != got.ID || !next.AuthTime.Equal(got.AuthTime) || next.ExternalID != got.ExternalID {
					t.Errorf("%s: after a refresh: %+v; want %+v", kind, next, got)
				}
			}
			if errs := s.errors(); len(errs) > 0 {
				t.Errorf("%s: the errors are %v", kind, errs)
			}
		}
	})
}

func TestLogin_OfSomebodyWithoutAnAccount(t *testing.T) {
	onEach(t, func(t *testing.T, start func(*testing.T, ...registration) provider) {
		s, _ := startSite(t, start, nil)
		p := newPerson(t, "mallory")
		at := p.logIn(s.url + "/account")
		if at.status != http.StatusForbidden || !strings.Contains(at.body, "no account") {
			t.Errorf("%d %s", at.status, at.body)
		}
		s.loggedOut("mallory", p)
	})
}

// withoutQuestions removes from a request to the provider what makes it ask for the password
// again: the request passes through the browser, and whoever sits there can change it.
func withoutQuestions(r *http.Request) {
	q := r.URL.Query()
	if q.Get("response_type") == "code" {
		q.Del("max_age")
		q.Del("prompt")
		r.URL.RawQuery = q.Encode()
	}
}

func TestLogin_StepUpByAge(t *testing.T) {
	onEach(t, func(t *testing.T, start func(*testing.T, ...registration) provider) {
		s, _ := startSite(t, start, func(_ *registration, c *oidc.Config) { c.ClockTolerance = time.Second })
		p := newPerson(t, "ada")
		first := s.sessionOn(p.logIn(s.url+"/password"), "/password", "ada")
		s.rows.AgeLogin(first.ID, time.Hour)
		s.browser(p).ExpireAccess()
		time.Sleep(2100 * time.Millisecond) // beyond the tolerance, in whole seconds

		// The provider remembers the person, and says when they have entered the password.
		p.rewrite = withoutQuestions
		s.refused("without a new password", p.logIn(s.url+"/password"), http.StatusForbidden, oidc.ErrNotConfirmed)
		if p.asked != 1 {
			t.Errorf("the provider has asked %d times; want once", p.asked)
		}
		p.rewrite = nil
		if same := s.sessionOn(p.open(s.url+"/account"), "/account", "ada"); same.ID != first.ID {
			t.Errorf("after the refusal: %+v; want %+v", same, first)
		}

		began := time.Now().Truncate(time.Second)
		p.trail = nil
		at := p.open(s.url + "/password")
		trail := strings.Join(p.trail, " ")
		for _, want := range []string{s.url + "/login?next=%2Fpassword&reauth=1", "&max_age=0&", "&prompt=login&"} {
			if !strings.Contains(trail, want) {
				t.Errorf("the trail is %s; want %s", trail, want)
			}
		}
		if len(at.forms) != 1 || at.forms[0].id != "login" {
			t.Fatalf("%s: %d %s; want the provider's login page", at.url, at.status, at.body)
		}
		again := s.sessionOn(p.answer(at), "/password", "ada")
		if p.asked != 2 || again.AuthTime.Before(began) {
			t.Errorf("asked %d times, %+v; want twice, and a login after %v", p.asked, again, began)
		}
	})
}

// Providers need not say when somebody has entered their password, unless they are asked
// for a new login.
func TestLogin_StepUpByAgeWithoutAuthTime(t *testing.T) {
	t.Parallel()
	s, _ := startSite(t, startNodeProvider, func(a *registration, _ *oidc.Config) { a.noAuthTime = true })
	p := newPerson(t, "ada")
	if first := s.sessionOn(p.logIn(s.url+"/account"), "/account", "ada"); !first.AuthTime.Equal(oidc.UnknownAuthTime) {
		t.Errorf("%+v; want an unknown time", first)
	}
	p.rewrite = withoutQuestions
	s.refused("without a new password", p.logIn(s.url+"/password"), http.StatusForbidden, oidc.ErrNotConfirmed)
	p.rewrite = nil
	if again := s.sessionOn(p.logIn(s.url+"/password"), "/password", "ada"); p.asked != 2 || time.Since(again.AuthTime) > time.Minute {
		t.Errorf("asked %d times, %+v; want twice, and a recent login", p.asked, again)
	}
}

func TestLogout_EndsTheProvidersSession(t *testing.T) {
	onEach(t, func(t *testing.T, start func(*testing.T, ...registration) provider) {
		s, provider := startSite(t, start, nil)
		p := newPerson(t, "ada")
		asks := p.submit(p.logIn(s.url+"/account"), "Log out", nil)
		s.loggedOut("before the answer", p)
		if asks.url.Host == strings.TrimPrefix(s.url, "http://") {
			t.Fatalf("%s: %d %s; want a page of the provider", asks.url, asks.status, asks.body)
		}
		at := p.submit(asks, provider.confirms(false), nil)
		if at.url.String() != s.url+"/bye" || at.status != http.StatusOK {
			t.Errorf("%s: %d %s; want the app's page", at.url, at.status, at.body)
		}
		s.sessionOn(p.logIn(s.url+"/account"), "/account", "ada")
		if p.asked != 2 {
			t.Errorf("after the logout the provider has asked %d times; want twice", p.asked)
		}

		// A user who goes elsewhere in place of an answer stays logged in there, and there alone.
		p.submit(p.open(s.url+"/account"), "Log out", nil)
		s.loggedOut("without an answer", p)
		s.sessionOn(p.logIn(s.url+"/account"), "/account", "ada")
		if p.asked != 2 {
			t.Errorf("without an answer the provider has asked %d times; want twice", p.asked)
		}
		if errs := s.errors(); len(errs) > 0 {
			t.Errorf("the errors are %v", errs)
		}
	})
}

// oidc-provider offers another button, which ends the login to this app alone.
func TestLogout_WithoutTheProvidersSession(t *testing.T) {
	t.Parallel()
	s, _ := startSite(t, startNodeProvider, nil)
	p := newPerson(t, "ada")
	asks := p.submit(p.logIn(s.url+"/account"), "Log out", nil)
	if at := p.submit(asks, "No, stay signed in", nil); at.url.String() != s.url+"/bye" {
		t.Errorf("%s: %d %s; want the app's page", at.url, at.status, at.body)
	}
	s.loggedOut("after it", p)
	s.sessionOn(p.logIn(s.url+"/account"), "/account", "ada")
	if p.asked != 1 {
		t.Errorf("the provider has asked %d times; want once", p.asked)
	}
}

func TestLogin_WithNewKeysOfTheProvider(t *testing.T) {
	onEach(t, func(t *testing.T, start func(*testing.T, ...registration) provider) {
		s, provider := startSite(t, start, nil)
		p := newPerson(t, "ada")
		for i, drop := range []bool{false, false, true, true} {
			s.sessionOn(p.logIn(s.url+"/account"), "/account", "ada")
			s.sessionOn(newPerson(t, "grace").logIn(s.url+"/account"), "/account", "grace")
			provider.rotate(drop)
			if i == 3 { // nobody has seen the newest key yet
				if n := provider.endSessions("ada"); n != 1 {
					t.Errorf("%d apps were told of the logout; want one", n)
				}
				s.loggedOut("by a token with a new key", p)
			}
		}
		if errs := s.errors(); len(errs) > 0 {
			t.Errorf("the errors are %v", errs)
		}
	})
}

// The app starts while the provider is down, and goes on when it goes down.
func TestLogin_WhileTheProviderIsDown(t *testing.T) {
	onEach(t, func(t *testing.T, start func(*testing.T, ...registration) provider) {
		var closed bool
		s, provider := startSite(t, func(t *testing.T, a ...registration) provider {
			p := start(t, a...)
			p.gate().closed.Store(true)
			closed = true
			return p
		}, nil)
		gate := provider.gate()
		p := newPerson(t, "ada")
		at := p.open(s.url + "/account")
		s.refused("at the start", at, http.StatusServiceUnavailable, oidc.ErrUnavailable)
		if !closed || !strings.Contains(at.body, "does not answer") || at.url.Path != "/login" {
			t.Errorf("%s: %s", at.url, at.body)
		}
		s.loggedOut("at the start", p)
		gate.closed.Store(false)
		for at = p.logIn(s.url + "/account"); at.status == http.StatusServiceUnavailable; at = p.logIn(s.url + "/account") {
			time.Sleep(50 * time.Millisecond)
		}
		first := s.sessionOn(at, "/account", "ada")
		s.errors()

		// The provider goes down while somebody enters their name there.
		q := newPerson(t, "grace")
		q.hold = "/callback/acme"
		answer := q.logIn(s.url + "/account")
		q.hold = ""
		gate.closed.Store(true)
		at = q.open(answer.url.String())
		s.refused("at the callback", at, http.StatusServiceUnavailable, oidc.ErrUnavailable)
		if !strings.Contains(at.body, "does not answer") {
			t.Errorf("at the callback: %s", at.body)
		}
		s.loggedOut("at the callback", q)
		s.browser(p).ExpireAccess()
		if goesOn := s.sessionOn(p.open(s.url+"/account"), "/account", "ada"); goesOn.ID != first.ID {
			t.Errorf("%+v; want %+v", goesOn, first)
		}

		gate.closed.Store(false)
		s.refused("the same answer later", q.open(answer.url.String()), http.StatusBadRequest, oidc.ErrNoLogin)
		s.sessionOn(q.logIn(s.url+"/account"), "/account", "grace")
	})
}

// A login with each provider begins in one browser, and the answers are exchanged.
func TestLogin_OfTwoProvidersSideBySide(t *testing.T) {
	t.Parallel()
	s, serve := listen(t)
	var providers []upstream
	for _, name := range []string{"oidc-provider", "zitadel"} {
		a := s.client(name, "a secret")
		a.id = "app" // the same at both
		providers = append(providers, upstream{name, kinds[name](t, a), a})
	}
	s.start(inMemory(), serve, nil, providers...)

	// held begins a login, and returns the answer of the provider.
	held := func(p *person, name string) *url.URL {
		p.Helper()
		p.hold = "/callback/" + name
		answer := p.logIn(s.url + "/login/" + name + "?next=/account")
		p.hold = ""
		if answer.url.Query().Get("code") == "" {
			p.Fatalf("%s: %d %s; want a code", answer.url, answer.status, answer.body)
		}
		return answer.url
	}
	with := func(u *url.URL, path string, pairs ...string) string {
		q := u.Query()
		for pair := range slices.Chunk(pairs, 2) {
			if pair[1] == "" {
				q.Del(pair[0])
			} else {
				q.Set(pair[0], pair[1])
			}
		}
		return s.url + path + "?" + q.Encode()
	}
	for i, one := range providers {
		other := providers[1-i]
		for name, exchanged := range map[string]func(mine, theirs *url.URL) string{
			"the answer at the other callback": func(mine, _ *url.URL) string { return with(mine, "/callback/"+other.name) },
			"the answer at the other callback, which names it": func(mine, _ *url.URL) string {
				return with(mine, "/callback/"+other.name, "iss", other.issuer())
			},
			"the other's code": func(mine, theirs *url.URL) string {
				return with(mine, "/callback/"+one.name, "code", theirs.Query().Get("code"))
			},
			"the other's code, at its callback": func(mine, theirs *url.URL) string {
				return with(mine, "/callback/"+other.name, "code", theirs.Query().Get("code"), "iss", theirs.Query().Get("iss"))
			},
			"the other's state": func(mine, theirs *url.URL) string {
				return with(mine, "/callback/"+one.name, "state", theirs.Query().Get("state"))
			},
			"the other's state, at its callback": func(mine, theirs *url.URL) string {
				return with(theirs, "/callback/"+other.name, "code", mine.Query().Get("code"))
			},
			"the other's issuer": func(mine, _ *url.URL) string { return with(mine, "/callback/"+one.name, "iss", other.issuer()) },
		} {
			p := newPerson(t, "ada")
			mine, theirs := held(p, one.name), held(p, other.name)
			s.refused(one.name+": "+name, p.open(exchanged(mine, theirs)), http.StatusBadRequest, oidc.ErrNoLogin)
			s.loggedOut(one.name+": "+name, p)
		}

		p := newPerson(t, "ada")
		mine, theirs := held(p, one.name), held(p, other.name)
		first := s.sessionOn(p.open(mine.String()), "/account", "ada")
		second := s.sessionOn(p.open(theirs.String()), "/account", "ada")
		if first.ExternalID == second.ExternalID {
			t.Errorf("both providers have begun %q", first.ExternalID)
		}
		// The session is the other provider's now, and so is the logout.
		if n := one.endSessions("ada"); n == 0 {
			t.Errorf("%s has told nobody of the logout", one.name)
		}
		if still := s.sessionOn(p.open(s.url+"/account"), "/account", "ada"); still.ID != second.ID {
			t.Errorf("%+v; want %+v", still, second)
		}
		if at := p.submit(p.open(s.url+"/account"), "Log out", nil); !strings.HasPrefix(at.url.String(), other.issuer()) {
			t.Errorf("the logout leads to %s; want %s", at.url, other.issuer())
		}
		other.endSessions("ada")
	}
}

func TestLogin_AnAnswerCountsOnce(t *testing.T) {
	onEach(t, func(t *testing.T, start func(*testing.T, ...registration) provider) {
		s, _ := startSite(t, start, nil)
		p := newPerson(t, "ada")
		hold := func(p *person) *url.URL {
			p.hold = "/callback/acme"
			defer func() { p.hold = "" }()
			return p.logIn(s.url + "/account").url
		}
		answer := hold(p)

		// Somebody gives a link with their own answer to another one.
		victim := newPerson(t, "grace")
		s.refused("in a browser that has begun no login", victim.open(answer.String()), http.StatusBadRequest, oidc.ErrNoLogin)
		s.loggedOut("in a browser that has begun no login", victim)
		own := hold(victim)
		q := own.Query()
		q.Set("code", answer.Query().Get("code"))
		s.refused("somebody's code with one's own state", victim.open(s.url+"/callback/acme?"+q.Encode()), http.StatusBadRequest, oidc.ErrNoLogin)
		s.loggedOut("somebody's code with one's own state", victim)
		s.refused("the login after it", victim.open(own.String()), http.StatusBadRequest, oidc.ErrNoLogin)

		first := s.sessionOn(p.logIn(s.url+"/account"), "/account", "ada")
		again := hold(newPerson(t, "ada"))
		s.refused("in another browser", p.open(again.String()), http.StatusBadRequest, oidc.ErrNoLogin)
		if same := s.sessionOn(p.open(s.url+"/account"), "/account", "ada"); same.ID != first.ID {
			t.Errorf("%+v; want %+v", same, first)
		}

		// The back button, after a login; and a code that was used before.
		p = newPerson(t, "ada")
		used := hold(p)
		first = s.sessionOn(p.open(used.String()), "/account", "ada")
		s.refused("the second time", p.open(used.String()), http.StatusBadRequest, oidc.ErrNoLogin)
		q = used.Query()
		q.Set("state", func() string {
			p.hold = "/callback/acme"
			defer func() { p.hold = "" }()
			return p.logIn(s.url + "/login").url.Query().Get("state")
		}())
		s.refused("the code in a second login", p.open(s.url+"/callback/acme?"+q.Encode()), http.StatusBadRequest, oidc.ErrNoLogin)
		if same := s.sessionOn(p.open(s.url+"/account"), "/account", "ada"); same.ID != first.ID {
			t.Errorf("%+v; want %+v", same, first)
		}
	})
}
