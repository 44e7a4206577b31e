package storetest

import (
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

var factClauses = []clause{
	{"Create keeps the longest facts unchanged", (*suite).createFacts},
	{"Create keeps what a session has of its own", (*suite).createOwn},
	{"Create subtracts the age of the login", (*suite).createAged},
	{"Create keeps when the session began that this one goes on from", (*suite).createGoingOn},
	{"Update replaces the data and raises the counter, and nothing else", (*suite).updateReplaces},
	{"Update changes no session that is revoked, and no other session", (*suite).updateLeaves},
	{"RevokeUser with an external id revokes every session that has it, and no other", (*suite).revokeExternal},
}

// longestFacts are as long as each may be, with bytes that a text column would change.
func longestFacts() store.Facts {
	const quotes = `'"\ ü` + "\U0001f36a"
	data := `{"":"","ü":"` // as JSON
	return store.Facts{
		Methods:      append(strings.Split(strings.Repeat("a2,", 84), ",")[:84], "pwd"),
		Actor:        quotes + strings.Repeat("a", store.MaxActor-len(quotes)),
		ActorSession: random[store.ID](),
		ExternalID:   quotes + strings.Repeat("E", store.MaxExternalID-len(quotes)),
		Client:       quotes + strings.Repeat("c", store.MaxClient-len(quotes)),
		Data:         map[string]string{"": "", "ü": strings.Repeat("d", store.MaxData-len(data)-2)},
	}
}

func (s *suite) loginWith(n store.NewSession) store.ID {
	s.Helper()
	if n.UserID == "" {
		n.UserID = s.Alice
	}
	n.ID, n.Confirmed, n.Lifetime, n.RetainFor = random[store.ID](), random[store.Digest](), lifetime, keepFor
	s.must(s.Store.Create(s.ctx(), n))
	return n.ID
}

func (s *suite) createFacts() {
	for name, facts := range map[string]store.Facts{
		"the longest": longestFacts(),
		"none":        {},
		"one method":  {Methods: []string{"pwd"}},
	} {
		row := s.row(s.loginWith(store.NewSession{Facts: facts}))
		want := *row
		want.Facts = facts
		s.holds(name, row, want)
	}
}

func (s *suite) createOwn() {
	n := store.NewSession{IdleTimeout: 5*time.Minute + time.Microsecond, Fingerprint: random[store.Digest](), Live: random[store.Digest]()}
	row := s.row(s.loginWith(n))
	want := *row
	want.IdleTimeout, want.Fingerprint, want.Live = n.IdleTimeout, n.Fingerprint, n.Live
	s.holds("own values", row, want)
}

func (s *suite) createAged() {
	row := s.row(s.loginWith(store.NewSession{AuthAge: time.Hour}))
	if age := row.CreatedAt.Sub(row.AuthTime); age != time.Hour {
		s.Errorf("the login is %v old; want 1h", age)
	}
}

func (s *suite) createGoingOn() {
	old, _ := s.login(s.Alice)
	began := s.row(old).CreatedAt
	s.tick()
	from := s.now()
	id := s.loginWith(store.NewSession{CreatedAt: began, Facts: store.Facts{ExternalID: "sid"}})
	row := s.row(id)
	if !row.CreatedAt.Equal(began) {
		s.Errorf("CreatedAt is %v; want that of the other session, %v", row.CreatedAt, began)
	}
	for what, at := range map[string]time.Time{"ConfirmedAt": row.ConfirmedAt, "AuthTime": row.AuthTime, "EndsAt less the lifetime": row.EndsAt.Add(-lifetime)} {
		s.between(what, at, from, s.now())
	}
	r := store.UserRevocation{ExternalID: "sid", Before: began, Reason: store.ReasonRevoked, Limit: many}
	if n := s.batch(r); n != 1 {
		s.Errorf("%d sessions of the moment at which it began were found; want 1", n)
	}
}

func (s *suite) updateReplaces() {
	id := s.loginWith(store.NewSession{Facts: longestFacts()})
	want := *s.row(id)
	for _, data := range []map[string]string{{"tenant": "7"}, {"tenant": "8", "client": "cli"}, nil, longestFacts().Data} {
		s.tick()
		s.did(true)(s.Store.Update(s.ctx(), id, data))
		want.Data = data
		want.Reload++
		s.holds("after Update", s.row(id), want)
	}
	changes, err := s.Store.Changes(s.ctx(), time.Hour, store.Cursor{}, many)
	s.must(err)
	if len(changes.Sessions) != 1 || changes.Sessions[0].ID != id || changes.Sessions[0].Reload != 4 || changes.Sessions[0].Revoked {
		s.Errorf("Changes returns %+v; want one session that was reloaded four times", changes.Sessions)
	}
}

func (s *suite) updateLeaves() {
	revoked, _ := s.login(s.Alice)
	s.did(true)(s.Store.Revoke(s.ctx(), revoked, "", store.ReasonLogout))
	other, _ := s.login(s.Alice)
	want := map[store.ID]store.Record{revoked: *s.row(revoked), other: *s.row(other)}
	s.did(false)(s.Store.Update(s.ctx(), revoked, map[string]string{"tenant": "7"}))
	s.did(false)(s.Store.Update(s.ctx(), random[store.ID](), nil))
	for id, row := range want {
		s.holds("another session", s.row(id), row)
	}
}

func (s *suite) revokeExternal() {
	with := func(userID, externalID string) store.ID {
		return s.loginWith(store.NewSession{UserID: userID, Facts: store.Facts{ExternalID: externalID}})
	}
	alices, bobs := with(s.Alice, "sid"), with(s.Bob, "sid")
	kept := with(s.Alice, "sid")
	before := s.tick()
	s.tick()
	later := with(s.Alice, "sid")
	others := []store.ID{kept, later, with(s.Alice, "SID"), with(s.Alice, "sid "), with(s.Alice, "")}
	r := store.UserRevocation{ExternalID: "sid", Except: []store.ID{kept}, Before: before, Reason: store.ReasonRevoked, Limit: 1}
	for step, want := range []int{1, 1, 0} {
		if n := s.batch(r); n != want {
			s.Errorf("call %d found %d sessions; want %d", step, n, want)
		}
	}
	for _, id := range []store.ID{alices, bobs} {
		if row := s.row(id); row.RevokedAt.IsZero() || row.Reason != store.ReasonRevoked {
			s.Errorf("a session with the external id is not revoked: %+v", row)
		}
	}
	for _, id := range others {
		if row := s.row(id); !row.RevokedAt.IsZero() {
			s.Errorf("the session with the external id %q, of %v, is revoked", row.ExternalID, row.CreatedAt)
		}
	}
}
