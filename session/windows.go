package session

import "time"

// clockTolerance is how far a node's clock may be behind the store's. A node that
// is further behind asks the store instead of accepting access tickets.
const clockTolerance = 5 * time.Second

// delayedFor is how long after a login a missing row counts as one that has not
// reached this database node yet.
const delayedFor = 15 * time.Second

// shortestAccess is the shortest access lifetime that Config accepts.
const shortestAccess = time.Second

// longestAccess is the longest access lifetime that Config accepts. store.RetainRevoked
// is a minute longer.
const longestAccess = time.Hour

// failoverSlack is by how much the clock of a database may be slower than that of the
// one it has taken over from.
const failoverSlack = time.Hour

// windows are all time spans of the rotation; most depend on the access lifetime A, which is
// that of the cookies or that of the tokens: see spans. No
// other code computes a fraction of A. A new window is a field here, with its reason, and
// a line in windowsFor.
type windows struct {
	// access is A itself. After it a client that has received an answer comes
	// back with that answer's refresh ticket, at the latest.
	access time.Duration

	// accessJitter, A/10, is the most by which the life of an access ticket is
	// shortened at random. Users who log in together then refresh apart.
	accessJitter time.Duration

	// young, 5/6 A: a refresh ticket younger than this is neither confirmed nor
	// given a child. Its siblings may still be on their way to the browser,
	// and one that arrives later replaces it there. If it were confirmed, that sibling would
	// look stolen.
	young time.Duration

	// clockStep, A: a ticket that was issued by more than this after the present time is from
	// before the database's clock was set back. It is not young, or it would be neither
	// confirmed nor recorded until the clock has caught up.
	clockStep time.Duration

	// grace, A/12: a ticket that was replaced is still served for this long after
	// its child was confirmed. Requests that left the browser before are in flight.
	grace time.Duration

	// late, A: the confirmed ticket is presented late if this much has passed since it
	// was presented last. Parallel requests, and the retry after a lost answer, come
	// sooner. A child that was minted this long before two late presentations of its
	// parent is reuse: its holder has received it and would have presented it.
	late time.Duration

	// shareOutcome, A/12 and at most one second: requests of one page load that
	// present the same ticket within this time share one outcome. It must not
	// exceed grace, so that nobody is served longer than the store would allow.
	shareOutcome time.Duration

	// deliverChild, A/4: an answer that leaves later than this after the store was
	// asked carries no refresh ticket. At 5/6 A a sibling of the ticket may be
	// confirmed; the difference is the time that the answer has to reach the browser.
	deliverChild time.Duration

	// repeatRefusal, one second: how long a node refuses a session that is over without
	// asking again.
	repeatRefusal time.Duration

	// over, A: how long a browser is refused without the store after the store has said
	// that its session is over.
	over time.Duration

	// rememberRevocation, A + 1 min: how long a node remembers a revocation. A is the longest
	// access lifetime. Every access ticket issued before has expired by then. The minute covers
	// clocks that differ and revocations that were committed late.
	rememberRevocation time.Duration

	// fullPoll, 1/12 of rememberRevocation: how often a poll reads that whole
	// time again, and not only what is new. Frequent enough to find a
	// revocation that was committed late, and rare enough to be cheap.
	fullPoll time.Duration

	// watchPause, A, shortened at random by up to accessJitter: how often Done asks the
	// store, which is as often as other requests of the session do.
	watchPause time.Duration

	// retainRow, A + 1 min: how long a row outlives the last ticket that was
	// minted for it. The minute covers the way of an answer.
	retainRow time.Duration

	// sealedFor, A + clockTolerance: how long securecookie opens an access
	// cookie, by the node's clock. It is a second check; the ticket's own times
	// come first.
	sealedFor time.Duration

	// shortestIdle, 2 A: the shortest idle timeout. A session must survive one
	// missed refresh.
	shortestIdle time.Duration
}

// spans are the windows of cookies and those of tokens, whose access tickets have a lifetime
// of their own.
type spans struct {
	cookies windows
	tokens  windows       // zero: the app has no tokens
	longest windows       // of the two: what holds for tickets of both kinds
	share   time.Duration // shareOutcome, for tickets of both kinds: the shorter one
}

func (c Config) spans() spans {
	s := spans{cookies: windowsFor(c.AccessTTL)}
	s.longest, s.share = s.cookies, s.cookies.shareOutcome
	if c.TokenTTL > 0 {
		s.tokens = windowsFor(c.TokenTTL)
		s.longest, s.share = windowsFor(max(c.AccessTTL, c.TokenTTL)), min(s.share, s.tokens.shareOutcome)
	}
	return s
}

// of returns the windows for the tickets of a client; empty: of a browser.
func (s spans) of(client string) windows {
	if client != "" && s.tokens != (windows{}) {
		return s.tokens
	}
	return s.cookies
}

func windowsFor(a time.Duration) windows {
	const margin = time.Minute
	return windows{
		access:             a,
		accessJitter:       a / 10,
		young:              a * 5 / 6,
		clockStep:          a,
		grace:              a / 12,
		late:               a,
		shareOutcome:       min(time.Second, a/12), // at most grace
		deliverChild:       a / 4,
		repeatRefusal:      time.Second,
		over:               a,
		rememberRevocation: a + margin,
		fullPoll:           (a + margin) / 12,
		watchPause:         a,
		retainRow:          a + margin,
		sealedFor:          a + clockTolerance,
		shortestIdle:       2 * a,
	}
}

// retainFor is how long a row must outlive a confirmation, so that no ticket
// outlives its row: the confirmed ticket may be presented at its very end, and
// its child lives as long again.
func (w windows) retainFor(idle time.Duration) time.Duration { return 2*idle + w.retainRow }
