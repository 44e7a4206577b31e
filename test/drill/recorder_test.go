package drill

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/test/drill/history"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// jar is a browser with its number and user in the history.
type jar struct {
	*nodetest.Browser
	id   int
	user nodetest.User
	held nodetest.Cookies // not nil: a copy of cookies that is used without taking new ones
}

// recorder records the operations of browsers. It is safe for concurrent use.
type recorder struct {
	mu   sync.Mutex // guards what follows
	ops  []history.Op
	odd  []nodetest.Answer // unexpected answers
	jars int
}

func (r *recorder) newJar(b *nodetest.Browser, u nodetest.User) *jar {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jars++
	return &jar{Browser: b, id: r.jars, user: u}
}

// add records an operation. The returned function sets Renewed, when the answer has
// reached the jar.
func (r *recorder) add(op history.Op, a nodetest.Answer) (renewed func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, op)
	if op.Outcome == history.Other {
		r.odd = append(r.odd, a)
	}
	i := len(r.ops) - 1
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ops[i].Renewed = true
	}
}

// history returns the operations so far.
func (r *recorder) history() []history.Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]history.Op(nil), r.ops...)
}

// mark records what the drill itself did to a session.
func (r *recorder) mark(kind history.Kind, j *jar) {
	now := time.Now()
	r.add(history.Op{Jar: j.id, Kind: kind, User: j.Who.UserID, Session: j.Who.SessionID, Began: now, Ended: now, Outcome: history.OK}, nodetest.Answer{})
}

// request is a request and what happens to its answer.
type request struct {
	kind history.Kind // "": Use or Refresh, by the cookies
	nodetest.Request
	base   string
	with   nodetest.Cookies
	target string // the session that the request ends, if not the jar's own
	late   time.Duration
	lost   bool // the answer does not reach the jar
}

// send sends a request, records its outcome, and stores the cookies of the answer.
func (r *recorder) send(ctx context.Context, j *jar, q request) nodetest.Answer {
	a := j.SendContext(ctx, q.base, q.Request, q.with)
	op := history.Op{
		Jar: j.id, Kind: q.kind, User: j.Who.UserID, Session: j.Who.SessionID, Target: q.target,
		Began: a.Sent, Ended: a.Came, Cookies: len(a.Cookies) > 0,
	}
	if op.Kind == "" {
		op.Kind = history.Use
		if q.with[nodetest.AccessCookie] == "" {
			op.Kind = history.Refresh
		}
	}
	op.Outcome = outcome(op.Kind, a)
	if who, err := a.Session(); err == nil && (op.Kind == history.Use || op.Kind == history.Refresh) {
		op.Got = &history.Identity{User: who.UserID, Session: who.SessionID, IssuedAt: who.IssuedAt, ExpiresAt: who.ExpiresAt}
	}
	renewed := r.add(op, a)
	time.Sleep(q.late)
	if !q.lost && a.Err == nil && j.held == nil {
		j.Take(a)
		if a.Renews() {
			renewed()
		}
	}
	return a
}

// outcome returns the outcome that a browser can tell from the answer.
func outcome(kind history.Kind, a nodetest.Answer) history.Outcome {
	switch {
	case a.Err != nil || a.Status == http.StatusBadGateway:
		return history.Unknown
	case a.Status == http.StatusServiceUnavailable:
		return history.Unavailable
	case kind == history.Logout || kind == history.Revoke:
		if a.Status == http.StatusSeeOther && (kind == history.Logout || !a.Refused()) {
			return history.OK
		}
		if a.Refused() {
			return history.Refused
		}
	case a.Refused():
		return history.Refused
	case a.Status == http.StatusOK && strings.HasPrefix(a.Header.Get("Content-Type"), "application/json"):
		return history.OK
	}
	return history.Other
}
