package session

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// stranger sends cookies that nobody was given. Whatever they are, the answer is
// the same: nobody, no statement, and no cookie set or deleted, because what cannot
// be read may be a newer node's.
type stranger struct {
	*world
	r     *http.Request
	tried int
}

func newStranger(w *world) *stranger { return &stranger{world: w, r: newBrowser().request()} }

// sends sends lines of the Cookie header. It goes past net/http's client, which
// would change some of them.
func (s *stranger) sends(how string, lines ...string) {
	s.Helper()
	s.tried++
	s.r.Header["Cookie"] = lines
	before := s.faults.calls()
	v, err := s.Authenticate(s.r)
	if !errors.Is(err, ErrUnauthenticated) || len(v.Cookies) != 0 || s.faults.calls() != before {
		s.Errorf("%s: got %v, %d cookies, %d statements; want ErrUnauthenticated, none and none\n%.200q",
			how, err, len(v.Cookies), s.faults.calls()-before, lines)
	}
}

// report logs how many there were, and refuses to call a test done that had none.
func (s *stranger) report(what string, atLeast int) {
	s.Helper()
	if s.tried < atLeast {
		s.Errorf("%d %s; want %d or more", s.tried, what, atLeast)
	}
	if !s.Failed() {
		s.Logf("%d %s: 0 accepted, 0 statements, 0 cookies deleted", s.tried, what)
	}
}

// target is a good cookie: its name, its value, and what seals it.
type target struct {
	name, value string
	by          *sealer
	fresh       func() ticket
}

// targets are good cookies of both kinds, in each of the three lengths that base64
// ends in.
func (w *world) targets() (all []target) {
	w.Helper()
	by := w.sealers.Load()
	now := stamp(time.Now())
	pads := map[string]bool{}
	add := func(s *sealer, t ticket, fresh func() ticket) {
		value := mustSeal(w.T, s, t)
		pads[s.name+strings.TrimLeft(value, base64Alphabet)] = true
		all = append(all, target{s.name, value, s, fresh})
	}
	for _, extra := range []string{"", "xxx", "xxxxxx"} {
		t := anAccessTicket(extra)
		t.IssuedAt, t.AuthTime, t.ExpiresAt, t.EndsAt = now, now, now.Add(time.Minute), now.Add(time.Hour)
		add(by.access, t, func() ticket { return new(accessTicket) })
	}
	for _, generation := range []uint64{0, 1 << 22, 1 << 43} {
		t := &refreshTicket{root: random16(), generation: generation, id: random16(), parent: random16(), issued: now, expires: now.Add(time.Hour)}
		add(by.refresh, t, func() ticket { return new(refreshTicket) })
	}
	if len(pads) != 6 {
		w.Fatalf("the cookies end in %v; want each in no, one and two signs of padding", pads)
	}
	return all
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// The cookies that are changed below are good ones: unchanged, they are let in, or
// asked about.
func TestTheTargetsAreGood(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, c := range w.targets() {
			r := newBrowser().request()
			r.Header.Set("Cookie", c.name+"="+c.value)
			asked := w.statements(func() { _, _ = w.Authenticate(r) })
			if who, err := w.Authenticate(r); (err != nil || who.Session().UserID == "") && asked == 0 {
				w.Errorf("%s: %v, and nobody was asked", c.name, err)
			}
		}
	})
}
