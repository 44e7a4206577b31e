package session

import (
	"maps"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// pace lets events of the kinds of one rate through at most once in a while: each kind,
// and each fault of the setup, on its own. It is safe for concurrent use.
type pace struct {
	rate  rate
	every time.Duration

	mu   sync.Mutex // guards what follows
	each map[string]*paceOfOne
}

type paceOfOne struct {
	last    time.Time // zero: none yet
	omitted int       // since then
}

func newPace(r rate, every time.Duration) *pace {
	return &pace{rate: r, every: every, each: map[string]*paceOfOne{}}
}

// due reports whether an event is let through, and how many like it were not since the
// last one.
func (p *pace) due(e Event) (due bool, omitted int) {
	if e.Kind.rate() != p.rate {
		return true, 0
	}
	name := string(e.Kind)
	if e.Kind == EventMisconfigured {
		name += e.Err.Error() // one of a few
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.each[name]
	if one == nil {
		one = &paceOfOne{}
		p.each[name] = one
	}
	if !one.last.IsZero() && now.Sub(one.last) < p.every {
		one.omitted++
		return false, 0
	}
	omitted, one.last, one.omitted = one.omitted, now, 0
	return true, omitted
}

// maxRemembered is how many sessions a oncePerMinute remembers: about 50 KB.
const maxRemembered = 1000

// oncePerMinute tells the first event of a session from those within a minute of it.
// The zero value is ready. It is safe for concurrent use.
type oncePerMinute struct {
	mu   sync.Mutex // guards what follows
	last map[store.ID]time.Time
}

// first reports whether there was none for the session in the last minute. If too many
// sessions are remembered, it is false for all others: they have the same cause.
func (o *oncePerMinute) first(id store.ID) bool {
	now := time.Now()
	recent := func(at time.Time) bool { return now.Sub(at) < time.Minute }
	o.mu.Lock()
	defer o.mu.Unlock()
	if at, ok := o.last[id]; ok && recent(at) {
		return false
	}
	if len(o.last) >= maxRemembered {
		maps.DeleteFunc(o.last, func(_ store.ID, at time.Time) bool { return !recent(at) })
	}
	if len(o.last) >= maxRemembered {
		return false
	}
	if o.last == nil {
		o.last = map[store.ID]time.Time{}
	}
	o.last[id] = now
	return true
}
