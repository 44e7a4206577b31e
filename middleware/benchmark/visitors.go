package main

import (
	"math/rand/v2"
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

// always sends the same cookies.
func always(cookie string) crowd {
	return func() visitor {
		return func([]string) string { return cookie }
	}
}

// anyone sends the cookies of users in random order.
func anyone(jars []jar) crowd {
	cookies := make([]string, len(jars))
	for i, j := range jars {
		cookies[i] = j.header()
	}
	return func() visitor {
		dice := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
		return func([]string) string { return cookies[dice.IntN(len(cookies))] }
	}
}

// surfers are users who come back when their access cookie has run out, with the
// refresh cookie alone, and make 25 more requests with what the answer sets. Then
// it is the turn of the user who was away the longest.
func surfers(jars []jar) crowd {
	type user struct {
		jar  jar
		seen time.Time
	}
	away := make(chan user, len(jars))
	for _, j := range jars {
		away <- user{j, time.Now()}
	}
	return func() visitor {
		u, left := <-away, 0
		return func(setCookie []string) string {
			if len(setCookie) > 0 {
				u.jar, u.seen, left = u.jar.keep(setCookie), time.Now(), 25
			}
			if left > 0 {
				left--
				return u.jar.header()
			}
			away <- u
			u = <-away
			// A refresh cookie younger than 5/6 of the access lifetime would cost
			// one statement instead of two.
			time.Sleep(time.Until(u.seen.Add(surfTTL)))
			return u.jar[1:].header()
		}
	}
}
