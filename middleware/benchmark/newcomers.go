package main

import (
	"net/http"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// newcomers send cookies that the process has never seen, each once.
type newcomers struct {
	cookies []string
	next    int
}

func (n *newcomers) visit([]string) string {
	cookie := n.cookies[n.next]
	n.next++
	return cookie
}

// refill makes as many new cookies as were there, as another node would: by a
// Manager with the same keys, which this process' sites know nothing of.
func (n *newcomers) refill() {
	store := session.NewMemoryStore()
	elsewhere := must(session.New(keys, store, session.Config{AccessTTL: time.Hour, IdleTimeout: 2 * time.Hour, MaxSessions: -1}))
	r := must(http.NewRequest(http.MethodPost, "http://app.example/login", nil))
	for i := range n.cookies {
		store.SetUser(userID(i), session.User{Epoch: 1, Roles: roles})
		v := must(elsewhere.Issue(r, session.Login{UserID: userID(i)}))
		var set []string
		for _, c := range v.Cookies {
			set = append(set, c.String())
		}
		n.cookies[i] = jar(nil).keep(set).header()
	}
	n.next = 0
}
