package session_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

const swaps = 100 // of each class

// A value that was sealed for one cookie is accepted as no other: not as the other
// cookie of the same app, not by another app, and not under another key. Nor is a
// value that shares only one of the two keys, or that has the right keys but another
// kind or version.
func TestManager_CookieForOnePurposeServesNoOther(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		mac := func(cookie string) []byte { return derivedKey(w.T, testWorldKey, kindOf(cookie)+"|mac") }
		now := time.Now()
		refresh := session.RefreshTicket{Root: randomID(), ID: randomID(), Issued: now.Add(-time.Minute), Expires: now.Add(time.Hour)}
		payloads := map[string][]byte{
			accessCookie: session.AccessPayload(store.ID{1}, session.Session{
				UserID: "42", AuthTime: now, IssuedAt: now, ExpiresAt: now.Add(time.Minute), EndsAt: now.Add(time.Hour),
			}),
			refreshCookie: refresh.Payload(),
		}
		others := map[string]string{accessCookie: refreshCookie, refreshCookie: accessCookie}

		// Sealed correctly, the access cookie is accepted and the refresh cookie costs a
		// store call. So each refusal below has the one fault that it names.
		right := func(cookie string, payload []byte) string {
			return cookie + "=" + seal(w.T, codecFor(w.T, testWorldKey, kindOf(cookie)), cookie, payload)
		}
		r := page(newBrowser())
		r.Header.Set("Cookie", right(accessCookie, payloads[accessCookie]))
		if _, err := w.Authenticate(r); err != nil {
			w.Fatal(err)
		}
		r.Header.Set("Cookie", right(refreshCookie, payloads[refreshCookie]))
		if n := w.calls(func() { _, _ = w.Authenticate(r) }); n != 1 {
			w.Fatalf("a valid refresh cookie cost %d store calls; want 1", n)
		}

		shop, otherKey, retired := w.node(session.Config{App: "shop"}), w.node(session.Config{}), w.node(session.Config{})
		if err := otherKey.SetKeys(testWorldKeys(w.T, session.GenerateKey())); err != nil {
			w.Fatal(err)
		}
		a := newAttacker(w)
		for range swaps {
			b, inShop, underOther, underRetired := newBrowser(), newBrowser(), newBrowser(), newBrowser()
			w.login(b, session.Login{})
			shop.login(inShop, session.Login{})
			otherKey.login(underOther, session.Login{})
			retired.login(underRetired, session.Login{})
			if err := retired.SetKeys(testWorldKeys(w.T, session.GenerateKey())); err != nil {
				w.Fatal(err)
			}

			a.sends("both cookies swapped", accessCookie+"="+valueOf(b, refreshCookie)+"; "+refreshCookie+"="+valueOf(b, accessCookie))
			a.sends("the other refresh cookie's value", oddRefreshCookie+"="+valueOf(b, refreshCookie))
			for name, other := range others {
				plain := strings.TrimPrefix(name, "__Host-Http-")
				a.sends("the other cookie's value", name+"="+valueOf(b, other))
				a.sends("another app's", name+"="+valueOf(inShop, "__Host-Http-shop-"+plain))
				a.sends("another key's", name+"="+valueOf(underOther, name))
				a.sends("without encryption", name+"="+seal(w.T, securecookie.New(mac(name), nil), name, payloads[name]))
				a.sends("the MAC's key with another encryption key", name+"="+seal(w.T,
					securecookie.New(mac(name), derivedKey(w.T, session.GenerateKey(), kindOf(name)+"|enc")), name, payloads[name]))
				a.sends("the other kind's keys", name+"="+seal(w.T, codecFor(w.T, testWorldKey, kindOf(other)), name, payloads[name]))
				a.sends("the other kind's content", right(name, payloads[other]))
				a.sends("another version", right(name, append([]byte{payloads[name][0] + 1}, payloads[name][1:]...)))
				a.sends("no content", right(name, nil))
				a.sends("the name for plain HTTP", plain+"="+valueOf(b, name))

				r := page(newBrowser())
				r.Header.Set("Cookie", name+"="+valueOf(underRetired, name))
				if _, err := retired.Authenticate(r); err == nil {
					w.Error("a cookie under a removed key was accepted")
				}
			}
		}
		a.report("cookies sealed for another purpose", 21*swaps)
	})
}

// The access cookie decides whom a request belongs to. The refresh cookie decides only
// if there is no valid access cookie. The identity and the cookies of the answer never
// mix two users.
func TestManager_CookiesOfTwoUsersAreNeverMixed(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		const users = 50
		user := func(i int) string { return "user " + strconv.Itoa(i) }
		browsers := make([]*sessiontest.Browser, users)
		for i := range browsers {
			w.users.SetUser(user(i), store.User{Roles: []string{"role of " + user(i)}})
			browsers[i] = newBrowser()
			w.login(browsers[i], session.Login{UserID: user(i)})
		}
		pairs := 0
		for i, a := range browsers {
			for j, b := range browsers {
				if i == j {
					continue
				}
				pairs++
				mixed := newBrowser()
				give(mixed, accessCookie, valueOf(a, accessCookie))
				giveRefresh(mixed, b)
				v := w.answered(mixed)
				if s := v.Session(); s.UserID != user(i) || !s.HasRole("role of "+user(i)) || len(v.Cookies) != 0 {
					w.Fatalf("%d's access cookie with %d's refresh cookie: %+v and %d cookies", i, j, s, len(v.Cookies))
				}
				if i%10 != 0 {
					continue
				}
				mixed.ExpireAccess()
				w.in(mixed)
				if s := w.in(mixed); s.UserID != user(j) || !s.HasRole("role of "+user(j)) {
					w.Fatalf("%d's refresh cookie alone: %+v", j, s)
				}
			}
		}
		w.Logf("%d pairs of two users' cookies: each was served as one of them", pairs)
	})
}
