package main

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A visitor returns the Cookie header of its next request. Its argument are the
// Set-Cookie headers of the previous answer.
type visitor func(setCookie []string) (cookie string)

// A crowd returns a new visitor for each connection.
type crowd func() visitor

// A jar holds the cookies of a browser: name=value, in the order of their creation. It
// implements only what the benchmark needs, because it must use little CPU time.
type jar []string

// keep stores the cookies of an answer.
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

// header returns the Cookie header. It always contains one cookie that does not belong
// to the session.
func (j jar) header() string { return "theme=dark; " + strings.Join(j, "; ") }

func headers(jars []jar) (all []string) {
	for _, j := range jars {
		all = append(all, j.header())
	}
	return all
}

// refreshOnly returns the jar after the access cookie has expired. sessionkit sets the
// access cookie first, then both refresh cookies.
func (j jar) refreshOnly() jar { return j[1:] }

// pack moves the cookies of many users into one block of memory. This reduces the work
// of the garbage collector, which could run during the turn of another contender.
func pack(cookies []string) []string {
	all := strings.Join(cookies, "")
	packed := make([]string, len(cookies))
	for i, cookie := range cookies {
		packed[i], all = all[:len(cookie)], all[len(cookie):]
	}
	return packed
}

// same is one user who always sends the same cookies.
func same(site gate) crowd {
	cookie := site.login(1)[0].header()
	return func() visitor {
		return func([]string) string { return cookie }
	}
}

// anyone is all users, in random order.
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

// surfers are users who return after their access cookie has expired. Each sends one
// request that refreshes, and 25 more with the new cookies. Then the user who has been
// away the longest continues.
func surfers(site gate) crowd {
	jars := site.login(users)
	// The first refresh after a login differs from all others: it confirms nothing, and
	// records a late presentation instead. It is therefore not measured.
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
		u, left := <-away, rand.IntN(26) // so that the visitors do not refresh at the same time
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
			// A refresh with a cookie younger than 5/6 of the access lifetime takes
			// only one statement, so the visitor waits for the whole lifetime.
			time.Sleep(time.Until(u.seen.Add(surfTTL)))
			return u.jar.refreshOnly().header()
		}
	}
}
