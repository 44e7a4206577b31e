package session

import (
	"hash/maphash"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// ticketCache holds the access tickets that this node has opened or sealed, by the
// value of their cookie, so that each cookie is decrypted once and not for every
// request.
//
// The cache grants nothing: its tickets are judged like freshly opened ones, and a
// value is found only as long as a key would open it. A stranger cannot fill the
// cache, because only what a key has sealed is put in. It belongs
// to one set of keys and is dropped with them. Its size is bounded: about 20 MB when
// full of cookies with a few roles, and four times that with the longest cookies that it
// holds. In a full bucket an expired ticket makes room, or else a random one, which
// is opened again if it comes back.
//
// It is safe for concurrent use, and nobody waits: a reader sees a whole entry or
// none, and of two writers the later one wins.
type ticketCache struct {
	keep    time.Duration // windows.sealedFor
	seed    maphash.Seed
	buckets [1 << 13]bucket
}

// bucket holds the entries of one hash. With four to a bucket, nearly all of
// 10,000 cookies find a place among 32,768.
type bucket [4]atomic.Pointer[cachedTicket]

// maxCachedCookie bounds the memory that cookies with many attributes take, in
// bytes. A longer cookie is opened for every request.
const maxCachedCookie = 1024

type cachedTicket struct {
	value     string // of the cookie
	ticket    accessTicket
	openUntil time.Time // set by put: the node's time at which securecookie ceases to open the value
}

func newTicketCache(keep time.Duration) *ticketCache {
	return &ticketCache{keep: keep, seed: maphash.MakeSeed()}
}

func (c *ticketCache) bucket(value string) *bucket {
	return &c.buckets[maphash.String(c.seed, value)%uint64(len(c.buckets))]
}

func (c *ticketCache) get(value string) (*accessTicket, bool) {
	b := c.bucket(value)
	for i := range b {
		if cached := b[i].Load(); cached != nil && cached.value == value {
			return &cached.ticket, time.Now().Before(cached.openUntil)
		}
	}
	return nil, false
}

// put takes in an entry that is new: nobody else has it yet. Its age counts from the
// time of sealing, not from now: a ticket of a store whose clock was ahead must not
// become valid after the revocation list has forgotten its session.
func (c *ticketCache) put(entry *cachedTicket) {
	sealed, ok := sealedAt(entry.value)
	if !ok || len(entry.value) > maxCachedCookie {
		return
	}
	entry.openUntil = sealed.Add(c.keep)
	b, now := c.bucket(entry.value), time.Now()
	place := &b[rand.N(len(b))]
	for i := len(b) - 1; i >= 0; i-- {
		if cached := b[i].Load(); cached == nil || cached.ticket.ExpiresAt.Before(now) {
			place = &b[i]
		}
	}
	for i := range b {
		if cached := b[i].Load(); cached != nil && cached.value == entry.value {
			place = &b[i]
		}
	}
	place.Store(entry)
}

// size counts the entries, those that are over included.
func (c *ticketCache) size() (n int) {
	for i := range c.buckets {
		for j := range c.buckets[i] {
			if c.buckets[i][j].Load() != nil {
				n++
			}
		}
	}
	return n
}
