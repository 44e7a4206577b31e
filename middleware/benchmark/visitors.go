package main

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A visitor says which cookies its next request carries. It is told what the
// answer to the last one set.
type visitor func(setCookie []string) (cookie string)

// A crowd sends visitors, one for each connection.
type crowd func() visitor

// A jar holds what a browser would send: name=value, in the order of arrival.
type jar []string

// keep takes over the cookies of an answer.
func (j jar) keep(setCookie []string) jar {
	for _, line := range setCookie {
		pair, _, _ := strings.Cut(line, ";")
		name, _, _ := strings.Cut(pair, "=")
		if i := slices.IndexFunc(j, func(had string) bool { return strings.HasPrefix(had, name+"=") }); i >= 0 {
			j[i] = pair
		} else {
			j = append(j, pair)
		}
	}
	return j
}

// header is the Cookie header. There is always a cookie that is not the session's.
func (j jar) header() string { return "theme=dark; " + strings.Join(j, "; ") }

func headers(jars []jar) (all []string) {
	for _, j := range jars {
		all = append(all, j.header())
	}
	return all
}

// refreshOnly is what is left of sessionkit's two cookies, of which access is set
// first, when a browser has dropped the one that ran out.
func (j jar) refreshOnly() jar { return j[1:] }

// pack moves the cookies of many users into one piece of memory, where the
// garbage collector has nothing to look for: it would do so in the midst of
// somebody's turn.
func pack(cookies []string) []string {
	all := strings.Join(cookies, "")
	packed := make([]string, len(cookies))
	for i, cookie := range cookies {
		packed[i], all = all[:len(cookie)], all[len(cookie):]
	}
	return packed
}

// same is one user, with the same cookies again and again.
func same(site gate) crowd {
	cookie := site.login(1)[0].header()
	return func() visitor {
		return func([]string) string { return cookie }
	}
}

// anyone is all users in random order.
func anyone(site gate) crowd {
	return oneOf(headers(site.login(users)))
}

func oneOf(cookies []string) crowd {
	cookies = pack(cookies)
	return func() visitor {
		dice := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
		return func([]string) string { return cookies[dice.IntN(len(cookies))] }
	}
}

// surfers are users who come back when their access cookie has run out, and make
// 25 more requests with what the answer to the first one sets. Then it is the
// turn of the user who was away the longest.
func surfers(site gate) crowd {
	jars := site.login(users)
	// The first refresh after a login is cheaper than all others: there is nothing
	// to confirm yet.
	time.Sleep(surfTTL)
	site.each(users, func(send roundTrip, i int) {
		jars[i] = jars[i].keep(send(http.MethodGet, "/", jars[i].refreshOnly().header(), http.StatusOK))
	})

	type user struct {
		jar  jar
		seen time.Time
	}
	away := make(chan user, users)
	for _, j := range jars {
		away <- user{j, time.Now()}
	}
	return func() visitor {
		u, left := <-away, rand.IntN(26) // so that they are out of step
		return func(setCookie []string) string {
			if len(setCookie) > 0 {
				u.jar, u.seen = u.jar.keep(setCookie), time.Now()
			}
			if left > 0 {
				left--
				return u.jar.header()
			}
			away <- u
			u, left = <-away, 25
			// With a refresh cookie younger than 5/6 of the access lifetime one
			// statement would do.
			time.Sleep(time.Until(u.seen.Add(surfTTL)))
			return u.jar.refreshOnly().header()
		}
	}
}
