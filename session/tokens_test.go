package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

const tokenTTL = 10 * time.Minute

var withTokens = session.Config{TokenTTL: tokenTTL}

// tokenClient is a client that holds tokens.
type tokenClient struct {
	w      *testWorld
	name   string
	grant  session.Grant
	tokens session.Tokens
}

// logProgramIn logs user "1" in with a program of that name.
func (w *testWorld) logProgramIn(name string) *tokenClient {
	w.Helper()
	g, err := w.Tokens().Issue(page(newBrowser()), session.Login{UserID: "1", Client: name})
	if err != nil {
		w.Fatal(err)
	}
	return &tokenClient{w, name, g, w.Tokens()}
}

// copy returns the program as it is after a theft of its tokens.
func (p *tokenClient) copy() *tokenClient {
	stolen := *p
	return &stolen
}

// request returns a request with the access token.
func (p *tokenClient) request() *http.Request { return withToken(p.grant.AccessToken) }

func withToken(token string) *http.Request {
	r := page(newBrowser())
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// ask refreshes and does not receive the answer.
func (p *tokenClient) ask() (session.Grant, error) {
	return p.tokens.Refresh(page(newBrowser()), p.name, p.grant.RefreshToken)
}

// refresh refreshes, as a client of RFC 6749, section 6, does.
func (p *tokenClient) refresh() error {
	g, err := p.ask()
	if err != nil {
		return err
	}
	if g.RefreshToken == "" {
		g.RefreshToken = p.grant.RefreshToken
	}
	p.grant = g
	return nil
}

func (p *tokenClient) mustRefresh() {
	p.w.Helper()
	if err := p.refresh(); err != nil {
		p.w.Fatalf("Refresh: %v", err)
	}
}

func (w *testWorld) expireTokens() { time.Sleep(tokenTTL) }

// inByToken makes a request with a token, which must be served.
func (w *testWorld) inByToken(r *http.Request) session.Session {
	w.Helper()
	v, err := w.Authenticate(r)
	if err != nil || len(v.Cookies) > 0 {
		w.Fatalf("Authenticate: %d cookies, %v; want a session and no cookies", len(v.Cookies), err)
	}
	return v.Session()
}

func (w *testWorld) outByToken(what string, r *http.Request) {
	w.Helper()
	if v, err := w.Authenticate(r); !errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) > 0 {
		w.Errorf("%s: Authenticate: %v with %d cookies, %v; want ErrUnauthenticated and no cookies", what, v, len(v.Cookies), err)
	}
}

func TestTokens_AccessTokenNeedsNoStore(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		if got := p.grant.ExpiresIn; got > tokenTTL || got < tokenTTL*9/10 {
			t.Errorf("the token lives for %v; want 9 to 10 minutes", got)
		}
		if calls := w.calls(func() {
			for range 100 {
				s := w.inByToken(p.request())
				if s.UserID != "1" || s.Client != "acme-cli" || !s.HasRole("staff") || s.ID != p.grant.Session.ID {
					t.Fatalf("the session is %+v", s)
				}
			}
			w.expireTokens()
			w.outByToken("an expired token", p.request())
		}); calls != 0 {
			t.Errorf("%d calls of the store; want none", calls)
		}
	})
}

// The scheme is not case-sensitive, and what is no token of the kit's is not read as one.
func TestHasToken_KnowsTheKitsTokens(t *testing.T) {
	for line, want := range map[string]bool{
		"Bearer skat_x": true, "bearer  skat_x": true, "BEARER skat_": true,
		"Bearer skrt_x": false, "Bearer eyJhbGciOi": false, "Basic skat_x": false, "skat_x": false, "": false, "Bearer": false,
	} {
		r := page(newBrowser())
		r.Header["Authorization"] = []string{line}
		if got := session.HasToken(r); got != want {
			t.Errorf("%q: %v; want %v", line, got, want)
		}
	}
}

func TestTokens_RefreshTokenLivesOn(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		for n := range uint64(50) {
			w.expireTokens()
			old := p.grant
			p.mustRefresh()
			if p.grant.RefreshToken == old.RefreshToken || p.grant.AccessToken == old.AccessToken {
				t.Fatal("a token is the old one")
			}
			if got := w.row(p.grant.Session.ID).Generation; got != n { // a child is confirmed when it is presented
				t.Fatalf("generation %d after %d rotations", got, n+1)
			}
			w.inByToken(p.request())
		}
		time.Sleep(30 * 24 * time.Hour)
		if err := p.refresh(); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("after the idle timeout: %v; want ErrUnauthenticated", err)
		}
	})
}

// A young token and a straggler get an access token alone: their client has, or is about to
// get, a newer refresh token.
func TestTokens_EarlyRefreshKeepsTheRefreshToken(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		for _, c := range []struct {
			what  string
			after time.Duration
			want  bool
		}{{"at once", 0, false}, {"before 5/6 of TokenTTL", tokenTTL*5/6 - time.Second, false}, {"after it", 2 * time.Second, true}} {
			time.Sleep(c.after)
			g, err := p.ask()
			if err != nil || g.RefreshToken != "" != c.want || g.AccessToken == "" {
				t.Errorf("%s: a refresh token: %v, %v; want %v", c.what, g.RefreshToken != "", err, c.want)
			}
		}
		w.expireTokens()
		before := p.copy()
		p.mustRefresh()
		w.expireTokens()
		old := p.copy()
		p.mustRefresh()                            // confirms its refresh token, and so replaces that of before
		time.Sleep(time.Second + time.Millisecond) // outcomes are shared no longer
		if g, err := before.ask(); err != nil || g.RefreshToken != "" {
			t.Errorf("the parent, a moment after its child: a refresh token: %v, %v", g.RefreshToken != "", err)
		}
		if _, err := old.ask(); err != nil {
			t.Errorf("the confirmed one again: %v", err)
		}
	})
}

// An answer that is lost costs nothing, however many are.
func TestTokens_LostAnswersAreHarmless(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		for range 20 {
			w.expireTokens()
			for range 3 {
				if _, err := p.ask(); err != nil {
					t.Fatalf("with the old token after a lost answer: %v", err)
				}
				time.Sleep(time.Minute)
			}
			p.mustRefresh()
		}
		if n := w.count(session.EventReuse); n > 0 {
			t.Errorf("%d thefts", n)
		}
	})
}

func TestTokens_ParallelRefreshesAllGetUsableTokens(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		w.expireTokens()
		p.mustRefresh()
		w.expireTokens()
		var wg sync.WaitGroup
		grants := make([]session.Grant, 8)
		for i := range grants {
			wg.Go(func() {
				var err error
				if grants[i], err = p.ask(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, g := range grants {
			w.inByToken(withToken(g.AccessToken))
			if g.RefreshToken == "" || g.RefreshToken == grants[0].RefreshToken && g.AccessToken != grants[0].AccessToken {
				t.Error("an answer has no refresh token of its own")
			}
		}
		if got := w.row(p.grant.Session.ID).Generation; got != 1 {
			t.Errorf("generation %d; want 1", got)
		}
		w.expireTokens()
		p.grant = grants[7]
		p.mustRefresh()
	})
}

// An outcome is shared for no longer than a straggler of either kind is served.
func TestTokens_OutcomesAreSharedForAMoment(t *testing.T) {
	inTestWorld(t, session.Config{TokenTTL: time.Second}, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		for wait, want := range map[time.Duration]int{time.Second / 12: 0, time.Second/12 + time.Millisecond: 1} {
			time.Sleep(time.Second)
			ask := func() {
				if _, err := p.ask(); err != nil {
					t.Error(err)
				}
			}
			ask()
			time.Sleep(wait)
			if calls := w.calls(ask, "Find", "FindAndConfirm"); calls != want {
				t.Errorf("again after %v: %d reads; want %d", wait, calls, want)
			}
		}
	})
}

// A thief is caught by the same rules as with cookies, whatever he does with the answers.
func TestTokens_TheftOfARefreshTokenIsNoticed(t *testing.T) {
	for name, thief := range map[string]func(w *testWorld, stolen, victim *tokenClient) error{
		"he rotates": func(w *testWorld, stolen, victim *tokenClient) error {
			stolen.mustRefresh()
			w.expireTokens()
			stolen.mustRefresh() // his child is confirmed
			w.expireTokens()
			return victim.refresh()
		},
		"he rotates, and the victim before him": func(w *testWorld, stolen, victim *tokenClient) error {
			victim.mustRefresh()
			w.expireTokens()
			victim.mustRefresh()
			w.expireTokens()
			return stolen.refresh()
		},
		"he discards his answers": func(w *testWorld, stolen, victim *tokenClient) error {
			victim.mustRefresh()
			for range 3 {
				w.expireTokens()
				time.Sleep(time.Minute)
				if _, err := stolen.ask(); err != nil {
					return err
				}
			}
			return victim.refresh()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, withTokens, func(w *testWorld) {
				victim := w.logProgramIn("acme-cli")
				stolen := victim.copy()
				w.expireTokens()
				if err := thief(w, stolen, victim); !errors.Is(err, session.ErrReused) {
					t.Errorf("%v; want ErrReused", err)
				}
				if w.count(session.EventReuse) != 1 || w.row(victim.grant.Session.ID).Reason != store.ReasonReuse {
					t.Errorf("%d events of reuse; want 1, and a revoked row", w.count(session.EventReuse))
				}
				for _, p := range []*tokenClient{stolen, victim} {
					if err := p.refresh(); !errors.Is(err, session.ErrUnauthenticated) {
						t.Errorf("after it: %v; want ErrUnauthenticated", err)
					}
				}
			})
		})
	}
}

// No value of one kind opens as another one.
func TestTokens_NoKindOfTicketPassesForAnother(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		p := w.logProgramIn("acme-cli")
		access, refresh := strings.TrimPrefix(p.grant.AccessToken, "skat_"), strings.TrimPrefix(p.grant.RefreshToken, "skrt_")
		for _, value := range []string{access, refresh, p.grant.AccessToken, p.grant.RefreshToken} {
			for _, name := range append(refreshCookies, accessCookie) {
				r := page(newBrowser())
				r.Header.Set("Cookie", name+"="+value)
				w.outByToken("a token in the cookie "+name, r)
			}
		}
		for _, value := range []string{valueOf(b, accessCookie), valueOf(b, refreshCookie), refresh} {
			w.outByToken("another value as a token", withToken("skat_"+value))
		}
		for _, value := range []string{valueOf(b, refreshCookie), valueOf(b, accessCookie), access} {
			if _, err := w.Tokens().Refresh(page(newBrowser()), "acme-cli", "skrt_"+value); !errors.Is(err, session.ErrUnauthenticated) {
				t.Errorf("another value as a refresh token: %v", err)
			}
			if _, err := w.Tokens().Introspect(page(newBrowser()), "skrt_"+value); !errors.Is(err, session.ErrUnauthenticated) {
				t.Errorf("another value is active: %v", err)
			}
		}
		w.inByToken(p.request())
	})
}

func TestManager_TokenBesideAnotherCredentialIsAmbiguous(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		p := w.logProgramIn("acme-cli")
		for name, change := range map[string]func(r *http.Request){
			"with cookies":             func(r *http.Request) { r.Header.Set("Cookie", page(b).Header.Get("Cookie")) },
			"with a cookie of nothing": func(r *http.Request) { r.Header.Set("Cookie", accessCookie+"=x") },
			"twice":                    func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) },
			"with Basic":               func(r *http.Request) { r.Header.Add("Authorization", "Basic eDp5") },
			"with Basic before it": func(r *http.Request) {
				r.Header["Authorization"] = append([]string{"Basic eDp5"}, r.Header["Authorization"]...)
			},
		} {
			r := p.request()
			change(r)
			if _, err := w.Authenticate(r); !errors.Is(err, session.ErrAmbiguous) {
				t.Errorf("%s: %v; want ErrAmbiguous", name, err)
			}
		}
		r := p.request()
		r.Header.Set("Cookie", accessCookie+"=; theme=dark")
		w.inByToken(r)
		if got := w.count(session.EventAmbiguous); got != 5 {
			t.Errorf("%d events; want 5", got)
		}
	})
}

// An app without tokens reads the cookies of a request, whatever its Authorization says.
func TestManager_TokenMeansNothingWithoutTokenTTL(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		want := w.login(b, session.Login{})
		r := page(b)
		r.Header.Set("Authorization", "Bearer skat_x")
		if v, err := w.Authenticate(r); err != nil || v.Session().ID != want.ID {
			t.Errorf("Authenticate: %v, %v; want the session of the cookies", v, err)
		}
		tokens := w.Tokens()
		_, issued := tokens.Issue(r, session.Login{UserID: "1", Client: "x"})
		_, refreshed := tokens.Refresh(r, "x", "skrt_x")
		_, active := tokens.Introspect(r, "skat_x")
		for name, err := range map[string]error{"Issue": issued, "Refresh": refreshed, "Introspect": active, "Revoke": tokens.Revoke(r, "x", "skat_x")} {
			if err == nil || errors.Is(err, session.ErrUnauthenticated) || !strings.Contains(err.Error(), "TokenTTL") {
				t.Errorf("%s: %v; want an error that names TokenTTL", name, err)
			}
		}
	})
}

func TestTokens_EitherTokenEndsTheSession(t *testing.T) {
	for name, token := range map[string]func(p *tokenClient) string{
		"access":  func(p *tokenClient) string { return p.grant.AccessToken },
		"refresh": func(p *tokenClient) string { return p.grant.RefreshToken },
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, withTokens, func(w *testWorld) {
				p := w.logProgramIn("acme-cli")
				r := page(newBrowser())
				if err := w.Tokens().Revoke(r, "other", token(p)); !errors.Is(err, session.ErrUnauthenticated) {
					t.Errorf("for another client: %v; want ErrUnauthenticated", err)
				}
				w.inByToken(p.request())
				for range 2 {
					if err := w.Tokens().Revoke(r, "acme-cli", token(p)); err != nil {
						t.Errorf("Revoke: %v", err)
					}
				}
				if calls := w.calls(func() { w.outByToken("after Revoke", p.request()) }); calls != 0 {
					t.Errorf("a revoked token: %d calls of the store; want none", calls)
				}
				if err := p.refresh(); !errors.Is(err, session.ErrUnauthenticated) {
					t.Errorf("Refresh after Revoke: %v", err)
				}
				if got := w.row(p.grant.Session.ID).Reason; got != store.ReasonLogout {
					t.Errorf("the reason is %q; want %q", got, store.ReasonLogout)
				}
			})
		})
	}
}

func TestTokens_UnknownTokenIsRevokedWithoutAStatement(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		if calls := w.calls(func() {
			for _, token := range []string{"", "x", "skat_", "skrt_x", "skdc_x", strings.Repeat("x", 10_000)} {
				if err := w.Tokens().Revoke(page(newBrowser()), "acme-cli", token); err != nil {
					t.Errorf("%.10q: %v", token, err)
				}
				if _, err := w.Tokens().Introspect(page(newBrowser()), token); !errors.Is(err, session.ErrUnauthenticated) {
					t.Errorf("%.10q is active: %v", token, err)
				}
				if _, err := w.Tokens().Refresh(page(newBrowser()), "acme-cli", token); !errors.Is(err, session.ErrUnauthenticated) {
					t.Errorf("%.10q is refreshed: %v", token, err)
				}
			}
		}); calls != 0 {
			t.Errorf("%d calls of the store; want none", calls)
		}
	})
}

// A refresh token is worth nothing to another client (RFC 6749, section 6), and loses nothing by
// the try.
func TestTokens_RefreshTokenBelongsToItsClient(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		w.expireTokens()
		if calls := w.calls(func() {
			if _, err := w.Tokens().Refresh(page(newBrowser()), "other", p.grant.RefreshToken); !errors.Is(err, session.ErrUnauthenticated) {
				t.Errorf("for another client: %v; want ErrUnauthenticated", err)
			}
		}); calls != 0 {
			t.Errorf("%d calls of the store; want none", calls)
		}
		p.mustRefresh()
	})
}

// Everything that ends a session ends that of a program.
func TestTokens_SessionIsADevice(t *testing.T) {
	for name, end := range map[string]func(w *testWorld, p *tokenClient) error{
		"Revoke":     func(w *testWorld, p *tokenClient) error { return w.Revoke(w.Context(), "1", p.grant.Session.ID) },
		"RevokeUser": func(w *testWorld, p *tokenClient) error { return w.RevokeUser(w.Context(), "1") },
		"RevokeAll":  func(w *testWorld, p *tokenClient) error { return w.RevokeAll(w.Context()) },
		"Logout":     func(w *testWorld, p *tokenClient) error { _, err := w.Logout(p.request()); return err },
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, withTokens, func(w *testWorld) {
				p := w.logProgramIn("acme-cli")
				list, err := w.List(w.Context(), "1", "")
				if err != nil || len(list) != 1 || list[0].Client != "acme-cli" || list[0].ID != p.grant.Session.ID {
					t.Errorf("the devices are %+v, %v", list, err)
				}
				if err := end(w, p); err != nil {
					t.Fatal(err)
				}
				w.outByToken("afterwards", p.request())
				if err := p.refresh(); !errors.Is(err, session.ErrUnauthenticated) {
					t.Errorf("Refresh afterwards: %v", err)
				}
			})
		})
	}
}

// Another node accepts a revoked token no longer, until it expires: the list of revocations
// remembers for the longest access lifetime.
func TestRevocationList_RemembersForTheLongestAccessLifetime(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		other := w.node(withTokens)
		stop := other.run()
		defer stop()
		p := w.logProgramIn("acme-cli")
		if err := w.Tokens().Revoke(page(newBrowser()), "acme-cli", p.grant.AccessToken); err != nil {
			t.Fatal(err)
		}
		for waited := 2 * time.Second; waited < tokenTTL; waited += 10 * time.Second {
			time.Sleep(10 * time.Second)
			if _, err := other.Authenticate(p.request()); !errors.Is(err, session.ErrUnauthenticated) {
				t.Fatalf("after %v another node accepts the token: %v", waited, err)
			}
		}
	})
}

func TestTokens_IntrospectionSaysWhatTheRowSays(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"admin"}})
		for _, token := range []string{p.grant.AccessToken, p.grant.RefreshToken} {
			calls := w.calls(func() {
				s, err := w.Tokens().Introspect(page(newBrowser()), token)
				if err != nil || s.UserID != "1" || s.Client != "acme-cli" || !s.HasRole("admin") {
					t.Errorf("%+v, %v; want the roles of the row", s, err)
				}
			})
			if calls != 1 {
				t.Errorf("%d calls of the store; want 1", calls)
			}
		}
		s, _ := w.Tokens().Introspect(page(newBrowser()), p.grant.AccessToken)
		if got := s.ExpiresAt.Sub(p.grant.Session.ExpiresAt); got != 0 {
			t.Errorf("the end of the token is off by %v", got)
		}
		for name, end := range map[string]func(){
			"banned":  func() { w.users.SetUser("1", store.User{Epoch: 1, Disabled: true}) },
			"expired": func() { w.users.SetUser("1", store.User{Epoch: 1}); w.expireTokens() },
		} {
			end()
			if s, err := w.Tokens().Introspect(page(newBrowser()), p.grant.AccessToken); !errors.Is(err, session.ErrUnauthenticated) {
				t.Errorf("%s: %+v, %v; want ErrUnauthenticated", name, s, err)
			}
			w.users.SetUser("1", store.User{Epoch: 1})
		}
		// A superseded refresh token is not active, and ends nothing here.
		old := p.copy()
		for range 3 {
			p.mustRefresh()
			w.expireTokens()
		}
		if _, err := w.Tokens().Introspect(page(newBrowser()), old.grant.RefreshToken); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("a superseded refresh token is active: %v", err)
		}
		p.mustRefresh()
	})
}

// The keys alone make an access token that is accepted, but none that RequireLive passes.
func TestManager_RequireLiveNeedsTheProofInAToken(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		live := func(r *http.Request) (session.Verdict, error) {
			v, err := w.Authenticate(r)
			if err != nil {
				t.Fatalf("Authenticate: %v", err)
			}
			return w.RequireLive(r, v)
		}
		w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"admin"}})
		if v, err := live(p.request()); err != nil || !v.Session().HasRole("admin") || v.Session().HasRole("staff") {
			t.Errorf("%v, %v; want the roles of the row", v.Session(), err)
		}
		id, err := store.ParseID(p.grant.Session.ID)
		if err != nil {
			t.Fatal(err)
		}
		payload := session.AccessPayload(id, p.grant.Session)
		forged := withToken("skat_" + seal(t, codecFor(t, testWorldKey, "token|access"), "access_token", payload))
		if _, err := live(forged); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("a forged token: %v; want ErrUnauthenticated", err)
		}
		value, _ := strings.CutPrefix(forged.Header.Get("Authorization"), "Bearer ")
		if _, err := w.Tokens().Introspect(forged, value); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("a forged token is active: %v; want ErrUnauthenticated", err)
		}
		if err := w.RevokeUser(w.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		v := session.Verdict{}
		if _, err := w.RequireLive(p.request(), v); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("without a session: %v", err)
		}
	})
}

// A token begins and ends no session of a browser, whose cookies may be in the request that
// asks for it.
func TestTokens_IssueLeavesTheBrowserAlone(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		if _, err := w.Tokens().Issue(page(b), session.Login{UserID: "1", Client: "acme-cli"}); err != nil {
			t.Fatal(err)
		}
		w.expireAccess()
		w.in(b)
	})
}

func TestTokens_FaultsOfALoginAreNamed(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		for want, login := range map[string]session.Login{
			"name the client":        {UserID: "1"},
			"Client is not for":      {UserID: "1", Client: "x", Remember: true},
			"Client has 256":         {UserID: "1", Client: strings.Repeat("x", 256)},
			"IdleTimeout is 19m0s":   {UserID: "1", Client: "x", IdleTimeout: 19 * time.Minute},
			"the user may not log":   {UserID: "9", Client: "x"},
			"Client has 1 bytes: us": {UserID: "1", Client: "\xff"},
		} {
			if _, err := w.Tokens().Issue(page(newBrowser()), login); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v; want %q", login, err, want)
			}
		}
		if _, err := w.Issue(page(newBrowser()), session.Login{UserID: "1", Client: "x"}); err == nil || !strings.Contains(err.Error(), "Client") {
			t.Errorf("Issue with a client: %v; want an error", err)
		}
	})
}

func TestConfig_TokenTimesAreChecked(t *testing.T) {
	for want, cfg := range map[string]session.Config{
		"TokenTTL is 1ms":             {TokenTTL: time.Millisecond},
		"TokenTTL is 2h":              {TokenTTL: 2 * time.Hour},
		"TokenTTL is -1s":             {TokenTTL: -time.Second},
		"TokenIdleTimeout is 15m":     {TokenTTL: 10 * time.Minute, TokenIdleTimeout: 15 * time.Minute},
		"TokenAbsoluteTimeout is 1h":  {TokenTTL: 10 * time.Minute, TokenAbsoluteTimeout: time.Hour},
		"TokenAbsoluteTimeout is 960": {TokenTTL: 10 * time.Minute, TokenAbsoluteTimeout: 9601 * time.Hour},
	} {
		if _, err := session.New(testWorldKeys(t, testWorldKey), store.NewMemory(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q", cfg, err, want)
		}
	}
}

// A user who has outgrown the token is not logged out.
func TestTokens_OutgrownTokenEndsNothing(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		w.expireTokens()
		w.users.SetUser("1", store.User{Epoch: 1, Attrs: map[string]string{"name": strings.Repeat("x", 4000)}})
		if err := p.refresh(); !errors.Is(err, session.ErrTooLarge) || w.count(session.EventTooLarge) != 1 {
			t.Errorf("%v, %d events; want ErrTooLarge and an event", err, w.count(session.EventTooLarge))
		}
		w.users.SetUser("1", store.User{Epoch: 1})
		time.Sleep(2 * time.Second)
		p.mustRefresh()
	})
}

// A token may be asked for in a browser, and used by a program.
func TestTokens_FingerprintIsForBrowsers(t *testing.T) {
	cfg := withTokens
	cfg.Fingerprint, cfg.RequireFingerprint = (*http.Request).UserAgent, true
	inTestWorld(t, cfg, func(w *testWorld) {
		browser := page(newBrowser())
		browser.Header.Set("User-Agent", "Firefox/145")
		g, err := w.Tokens().Issue(browser, session.Login{UserID: "1", Client: "acme-cli"})
		if err != nil {
			t.Fatal(err)
		}
		r := withToken(g.AccessToken)
		r.Header.Set("User-Agent", "curl/8")
		v, err := w.Authenticate(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.RequireLive(r, v); err != nil {
			t.Errorf("RequireLive: %v", err)
		}
		w.expireTokens()
		if _, err := w.Tokens().Refresh(r, "acme-cli", g.RefreshToken); err != nil || w.count(session.EventSuspicious) > 0 {
			t.Errorf("Refresh: %v, %d suspicions", err, w.count(session.EventSuspicious))
		}
	})
}

// The store's trouble ends nothing, and opens nothing.
func TestTokens_StoreErrorIsNeverALogout(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		w.expireTokens()
		w.store.Before(func(context.Context, string) error { return errStoreDown })
		if err := p.refresh(); !errors.Is(err, session.ErrStoreUnavailable) {
			t.Errorf("Refresh: %v; want ErrStoreUnavailable", err)
		}
		if _, err := w.Tokens().Introspect(page(newBrowser()), p.grant.RefreshToken); !errors.Is(err, session.ErrStoreUnavailable) {
			t.Errorf("Introspect: %v; want ErrStoreUnavailable", err)
		}
		w.repairStore()
		p.mustRefresh()
	})
}

func TestGrant_PrintsNoToken(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		text, err := p.grant.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		for _, printed := range []string{fmt.Sprint(p.grant), fmt.Sprintf("%+v %#v %s", p.grant, p.grant, &p.grant), string(text), p.grant.LogValue().String()} {
			if strings.Contains(printed, "skat_") || strings.Contains(printed, "skrt_") || !strings.Contains(printed, p.grant.Session.ID) {
				t.Errorf("printed %s", printed)
			}
		}
	})
}
