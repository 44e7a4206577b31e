package main

import (
	"net/http"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// fromElsewhere are the cookies of users whose sessions were issued by another
// node: by a Manager with the same keys, which the sites in this process know
// nothing of.
func fromElsewhere(n int) []jar {
	store := session.NewMemoryStore()
	elsewhere := must(session.New(keys, store, session.Config{AccessTTL: time.Hour, IdleTimeout: 2 * time.Hour, MaxSessions: -1}))
	jars := make([]jar, n)
	for i := range jars {
		store.SetUser(userID(i), session.User{Epoch: 1, Roles: roles})
		jars[i] = issue(elsewhere, userID(i))
	}
	return jars
}

// issue logs a user in without a site.
func issue(sessions *session.Manager, user string) jar {
	r := must(http.NewRequest(http.MethodPost, "http://app.example/login", nil))
	return jar(nil).keep(lines(must(sessions.Issue(r, session.Login{UserID: user}))))
}

// lines are a verdict's cookies as an answer's header has them.
func lines(v session.Verdict) (setCookie []string) {
	for _, c := range v.Cookies {
		setCookie = append(setCookie, c.String())
	}
	return setCookie
}

// newcomers are users whose cookies this process has never seen. Each visits once.
type newcomers struct {
	cookies []string
	visited int
}

func (n *newcomers) visit([]string) string {
	n.visited++
	return n.cookies[n.visited-1]
}

// arrive brings as many new ones as there are users.
func (n *newcomers) arrive() { n.cookies, n.visited = pack(headers(fromElsewhere(users))), 0 }

// receive lets newcomers in, in place of whoever came before.
func (l *local) receive(n *newcomers) { l.visit, l.before, l.n = n.visit, n.arrive, users }
