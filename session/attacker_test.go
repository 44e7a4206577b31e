package session_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// attacker sends cookies that no Manager set, or changed ones. Each must be answered
// in the same way: no session, no call of the store, and no cookie set or deleted. A
// cookie that cannot be read is not deleted because a newer node may have set it.
type attacker struct {
	*testWorld
	r     *http.Request
	tried int
}

func newAttacker(w *testWorld) *attacker { return &attacker{testWorld: w, r: page(newBrowser())} }

// sends sends lines of the Cookie header. It does not use net/http's client, which
// would change some of them.
func (a *attacker) sends(what string, lines ...string) {
	a.Helper()
	a.tried++
	a.r.Header["Cookie"] = lines
	before := a.store.Calls()
	v, err := a.Authenticate(a.r)
	if calls := a.store.Calls() - before; !errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) != 0 || calls != 0 {
		a.Errorf("%s: got %v, %d cookies, %d store calls; want ErrUnauthenticated, none and none\n%.200q",
			what, err, len(v.Cookies), calls, lines)
	}
}

// report logs how many requests there were. Fewer than atLeast fail the test.
func (a *attacker) report(what string, atLeast int) {
	a.Helper()
	if a.tried < atLeast {
		a.Errorf("%d %s; want %d or more", a.tried, what, atLeast)
	}
	if !a.Failed() {
		a.Logf("%d %s: none was accepted, none cost a store call, no cookie was deleted", a.tried, what)
	}
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func randomID() (id [16]byte) {
	rand.Read(id[:])
	return id
}

// kindOf returns the kind of ticket that a cookie carries. The keys of a cookie are
// derived for it.
func kindOf(cookie string) string {
	return map[string]string{accessCookie: "access", refreshCookie: "refresh"}[cookie]
}

// derivedKey derives a key of the app without a name from a key as ParseKeys reads it.
func derivedKey(t testing.TB, key, purpose string) []byte {
	t.Helper()
	master, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	derived, err := session.DeriveKey(master, "", purpose)
	if err != nil {
		t.Fatal(err)
	}
	return derived
}

// codecFor returns a codec that seals tickets of a kind as a Manager with the key does.
func codecFor(t testing.TB, key, kind string) *securecookie.SecureCookie {
	t.Helper()
	return securecookie.New(derivedKey(t, key, kind+"|mac"), derivedKey(t, key, kind+"|enc"))
}

// seal returns the value of a cookie that carries the payload.
func seal(t testing.TB, codec *securecookie.SecureCookie, cookie string, payload []byte) string {
	t.Helper()
	codec.SetSerializer(securecookie.NopEncoder{})
	value, err := codec.Encode(cookie, append([]byte(nil), payload...)) // Encode encrypts in place
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// sealedCookie is a valid cookie.
type sealedCookie struct{ name, value string }

// sealedCookies returns valid cookies of both kinds, in each of the three lengths of
// base64 padding.
func (w *testWorld) sealedCookies() (all []sealedCookie) {
	w.Helper()
	now := time.Now()
	paddings := map[string]bool{}
	add := func(cookie string, payload []byte) {
		value := seal(w.T, codecFor(w.T, testWorldKey, kindOf(cookie)), cookie, payload)
		paddings[cookie+strings.TrimLeft(value, base64Alphabet)] = true
		all = append(all, sealedCookie{cookie, value})
	}
	for _, extra := range []string{"", "xxx", "xxxxxx"} {
		add(accessCookie, session.AccessPayload(store.ID{1, 2, 3}, session.Session{
			UserID: "42" + extra, Roles: []string{"a", ""}, Attrs: map[string]string{"n": "v\x00", "": "x"},
			AuthTime: now, IssuedAt: now, ExpiresAt: now.Add(time.Minute), EndsAt: now.Add(time.Hour),
		}))
	}
	for _, generation := range []uint64{0, 1 << 22, 1 << 43} {
		t := session.RefreshTicket{Root: randomID(), Generation: generation, ID: randomID(), Parent: randomID(), Issued: now, Expires: now.Add(time.Hour)}
		add(refreshCookie, t.Payload())
	}
	if len(paddings) != 6 {
		w.Fatalf("the cookies end in %v; want no, one and two padding characters for each kind", paddings)
	}
	return all
}

// The other tests change cookies of sealedCookies. Unchanged, an access cookie is
// accepted and a refresh cookie costs a store call.
func TestManager_CookiesThatTheTestsChangeAreValid(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		for _, c := range w.sealedCookies() {
			r := page(newBrowser())
			r.Header.Set("Cookie", c.name+"="+c.value)
			var v session.Verdict
			var err error
			calls := w.calls(func() { v, err = w.Authenticate(r) })
			if (err != nil || v.Session().UserID == "") && calls == 0 {
				w.Errorf("%s: %v, without a store call", c.name, err)
			}
		}
	})
}
