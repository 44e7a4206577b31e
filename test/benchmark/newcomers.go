package main

import (
	"net/http"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// fromElsewhere returns the cookies of n users whose sessions were issued by another
// node. This node is a Manager with the same keys and a separate store.
func fromElsewhere(n int) []jar {
	users := store.NewMemory()
	elsewhere := must(session.New(keys, users, session.Config{AccessTTL: time.Hour, IdleTimeout: 2 * time.Hour, MaxSessions: -1}))
	jars := make([]jar, n)
	for i := range jars {
		users.SetUser(userID(i), store.User{Epoch: 1, Roles: roles})
		jars[i] = issue(elsewhere, userID(i))
	}
	return jars
}

// issue logs a user in without a site.
func issue(sessions *session.Manager, user string) jar {
	r := must(http.NewRequest(http.MethodPost, "http://app.example/login", nil))
	return jar(nil).keep(lines(must(sessions.Issue(r, session.Login{UserID: user}))))
}

// lines returns the cookies of a verdict as Set-Cookie headers.
func lines(v session.Verdict) (setCookie []string) {
	for _, c := range v.Cookies {
		setCookie = append(setCookie, c.String())
	}
	return setCookie
}

// newcomers are users whose cookies are new to this process. Each sends one request.
type newcomers struct {
	cookies []string
	visited int
}

func (n *newcomers) visit([]string) string {
	n.visited++
	return n.cookies[n.visited-1]
}

// arrive replaces the newcomers by new ones, as many as there are users.
func (n *newcomers) arrive() { n.cookies, n.visited = pack(headers(fromElsewhere(users))), 0 }

// receive makes newcomers the visitors of l. Each turn has new ones.
func (l *local) receive(n *newcomers) { l.visit, l.before, l.n = n.visit, n.arrive, users }
