package session_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// refreshed returns a verdict that sets both cookies, of a session of two minutes ago.
func (w *testWorld) refreshed() (v session.Verdict, s session.Session) {
	w.Helper()
	b := newBrowser()
	s = w.login(b, session.Login{})
	w.expireAccess()
	v = w.answered(b)
	w.wantCookies("a refresh", v.Cookies, accessCookie, oddRefreshCookie)
	return v, s
}

// SetCookies without a guard keeps an answer with cookies out of every cache, whatever
// cache headers the handler has set.
func TestVerdict_SetCookiesKeepsTheAnswerOutOfCaches(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		v, _ := w.refreshed()
		a := newAnswer()
		for _, name := range []string{"Cache-Control", "CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Surrogate-Control", "X-Accel-Expires"} {
			a.Header().Set(name, "public, max-age=600")
		}
		a.Header()["surrogate-control"] = []string{"max-age=600"} // not in canonical form
		a.Header().Set("X-Cache-Control-Note", "kept")
		v.SetCookies(a)
		lines := []string{v.Cookies[0].String(), v.Cookies[1].String()}
		want := http.Header{"Cache-Control": {"no-store"}, "X-Cache-Control-Note": {"kept"}, "Set-Cookie": lines}
		if !maps.EqualFunc(a.Header(), want, slices.Equal) {
			w.Errorf("header %v; want %v", a.Header(), want)
		}
	})
}

func TestVerdict_SetCookiesWithoutCookiesChangesNothing(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		for name, v := range map[string]session.Verdict{"no session": {}, "a good access cookie": w.answered(b)} {
			a := newAnswer()
			a.Header().Set("Cache-Control", "public")
			a.Header().Set("Set-Cookie", accessCookie+"=another verdict's")
			want := a.Header().Clone()
			v.SetCookies(a)
			w.DropStaleCookies(a.Header(), v)
			if !maps.EqualFunc(a.Header(), want, slices.Equal) {
				w.Errorf("%s: header %v; want %v", name, a.Header(), want)
			}
		}
	})
}

// A browser keeps the last of two cookies of the same name, and readers of the header
// may differ. So SetCookies replaces earlier ones.
func TestVerdict_SetCookiesReplacesItsOwnNamesAlone(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		v, _ := w.refreshed()
		a := newAnswer()
		others := []string{
			accessCookie + "-theme=dark",
			accessCookie,
			"x" + accessCookie + "=1",
			strings.ToLower(accessCookie) + "=1",
			"theirs=" + accessCookie + "=1",
		}
		a.Header()["Set-Cookie"] = slices.Concat([]string{accessCookie + "=old; Path=/"}, others, []string{oddRefreshCookie + "=", oddRefreshCookie + "=old"})
		v.SetCookies(a)
		want := slices.Concat(others, []string{v.Cookies[0].String(), v.Cookies[1].String()})
		if got := a.Header()["Set-Cookie"]; !slices.Equal(got, want) {
			w.Errorf("got  %q\nwant %q", got, want)
		}
		w.DropStaleCookies(a.Header(), v)
		if got := a.Header()["Set-Cookie"]; !slices.Equal(got, want) {
			w.Errorf("DropStaleCookies: got  %q\nwant %q", got, want)
		}
	})
}

// An answer from which DropStaleCookies removed the refresh cookie has the effect of a
// lost answer.
func TestVerdict_DropStaleCookiesTakesBackALateRefreshCookie(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		v, _ := w.refreshed()
		for _, c := range []struct {
			wait time.Duration
			want []string
		}{
			{0, []string{"theirs", accessCookie, oddRefreshCookie}},
			{30 * time.Second, []string{"theirs", accessCookie, oddRefreshCookie}}, // a quarter of the access lifetime
			{time.Microsecond, []string{"theirs", accessCookie}},
			{time.Hour, []string{"theirs", accessCookie}},
		} {
			time.Sleep(c.wait)
			a := newAnswer()
			a.Header().Set("Set-Cookie", "theirs=1")
			v.SetCookies(a)
			a.Header().Set("Cache-Control", "public") // the handler's
			a.Header().Set("CDN-Cache-Control", "public")
			w.DropStaleCookies(a.Header(), v)
			w.wantCookies(fmt.Sprint(c.wait, " later"), a.cookies(), c.want...)
			if got := a.Header(); got.Get("Cache-Control") != "no-store" || got.Get("CDN-Cache-Control") != "" {
				w.Errorf("%v later: header %v; want no-store alone", c.wait, got)
			}
		}
		if len(v.Cookies) != 2 {
			w.Errorf("the verdict has %d cookies left; want 2", len(v.Cookies))
		}
	})
}

// The age of an answer counts from when the store was asked.
func TestVerdict_DropStaleCookiesCountsTheWaitForTheStore(t *testing.T) {
	inTestWorld(t, session.Config{AccessTTL: 4 * time.Second}, func(w *testWorld) {
		for _, c := range []struct {
			wait time.Duration
			want []string
		}{
			{time.Second, []string{accessCookie, oddRefreshCookie}},
			{time.Second + time.Microsecond, []string{accessCookie}},
		} {
			b := newBrowser()
			w.login(b, session.Login{})
			w.expireAccess()
			w.store.Delay(c.wait, "Find")
			v := w.answered(b)
			w.store.Before(nil)
			a := newAnswer()
			v.SetCookies(a)
			w.DropStaleCookies(a.Header(), v)
			w.wantCookies(fmt.Sprint("the store took ", c.wait), a.cookies(), c.want...)
		}
	})
}

// The refresh cookie of a login has no siblings, so it is never stale.
func TestVerdict_DropStaleCookiesKeepsTheCookiesOfALogin(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		v, err := w.Issue(page(newBrowser()), session.Login{UserID: "1"})
		if err != nil {
			w.Fatal(err)
		}
		a := newAnswer()
		v.SetCookies(a)
		time.Sleep(time.Hour)
		w.DropStaleCookies(a.Header(), v)
		w.wantCookies("an hour later", a.cookies(), accessCookie, refreshCookie, oddRefreshCookie)
	})
}

// A late answer revives neither a revoked session nor roles that were removed.
func TestVerdict_DropStaleCookiesTakesBackEveryCookieAfterARevocation(t *testing.T) {
	for name, change := range map[string]func(w *testWorld, s session.Session) error{
		"Revoke":     func(w *testWorld, s session.Session) error { return w.Revoke(w.Context(), "1", s.ID) },
		"RevokeUser": func(w *testWorld, _ session.Session) error { return w.RevokeUser(w.Context(), "1") },
		"RevokeAll":  func(w *testWorld, _ session.Session) error { return w.RevokeAll(w.Context()) },
		"Reload":     func(w *testWorld, _ session.Session) error { return w.ForceRefresh(w.Context(), "1") },
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			refreshed, s := w.refreshed()
			login, err := w.Issue(page(newBrowser()), session.Login{UserID: "1"})
			if err != nil {
				w.Fatal(err)
			}
			if name == "Revoke" {
				if err := change(w, login.Session()); err != nil {
					w.Fatal(err)
				}
			}
			if err := change(w, s); err != nil {
				w.Fatal(err)
			}
			for what, v := range map[string]session.Verdict{"a refresh": refreshed, "a login": login} {
				a := newAnswer()
				v.SetCookies(a)
				a.Header().Set("Cache-Control", "max-age=5")
				w.DropStaleCookies(a.Header(), v)
				if _, there := a.Header()["Set-Cookie"]; there || a.Header().Get("Cache-Control") != "max-age=5" {
					w.Errorf("%s: %s: header %v; want no cookie, and the handler's Cache-Control", name, what, a.Header())
				}
				a.Header()["Set-Cookie"] = []string{"theirs=1", v.Cookies[0].String()}
				w.DropStaleCookies(a.Header(), v)
				w.wantCookies(name+": "+what+" beside another cookie", a.cookies(), "theirs")
			}
		})
	}
}

// A handler that logs in or out sets newer cookies of the same names.
func TestVerdict_DropStaleCookiesLeavesWhatANewerVerdictHasSet(t *testing.T) {
	for name, newer := range map[string]func(w *testWorld, r *http.Request) (session.Verdict, error){
		"login": func(w *testWorld, r *http.Request) (session.Verdict, error) {
			return w.Issue(r, session.Login{UserID: "1"})
		},
		"logout": func(w *testWorld, r *http.Request) (session.Verdict, error) { return w.Logout(r) },
	} {
		for _, late := range []time.Duration{0, time.Minute} {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				old := newBrowser()
				w.login(old, session.Login{})
				w.expireAccess()
				first, err := w.Authenticate(page(old))
				if err != nil {
					w.Fatal(err)
				}
				a := newAnswer()
				first.SetCookies(a)
				// A login from another browser does not revoke this one's session, so
				// only the newer cookies make the older ones stale.
				second, err := newer(w, page(newBrowser()))
				if err != nil {
					w.Fatal(err)
				}
				second.SetCookies(a)
				want := slices.Clone(a.Header()["Set-Cookie"])
				time.Sleep(late)
				w.DropStaleCookies(a.Header(), first)
				if got := a.Header()["Set-Cookie"]; !slices.Equal(got, want) || len(want) != 3 {
					w.Errorf("%s: got  %q\nwant %q", name, got, want)
				}
			})
		}
	}
}

func TestVerdict_PrintsNoCookie(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		v, _ := w.refreshed()
		js, err := json.Marshal(v)
		if err != nil {
			w.Fatal(err)
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "verdict", v)
		for _, text := range []string{fmt.Sprintf("%v %+v %#v %q %s %x", v, v, v, v, v, &v), string(js), log.String()} {
			if !strings.Contains(text, "session "+v.Session().ID) {
				w.Errorf("%q does not say which session", text)
			}
			for _, c := range v.Cookies {
				if strings.Contains(text, c.Value) {
					w.Errorf("%q shows a cookie", text)
				}
			}
		}
		if text := fmt.Sprint(session.Verdict{}); text != "no session" {
			w.Errorf("a verdict without a session prints %q; want no session", text)
		}
	})
}
