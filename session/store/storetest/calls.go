package storetest

import (
	"context"
	"errors"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

var callClauses = []clause{
	{"A user id of another type names no user", (*suite).nobody},
	{"A done context gives no definite answer", (*suite).doneContext},
}

func (s *suite) nobody() {
	if s.Nobody == "" {
		return // every text is a valid id for this store
	}
	id, _ := s.login(s.Alice)
	want := *s.row(id)
	if err := s.Store.Create(s.ctx(), store.NewSession{ID: random[store.ID](), UserID: s.Nobody, Lifetime: lifetime, RetainFor: keepFor}); !errors.Is(err, session.ErrUserDisabled) {
		s.Errorf("login: got %v; want ErrUserDisabled", err)
	}
	s.did(false)(s.Store.Revoke(s.ctx(), id, s.Nobody, store.ReasonRevoked))
	s.revokeAllOf(s.Nobody, nil, store.ReasonRevoked)
	s.reload(s.Nobody)
	s.lists("of nobody", s.Nobody)
	s.newest("of nobody", s.Nobody, false, 10)
	s.holds("another's session", s.row(id), want)
}

// A fast store may answer although the context is done. It must not answer that there
// is no session, or that it did nothing.
func (s *suite) doneContext() {
	id, first := s.login(s.Alice)
	reused, old := s.login(s.Alice)
	s.did(true)(s.Store.Confirm(s.ctx(), child(reused, 1, old)))
	ctx, cancel := context.WithCancel(s.ctx())
	cancel()
	if snap, err := s.Store.Find(ctx, id); err == nil && snap.Record == nil {
		s.Error("Find said that there is no session")
	}
	if list, err := s.Store.List(ctx, s.Alice, store.ID{}, 10); err == nil && len(list) == 0 {
		s.Error("List said that there is no session")
	}
	if list, err := s.Store.Newest(ctx, s.Alice, false, 10); err == nil && len(list) == 0 {
		s.Error("Newest said that there is no session")
	}
	if ok, err := s.Store.Confirm(ctx, child(id, 1, first)); err == nil && !ok {
		s.Error("Confirm said that the race was lost")
	}
	if ok, err := s.Store.RevokeReused(ctx, store.PresentedTicket{ID: reused, Digest: old}); err == nil && !ok {
		s.Error("RevokeReused said that the ticket is good")
	}
	if ok, err := s.Store.Revoke(ctx, id, "", store.ReasonLogout); err == nil && !ok {
		s.Error("Revoke said that there is no session")
	}
	if err := s.Store.Create(ctx, store.NewSession{ID: random[store.ID](), UserID: s.Alice, Lifetime: lifetime, RetainFor: keepFor}); errors.Is(err, session.ErrUserDisabled) {
		s.Error("Create said that the user may not log in")
	}
}
