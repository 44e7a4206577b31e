package main

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// A refusal is a kind of cookie, valid or invalid, and the cost of the Manager's
// verdict on it.
type refusal struct {
	name string
	cpu  spread
}

// refusals compares the cost of accepting a valid cookie with the cost of rejecting an
// invalid one. It measures Manager.Authenticate alone, without a page.
func refusals(p plan) (all []refusal) {
	jars := fromElsewhere(1000)
	each := func(f func(j jar) jar) (cookies []string) {
		for _, j := range jars {
			cookies = append(cookies, f(slices.Clone(j)).header())
		}
		return cookies
	}
	access, _, _ := strings.Cut(jars[0][0], "=")
	garbage := func(length int) []string {
		return each(func(jar) jar { return jar{access + "=" + randomText(length)} })
	}
	judged := func(good bool) http.Handler {
		sessions := must(session.New(keys, store.NewMemory(), session.Config{AccessTTL: time.Hour, IdleTimeout: 2 * time.Hour}))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := sessions.Authenticate(r); (err == nil) == good {
				w.WriteHeader(http.StatusOK)
			}
		})
	}
	// The baseline: the cost of a request with cookies of the same length.
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })

	var contenders []*local
	add := func(name string, good bool, cookies []string) *local {
		crowd := oneOf(cookies)
		l := newLocal(judged(good), crowd())
		l.base = newLocal(nothing, crowd())
		contenders, all = append(contenders, l), append(all, refusal{name: name})
		return l
	}
	good := each(func(j jar) jar { return j })
	add("valid, seen before", true, good)
	add("valid, first request", true, good).receive(&newcomers{})
	add("one wrong character", false, each(func(j jar) jar { return jar{damaged(j[0])} }))
	add("one wrong character in both cookies", false, each(func(j jar) jar { return jar{damaged(j[0]), damaged(j[1])} }))
	add("20 random characters", false, garbage(20))
	add("4,000 random characters", false, garbage(4000))
	add("100,000 random characters", false, garbage(100_000)[:20])
	add("4 damaged access cookies", false, each(func(j jar) jar { return repeated(4, j[0]) }))
	add("40 damaged access cookies", false, each(func(j jar) jar { return repeated(40, j[0]) }))

	inProcess(contenders, p.rounds, p.turn)
	for i := range all {
		all[i].cpu = spreadOf(contenders[i].added, cpu)
	}
	return all
}

const base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func randomText(length int) string {
	text := make([]byte, length)
	for i := range text {
		text[i] = base64[rand.IntN(len(base64))]
	}
	return string(text)
}

// damaged changes one random character of the value.
func damaged(pair string) string {
	i := strings.IndexByte(pair, '=') + 1
	i += rand.IntN(len(pair) - i - 4) // a change of the last characters could be detected by the base64 decoding alone
	other := base64[(strings.IndexByte(base64, pair[i])+1)%len(base64)]
	return pair[:i] + string(other) + pair[i+1:]
}

func repeated(n int, pair string) (j jar) {
	for range n {
		j = append(j, damaged(pair))
	}
	return j
}
