package session

import (
	"maps"
	"sync"
	"time"
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

// maxRemembered is how many things a oncePerMinute remembers: about 50 KB.
const maxRemembered = 1000

// oncePerMinute tells what happens to a session, or to a credential, for the first time
// from what happens within a minute of that. The zero value is ready. It is safe for
// concurrent use.
type oncePerMinute[K comparable] struct {
	mu   sync.Mutex // guards what follows
	last map[K]time.Time
}

func isRecent(at time.Time) bool { return time.Since(at) < time.Minute }

// happened reports whether first was called for id in the last minute.
func (o *oncePerMinute[K]) happened(id K) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	at, ok := o.last[id]
	return ok && isRecent(at)
}

// first reports whether it was not called for id in the last minute. If too many are
// remembered, it is false for all others: they have the same cause.
func (o *oncePerMinute[K]) first(id K) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if at, ok := o.last[id]; ok && isRecent(at) {
		return false
	}
	if len(o.last) >= maxRemembered {
		maps.DeleteFunc(o.last, func(_ K, at time.Time) bool { return !isRecent(at) })
	}
	if len(o.last) >= maxRemembered {
		return false
	}
	if o.last == nil {
		o.last = map[K]time.Time{}
	}
	o.last[id] = time.Now()
	return true
}

// limiter allows each key a few times in a while. It is safe for concurrent use.
type limiter[K comparable] struct {
	most  int
	every time.Duration

	mu   sync.Mutex // guards what follows
	used map[K]use
}

// use is how often a key was used since a time.
type use struct {
	since time.Time
	times int
}

// maxLimited is how many keys a limiter remembers: about 1 MB.
const maxLimited = 10_000

func newLimiter[K comparable](most int, every time.Duration) *limiter[K] {
	return &limiter[K]{most: most, every: every, used: map[K]use{}}
}

func (l *limiter[K]) isFree(key K) bool {
	u, known := l.used[key]
	switch {
	case known && time.Since(u.since) < l.every:
		return u.times < l.most
	case known || len(l.used) < maxLimited:
		return true
	}
	maps.DeleteFunc(l.used, func(_ K, u use) bool { return time.Since(u.since) >= l.every })
	return len(l.used) < maxLimited
}

// allow uses a key once more, and reports whether it may. If too many keys are remembered, it
// is false for all others.
func (l *limiter[K]) allow(key K) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isFree(key) {
		return false
	}
	u := l.used[key]
	if time.Since(u.since) >= l.every {
		u = use{since: time.Now()}
	}
	u.times++
	l.used[key] = u
	return true
}

// giveBack takes one use of a key back.
func (l *limiter[K]) giveBack(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if u := l.used[key]; u.times > 0 {
		u.times--
		l.used[key] = u
	}
}
