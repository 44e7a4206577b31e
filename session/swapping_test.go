package session

import (
	"strconv"
	"testing"
	"time"

	"github.com/gorilla/securecookie"
)

const swaps = 100 // of each class

// What was sealed for one purpose opens for no other, whatever name it is sent
// under: not the other cookie's, another app's, or another key's; nor what shares
// but one of the two keys, or the keys but not the kind or version.
func TestACookieForOnePurposeServesNoOther(t *testing.T) {
	inWorld(t, func(w *world) {
		mac := func(kind string) []byte { return w.derived(testKey, "", kind+"|mac") }
		enc := func(key, kind string) []byte { return w.derived(key, "", kind+"|enc") }
		encode := func(codec *securecookie.SecureCookie, name string, payload []byte) string {
			codec.SetSerializer(securecookie.NopEncoder{})
			value, err := codec.Encode(name, append([]byte(nil), payload...)) // it is encrypted in place
			if err != nil {
				w.Fatal(err)
			}
			return value
		}
		access, refresh := w.names.access, w.names.refresh
		now := time.Now()
		goodAccess := anAccessTicket("")
		goodAccess.IssuedAt, goodAccess.AuthTime, goodAccess.ExpiresAt = now, now, now.Add(time.Minute)
		goodRefresh := &refreshTicket{root: random16(), id: random16(), issued: now.Add(-time.Minute), expires: now.Add(time.Hour)}
		tickets := map[string][]byte{access: goodAccess.appendTo(nil), refresh: goodRefresh.appendTo(nil)}
		// Made like this, but rightly, the one is let in and the other asked about:
		// what is refused below is refused for what is wrong with it.
		r := newBrowser().request()
		r.Header.Set("Cookie", access+"="+encode(securecookie.New(mac("access"), enc(testKey, "access")), access, tickets[access]))
		if _, err := w.Authenticate(r); err != nil {
			w.Fatal(err)
		}
		r.Header.Set("Cookie", refresh+"="+encode(securecookie.New(mac("refresh"), enc(testKey, "refresh")), refresh, tickets[refresh]))
		if n := w.statements(func() { _, _ = w.Authenticate(r) }); n != 1 {
			w.Fatalf("a good refresh cookie cost %d statements; want 1", n)
		}

		shop, otherKey := newWorld(w.T, w.users, Config{App: "shop"}), newWorld(w.T, w.users, Config{})
		if err := otherKey.SetKeys(parseKeys(w.T, GenerateKey())); err != nil {
			w.Fatal(err)
		}
		retired := newWorld(w.T, w.users, Config{})

		s := newStranger(w)
		for range swaps {
			b, inShop, underOther, underRetired := newBrowser(), newBrowser(), newBrowser(), newBrowser()
			w.login(b, Login{})
			shop.login(inShop, Login{})
			otherKey.login(underOther, Login{})
			retired.login(underRetired, Login{})
			if err := retired.SetKeys(parseKeys(w.T, GenerateKey())); err != nil {
				w.Fatal(err)
			}

			s.sends("the refresh cookie as the access cookie", access+"="+b.jar[refresh].value)
			s.sends("the access cookie as the refresh cookie", refresh+"="+b.jar[access].value)
			s.sends("both swapped", access+"="+b.jar[refresh].value+"; "+refresh+"="+b.jar[access].value)
			for name, kind := range map[string]string{access: "access", refresh: "refresh"} {
				s.sends("another app's", name+"="+inShop.jar["__Host-Http-shop-"+name[len("__Host-Http-"):]].value)
				s.sends("another key's", name+"="+underOther.jar[name].value)
				s.sends("without encryption", name+"="+encode(securecookie.New(mac(kind), nil), name, tickets[name]))
				s.sends("the MAC's key with another for encryption", name+"="+encode(securecookie.New(mac(kind), enc(GenerateKey(), kind)), name, tickets[name]))
				s.sends("the other kind's keys", name+"="+encode(securecookie.New(mac(other(kind)), enc(testKey, other(kind))), name, tickets[name]))
				s.sends("the other kind's content", name+"="+encode(securecookie.New(mac(kind), enc(testKey, kind)), name, tickets[map[string]string{access: refresh, refresh: access}[name]]))
				s.sends("another version", name+"="+encode(securecookie.New(mac(kind), enc(testKey, kind)), name, append([]byte{tickets[name][0] + 1}, tickets[name][1:]...)))
				s.sends("nothing inside", name+"="+encode(securecookie.New(mac(kind), enc(testKey, kind)), name, []byte{}))
				s.sends("a name of plain HTTP", name[len("__Host-Http-"):]+"="+b.jar[name].value)

				r := newBrowser().request()
				r.Header.Set("Cookie", name+"="+underRetired.jar[name].value)
				if _, err := retired.Authenticate(r); err == nil {
					w.Error("a cookie under a key that is gone was accepted")
				}
			}
		}
		s.report("cookies made for something else", 21*swaps)
	})
}

func other(kind string) string {
	return map[string]string{"access": "refresh", "refresh": "access"}[kind]
}

func (w *world) derived(key, app, purpose string) []byte {
	w.Helper()
	k, err := derive(parseKeys(w.T, key).masters[0], app, purpose)
	if err != nil {
		w.Fatal(err)
	}
	return k
}

// The access cookie says who a request is, and the refresh cookie only where there
// is no good access cookie. Never is one user's mixed with another's: not in the
// identity, and not in the cookies of the answer.
func TestOfTwoUsersCookiesOneCounts(t *testing.T) {
	inWorld(t, func(w *world) {
		const users = 50
		browsers := make([]*browser, users)
		for i := range browsers {
			id := "user " + strconv.Itoa(i)
			w.users.SetUser(id, User{Roles: []string{"role of " + id}})
			browsers[i] = newBrowser()
			w.login(browsers[i], Login{UserID: id})
		}
		pairs := 0
		for i, a := range browsers {
			for j, b := range browsers {
				if i == j {
					continue
				}
				pairs++
				mixed := newBrowser()
				mixed.jar[w.names.access], mixed.jar[w.names.refresh] = a.jar[w.names.access], b.jar[w.names.refresh]
				v, err := w.Authenticate(mixed.request())
				if id := "user " + strconv.Itoa(i); err != nil || v.Session().UserID != id || !v.Session().HasRole("role of "+id) || len(v.Cookies) != 0 {
					w.Fatalf("%d's access cookie with %d's refresh cookie: %+v, %v", i, j, v.Session(), err)
				}
				if i%10 != 0 {
					continue
				}
				mixed.loseAccess(w.Manager)
				mixed.receive(must(w.Authenticate(mixed.request())).Cookies)
				if s := w.in(mixed); s.UserID != "user "+strconv.Itoa(j) || !s.HasRole("role of user "+strconv.Itoa(j)) {
					w.Fatalf("%d's refresh cookie alone: %+v", j, s)
				}
			}
		}
		w.Logf("%d pairs of two users' cookies: each served as one of them", pairs)
	})
}

func must(v Verdict, err error) Verdict {
	if err != nil {
		panic(err)
	}
	return v
}
