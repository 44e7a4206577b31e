package storetest

import (
	"maps"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

var findClauses = []clause{
	{"Find of an unknown session returns the clock and no error", (*suite).findUnknown},
	{"Find reads the user's row again each time", (*suite).findUser},
}

func (s *suite) findUnknown() {
	snap := s.find(random[store.ID]())
	if snap.Record != nil {
		s.Errorf("found %+v", snap.Record)
	}
	if off := time.Since(snap.Now).Abs(); off > 10*time.Minute {
		s.Errorf("the store's clock is off by %v", off)
	}
}

func (s *suite) findUser() {
	id, _ := s.login(s.Alice)
	want := *s.row(id)
	changed := store.User{Epoch: 8, Disabled: true, Attrs: map[string]string{"name": "Alice B"}}
	s.SetUser(s.T, s.Alice, changed)
	row := s.row(id)
	if u := row.User; u.Epoch != 8 || !u.Disabled || u.Gone || len(u.Roles) != 0 || !maps.Equal(u.Attrs, changed.Attrs) {
		s.Errorf("user = %+v; want %+v", u, changed)
	}
	s.holds("after the user changed", row, want)
	s.RemoveUser(s.T, s.Alice)
	row = s.row(id)
	if !row.User.Disabled || !row.User.Gone {
		s.Error("the user's row was deleted, but the user is not both disabled and gone")
	}
	s.holds("after the user's row was removed", row, want)
}
