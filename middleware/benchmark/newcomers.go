package main

import (
	"net/http"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// newcomers are users whose cookies this process has never seen. Each visits once.
type newcomers struct {
	cookies []string
	visited int
}

func (n *newcomers) visit([]string) string {
	n.visited++
	return n.cookies[n.visited-1]
}

// arrive brings as many new ones as there are users. Their sessions were issued
// elsewhere, as on another node: by a Manager with the same keys, which the sites
// in this process know nothing of.
func (n *newcomers) arrive() {
	store := session.NewMemoryStore()
	elsewhere := must(session.New(keys, store, session.Config{AccessTTL: time.Hour, IdleTimeout: 2 * time.Hour, MaxSessions: -1}))
	r := must(http.NewRequest(http.MethodPost, "http://app.example/login", nil))
	n.cookies, n.visited = make([]string, users), 0
	for i := range n.cookies {
		store.SetUser(userID(i), session.User{Epoch: 1, Roles: roles})
		n.cookies[i] = jar(nil).keep(lines(must(elsewhere.Issue(r, session.Login{UserID: userID(i)})))).header()
	}
	n.cookies = pack(n.cookies)
}

// lines are a verdict's cookies as an answer's header has them.
func lines(v session.Verdict) (setCookie []string) {
	for _, c := range v.Cookies {
		setCookie = append(setCookie, c.String())
	}
	return setCookie
}
