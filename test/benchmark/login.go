package main

import (
	"fmt"
	"net/http"
)

// A roundTrip sends one request and returns the Set-Cookie headers of the answer.
type roundTrip func(method, target, cookie string, want int) (setCookie []string)

// inside sends requests to a site in this process.
func inside(site http.Handler) roundTrip {
	return func(method, target, cookie string, want int) []string {
		r := must(http.NewRequest(method, "http://app.example"+target, nil))
		r.Header.Set("Cookie", cookie)
		w := &discard{header: http.Header{}}
		site.ServeHTTP(w, r)
		if w.status != want {
			fail(fmt.Errorf("%s %s was answered with %d instead of %d", method, target, w.status, want))
		}
		return w.header["Set-Cookie"]
	}
}

// A gate opens a new connection to a site.
type gate func() roundTrip

// login logs n users in and returns their cookies.
func (g gate) login(n int) []jar {
	jars := make([]jar, n)
	g.each(n, func(send roundTrip, i int) {
		jars[i] = jars[i].keep(send(http.MethodPost, "/login?user="+userID(i), "theme=dark", http.StatusNoContent))
	})
	return jars
}

// each calls do for each of n users, in parallel.
func (g gate) each(n int, do func(send roundTrip, i int)) {
	inParallel(n, func() func(int) {
		send := g()
		return func(i int) { do(send, i) }
	})
}
