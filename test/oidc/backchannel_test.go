package oidc

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// show asks one node, with a good access cookie, and returns the status.
func (s *site) show(n *node, p *person) int {
	answer := httptest.NewRecorder()
	n.app.ServeHTTP(answer, s.browser(p).NewRequest(http.MethodGet, "/account", nil))
	return answer.Code
}

// It measures time, so no other test runs beside it.
func TestBackChannelLogout_EndsEachOf100SessionsOnTwoNodes(t *testing.T) {
	for name, start := range kinds {
		t.Run(name, func(t *testing.T) { endEachOf100(t, start) })
	}
}

func endEachOf100(t *testing.T, start func(*testing.T, ...registration) provider) {
	const n = 100
	s, serve := listen(t)
	a := s.client("acme", "a secret")
	provider := start(t, a)
	s.start(onMariaDB(t, n+1), serve, nil, upstream{"acme", provider, a})

	// The last one stays.
	persons := make([]*person, n+1)
	var logins sync.WaitGroup
	for first := range 4 {
		logins.Go(func() {
			for i := first; i <= n; i += 4 {
				persons[i] = newPerson(t, fmt.Sprintf("user-%d", i+1))
				s.sessionOn(persons[i].logIn(s.url+"/account"), "/account", persons[i].name)
			}
		})
	}
	logins.Wait()
	if t.Failed() {
		return
	}

	var took nodetest.Durations
	var polls sync.WaitGroup
	for i := range n {
		begun := time.Now()
		if told := provider.endSessions(persons[i].name); told != 1 {
			t.Errorf("%d apps were told of the logout of %s; want one", told, persons[i].name)
		}
		polls.Go(func() {
			open := slices.Clone(s.nodes)
			ended := func() bool {
				open = slices.DeleteFunc(open, func(n *node) bool { return s.show(n, persons[i]) != http.StatusOK })
				return len(open) == 0
			}
			if _, ok := nodetest.Eventually(nodetest.FeedAtMost, 20*time.Millisecond, ended); ok {
				took.Add(time.Since(begun))
			}
		})
		time.Sleep(20 * time.Millisecond) // so that they come at all moments between two polls of a node
	}
	polls.Wait()
	if took.Len() < n {
		t.Errorf("%d of %d sessions have ended on both nodes within %v", took.Len(), n, nodetest.FeedAtMost)
	} else if took.At(0.95) > nodetest.FeedWithin {
		t.Errorf("until the sessions had ended on both nodes: %v; want 95%% within %v", &took, nodetest.FeedWithin)
	}
	t.Logf("until the sessions had ended on both nodes: %v", &took)
	for i, node := range s.nodes {
		if got := s.show(node, persons[n]); got != http.StatusOK {
			t.Errorf("node %d answers %d to somebody who has not logged out", i, got)
		}
	}
	if errs := s.errors(); len(errs) > 0 {
		t.Errorf("the errors are %v", errs)
	}
}

// Without a sid, a logout token ends all that the user has begun with this provider.
func TestBackChannelLogout_OfAProviderWithoutSID(t *testing.T) {
	t.Parallel()
	s, provider := startSite(t, startNodeProvider, func(a *registration, _ *oidc.Config) { a.noSID = true })
	var adas []*person
	for range 2 {
		p := newPerson(t, "ada")
		s.sessionOn(p.logIn(s.url+"/account"), "/account", "ada")
		adas = append(adas, p)
	}
	grace := newPerson(t, "grace")
	s.sessionOn(grace.logIn(s.url+"/account"), "/account", "grace")
	if told := provider.endSessions("ada"); told != 2 {
		t.Errorf("the app was told %d times; want twice", told)
	}
	for _, p := range adas {
		s.loggedOut("ada", p)
	}
	s.sessionOn(grace.open(s.url+"/account"), "/account", "grace")
	if errs := s.errors(); len(errs) > 0 {
		t.Errorf("the errors are %v", errs)
	}
}
