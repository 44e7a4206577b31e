package thieves

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// habits are what distinguishes one kind of thief from another.
type habits struct {
	name string
	// newPlan draws when victim and thief of one theft come.
	newPlan func(r *rand.Rand) plan
	// newChoice draws how the thief of one theft decides whether he keeps the answers of
	// a visit.
	newChoice func(r *rand.Rand) (keeps func() bool)
}

// plan says when the two clients of one theft come.
type plan struct {
	remember      bool
	victimPause   func() time.Duration // between two visits
	thiefDelay    time.Duration        // between the copy and his first visit
	thiefPause    func() time.Duration
	before        int // visits of the victim before the copy
	copyAt        copyMoment
	expired       bool // the thief also sends cookies that have expired
	oftenTogether bool // most visits of the thief are at the same moment as one of the victim
}

// copyMoment says when the cookies are copied: before the victim's last visit,
// while its answers are on the way, or after it.
type copyMoment int

const (
	copyBefore copyMoment = iota
	copyDuring
	copyAfter
)

// party is a client with the session's cookies.
type party struct {
	name string
	*sessiontest.Browser
	due    time.Time   // of the next visit
	visits int         // since the copy
	keeps  func() bool // whether the party stores the answers of a visit

	// own says that the party holds a child that was minted for it after the copy. past
	// says that the row has confirmed such a child, first at pastAt.
	own    bool
	past   bool
	pastAt time.Time
}

// theft is one session that two clients use.
type theft struct {
	w             *world
	r             *rand.Rand
	plan          plan
	keeps         func() bool // the thief's choice
	session       string
	victim, thief *party
	elsewhere     *sessiontest.Browser // with another session of the user
	other         string               // that session

	victimAnswered time.Time   // when the victim got a child last
	replays        []time.Time // visits since then at which the thief presented what the victim has presented, too
	unclear        time.Time   // when a child of one of the two was confirmed, and it is not known whose; zero: it is

	noticedBy string
	refreshes int // answered visits of the thief that needed the refresh cookie
	span      time.Duration
}

func (s *theft) node() *node { return s.w.nodes[s.r.IntN(len(s.w.nodes))] }

// run logs the user in, copies the cookies, and lets both clients go on until the
// session ends. An error says which part of guarantee 4 does not hold.
func (s *theft) run(user int) (err error) {
	s.victim = &party{name: "victim", Browser: sessiontest.NewBrowser(nil), keeps: func() bool { return true }}
	if s.session, err = s.w.login(s.node(), s.victim.Browser, user, s.plan.remember); err != nil {
		return err
	}
	for range s.plan.before {
		time.Sleep(s.plan.victimPause())
		if _, err := s.step(s.victim); err != nil {
			return fmt.Errorf("before the copy: %w", err)
		}
	}
	if err := s.copy(); err != nil {
		return err
	}
	s.elsewhere = sessiontest.NewBrowser(nil)
	if s.other, err = s.w.login(s.node(), s.elsewhere, user, true); err != nil {
		return err
	}
	copied := time.Now()
	for range 100 {
		ended, err := s.next()
		if err != nil {
			return fmt.Errorf("%v after the copy, at visit %d of the victim and %d of the thief: %w", time.Since(copied), s.victim.visits, s.thief.visits, err)
		}
		if ended {
			s.span = time.Since(copied)
			return s.aftermath()
		}
	}
	return fmt.Errorf("not noticed after %d visits of the victim and %d of the thief, in %v", s.victim.visits, s.thief.visits, time.Since(copied))
}

// copy makes the thief.
func (s *theft) copy() error {
	steal := func() {
		clone := s.victim.Clone()
		if s.plan.expired {
			clone = s.victim.CloneIgnoringExpiry()
		}
		s.thief = &party{name: "thief", Browser: clone, keeps: s.keeps}
	}
	switch s.plan.copyAt {
	case copyAfter:
		steal()
	case copyBefore:
		time.Sleep(s.plan.victimPause())
		steal()
		if _, err := s.step(s.victim); err != nil {
			return fmt.Errorf("right after the copy: %w", err)
		}
	case copyDuring:
		time.Sleep(s.plan.victimPause())
		a := s.w.send(s.node(), page(s.victim.Browser))
		if !a.servedTo(s.session) {
			return fmt.Errorf("at the copy: %v", a)
		}
		steal()
		s.take(s.victim, a)
	}
	s.victim.due = time.Now().Add(s.plan.victimPause())
	s.thief.due = time.Now().Add(s.plan.thiefDelay)
	return nil
}

// next waits for the next visit of one of the two, or of both at once.
func (s *theft) next() (ended bool, err error) {
	going := []*party{s.victim}
	if s.thief.due.Before(s.victim.due) {
		going[0] = s.thief
	}
	if together := s.r.IntN(10); together == 0 || s.plan.oftenTogether && together < 6 {
		s.thief.due = s.victim.due
		going = []*party{s.victim, s.thief}
	}
	nodetest.SleepUntil(going[0].due)
	ended, err = s.step(going...)
	for _, p := range going {
		p.visits++
		pause := s.plan.thiefPause
		if p == s.victim {
			pause = s.plan.victimPause
		}
		p.due = p.due.Add(pause())
	}
	return ended, err
}

// step lets clients visit the page, in parallel, and reports whether the session was
// ended by it.
func (s *theft) step(going ...*party) (ended bool, err error) {
	now := time.Now()
	before, err := s.w.row(s.session)
	if err != nil {
		return false, err
	}
	answers := s.visit(going)
	after, err := s.w.row(s.session)
	if err != nil {
		return false, err
	}
	if after.reason != "" {
		return true, s.judgeEnd(going, answers, after.reason)
	}

	confirmed := after.generation > before.generation
	unclear := s.unclear
	for i, p := range going {
		asked := false // whether a request of p reached the store
		for _, a := range answers[i] {
			if !a.servedTo(s.session) {
				return false, fmt.Errorf("the session lives, and the %s gets %v", p.name, a)
			}
			asked = asked || a.statements > 0
		}
		if s.thief == nil {
			s.takeAll(p, answers[i])
			continue
		}
		if p == s.thief && answers[i][0].refreshed() {
			s.refreshes++
		}
		if asked {
			if why := s.mustEnd(p, now); why != "" {
				return false, fmt.Errorf("the %s is served, although %s", p.name, why)
			}
			if p == s.thief && !p.own {
				s.replays = append(s.replays, now)
			}
			if !unclear.IsZero() && len(going) == 1 && now.Sub(unclear) > grace {
				p.past, p.pastAt, s.unclear = true, unclear, time.Time{}
			}
		}
	}
	if s.thief != nil && confirmed && !s.victim.past && !s.thief.past {
		var owners []*party
		for _, p := range going {
			if p.own {
				owners = append(owners, p)
			}
		}
		switch {
		case len(owners) == 1:
			owners[0].past, owners[0].pastAt = true, now
		case len(owners) == 2:
			s.unclear = now // the other one's was served as in flight
		}
	}
	for i, p := range going {
		if s.thief != nil {
			s.takeAll(p, answers[i])
		}
	}
	return false, nil
}

// mustEnd returns the reason why a visit of p that reaches the store has to end the
// session, by guarantee 4. Empty: it need not.
func (s *theft) mustEnd(p *party, now time.Time) string {
	rival := s.thief
	if p == s.thief {
		rival = s.victim
	}
	if rival.past && now.Sub(rival.pastAt) > grace {
		return fmt.Sprintf("the %s got past a refresh %v ago", rival.name, now.Sub(rival.pastAt))
	}
	if p != s.victim || !p.own || s.thief.own {
		return ""
	}
	// Two replays more than A apart, the first more than 2 A after the victim's last
	// answer. A node answers from memory for up to a second.
	const slack = time.Second
	var first time.Time
	for _, at := range s.replays {
		switch {
		case first.IsZero() && at.Sub(s.victimAnswered) > 2*accessTTL+slack:
			first = at
		case !first.IsZero() && at.Sub(first) > accessTTL+slack:
			return fmt.Sprintf("the thief presented its parent %v and %v after the victim's last answer", first.Sub(s.victimAnswered), at.Sub(s.victimAnswered))
		}
	}
	return ""
}

// visit lets each client make one to three requests, all at once, on both nodes. The
// requests of a client carry the same cookies.
func (s *theft) visit(going []*party) [][]answer {
	answers := make([][]answer, len(going))
	var all sync.WaitGroup
	for i, p := range going {
		answers[i] = make([]answer, 1+s.r.IntN(3))
		for k := range answers[i] {
			n, r := s.node(), page(p.Browser)
			all.Go(func() { answers[i][k] = s.w.send(n, r) })
		}
	}
	all.Wait()
	return answers
}

// takeAll stores the answers of a visit in any order, if the client keeps them.
func (s *theft) takeAll(p *party, answers []answer) {
	if !p.keeps() {
		return
	}
	for _, i := range s.r.Perm(len(answers)) {
		s.take(p, answers[i])
	}
}

func (s *theft) take(p *party, a answer) {
	p.Receive(a.cookies)
	if s.thief == nil || !a.hasChild() {
		return
	}
	p.own = true
	if p == s.victim {
		s.victimAnswered, s.replays = time.Now(), nil
	}
}

// judgeEnd records which visit has ended the session.
func (s *theft) judgeEnd(going []*party, answers [][]answer, reason string) error {
	if s.thief == nil || s.thief.visits == 0 && !slices.Contains(going, s.thief) {
		return fmt.Errorf("the session has ended before the thief came, with the reason %q", reason)
	}
	if reason != string(store.ReasonReuse) {
		return fmt.Errorf("the session has ended with the reason %q; want reuse", reason)
	}
	s.noticedBy = going[0].name
	if len(going) == 2 {
		s.noticedBy = "both"
	}
	refused := false
	for i, p := range going {
		for _, a := range answers[i] {
			switch {
			case a.refused():
				refused = true
			case a.status == http.StatusServiceUnavailable:
				// The store was asked before, and the node has heard of the end since.
			case !a.servedTo(s.session) || len(going) == 1:
				return fmt.Errorf("the session ends, and the %s gets %v", p.name, a)
			}
		}
	}
	if !refused {
		return errors.New("the session ends, and nobody is refused")
	}
	return nil
}

// aftermath checks that nobody goes on once the access cookies have expired, with any
// of the cookies, on either node; that the theft was reported once; and that the user's
// other session goes on.
func (s *theft) aftermath() error {
	time.Sleep(accessTTL)
	for _, p := range []*party{s.victim, s.thief} {
		for _, b := range []*sessiontest.Browser{p.Clone(), p.CloneIgnoringExpiry()} {
			for _, n := range s.w.nodes {
				if a := s.w.send(n, page(b)); !a.refused() {
					return fmt.Errorf("after the end, the %s gets %v", p.name, a)
				}
			}
		}
	}
	if n := s.w.eventsOf(session.EventReuse, s.session); n != 1 {
		return fmt.Errorf("%d events of reuse; want 1", n)
	}
	if a := s.w.send(s.node(), page(s.elsewhere)); !a.servedTo(s.other) {
		return fmt.Errorf("after the end, the user's other session gets %v", a)
	}
	return nil
}
