package storetest

import (
	"bytes"
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

var forgetClauses = []clause{
	{"ForgetClients empties address and user agent of older sessions, and changes nothing else", (*suite).forgetWhich},
	{"ForgetClients looks at limit sessions in the order of their IDs, and says where to go on", (*suite).forgetWalk},
	{"ForgetClients forgets hundreds of clients in one call", (*suite).forgetMany},
	{"ForgetClients gives no definite answer in a done context", (*suite).forgetDoneContext},
}

// forgetter returns the store as a ClientForgetter. The test is skipped if it is none.
func (s *suite) forgetter() store.ClientForgetter {
	f, ok := s.Store.(store.ClientForgetter)
	if !ok {
		s.Skip("the store is no store.ClientForgetter, which is optional")
	}
	return f
}

// forgets makes one call, which must return last.
func (s *suite) forgets(age time.Duration, after store.ID, limit int, last store.ID) {
	s.Helper()
	if got, err := s.forgetter().ForgetClients(s.ctx(), age, after, limit); err != nil || got != last {
		s.Fatalf("ForgetClients(%v, %v, %d) returned %v, %v; want %v", age, after, limit, got, err, last)
	}
}

func (s *suite) forgetWhich() {
	live, _ := s.login(s.Alice)
	revoked, _ := s.login(s.Bob)
	s.did(true)(s.Store.Revoke(s.ctx(), revoked, "", store.ReasonLogout))
	s.outlive()
	s.forgets(time.Hour, store.ID{}, many, store.ID{})
	var want []store.Record
	for _, id := range []store.ID{live, revoked} {
		r := *s.find(id).Record
		if r.IP != "192.0.2.1" || r.UserAgent != "agent" {
			s.Errorf("a session that is young has lost its client: %+v", r)
		}
		r.IP, r.UserAgent = "", ""
		want = append(want, r)
	}
	for range 2 { // the second time there is nothing to forget
		s.forgets(moment, store.ID{}, many, store.ID{})
		for i, id := range []store.ID{live, revoked} {
			if got := *s.find(id).Record; !reflect.DeepEqual(got, want[i]) {
				s.Errorf("the session is\n%+v; want\n%+v", got, want[i])
			}
		}
	}
}

func (s *suite) forgetWalk() {
	var ids []store.ID
	for range 5 {
		id, _ := s.login(s.Alice)
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) })
	s.outlive()
	forgotten := func(want ...int) {
		s.Helper()
		for i, id := range ids {
			r := s.find(id).Record
			if got := r.IP == "" && r.UserAgent == ""; got != slices.Contains(want, i) {
				s.Errorf("session %d is forgotten: %v; want %d alone", i, got, want)
			}
		}
	}
	s.forgets(moment, store.ID{}, 0, store.ID{})
	forgotten()
	s.forgets(moment, ids[0], 2, ids[2])
	forgotten(1, 2)
	s.forgets(moment, ids[2], 2, ids[4]) // as many as there are: nobody knows yet that it is the end
	forgotten(1, 2, 3, 4)
	s.forgets(moment, ids[4], 2, store.ID{})
	forgotten(1, 2, 3, 4)
	s.forgets(moment, store.ID{}, 6, store.ID{})
	forgotten(0, 1, 2, 3, 4)
}

func (s *suite) forgetMany() {
	const logins = 450
	s.forgetter()
	together(workers, func(i int) {
		for n := i; n < logins; n += workers {
			login := store.NewSession{ID: random[store.ID](), UserID: s.Alice, Lifetime: lifetime, RetainFor: keepFor, UserAgent: "agent", IP: "192.0.2.1"}
			if _, err := persistent(func() (bool, error) { return true, s.Store.Create(s.ctx(), login) }); err != nil {
				s.Errorf("login: %v", err)
			}
		}
	})
	s.outlive()
	s.forgets(moment, store.ID{}, logins+1, store.ID{})
	list, err := s.Store.List(s.ctx(), s.Alice, store.ID{}, many)
	s.must(err)
	if len(list) != logins || slices.ContainsFunc(list, func(r store.Record) bool { return r.IP != "" || r.UserAgent != "" }) {
		s.Errorf("of %d sessions some are not forgotten; want all of %d", len(list), logins)
	}
}

func (s *suite) forgetDoneContext() {
	id, _ := s.login(s.Alice)
	s.outlive()
	ctx, cancel := context.WithCancel(s.ctx())
	cancel()
	if _, err := s.forgetter().ForgetClients(ctx, moment, store.ID{}, many); err == nil && s.find(id).Record.IP != "" {
		s.Error("ForgetClients said that it is done")
	}
}
