package session

import (
	"hash/maphash"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// opened remembers the access cookies that this node has opened, or sealed, so
// that each is decrypted once and not for every request of its two minutes.
//
// It grants nothing: what is found here is judged like what has just been
// decrypted, by its own end and by the feed. Strangers cannot fill it, because
// only what a key has sealed is put in; it belongs to one set of keys, and goes
// with them. Its size is bounded, some 20 MB when it is full of cookies with a few
// roles, and four times that with the longest that it keeps: where a bucket is full, a
// cookie that has run out makes room, or else any, and is opened once more if it
// comes again. So one that is in use is soon back, however many others come once.
//
// It is safe for concurrent use, and nobody waits: a reader sees a cookie whole
// or not at all, and of two writers of one place the later wins.
type opened struct {
	seed    maphash.Seed
	buckets [1 << 13]bucket
}

// A bucket holds the cookies of one hash. With four to a bucket, 10,000 cookies
// nearly all find a place among 32,768.
type bucket [4]atomic.Pointer[openedCookie]

// longestOpened bounds the memory that cookies with many attributes take. Longer
// ones are opened for every request.
const longestOpened = 1024

type openedCookie struct {
	value  string
	ticket accessTicket
}

func newOpened() *opened { return &opened{seed: maphash.MakeSeed()} }

func (o *opened) bucket(value string) *bucket {
	return &o.buckets[maphash.String(o.seed, value)%uint64(len(o.buckets))]
}

func (o *opened) get(value string) (*accessTicket, bool) {
	b := o.bucket(value)
	for i := range b {
		if c := b[i].Load(); c != nil && c.value == value {
			return &c.ticket, true
		}
	}
	return nil, false
}

func (o *opened) put(c *openedCookie) {
	if len(c.value) > longestOpened {
		return
	}
	b, now := o.bucket(c.value), time.Now()
	place := &b[rand.N(len(b))]
	for i := range b {
		if is := b[i].Load(); is == nil || is.ticket.ExpiresAt.Before(now) {
			place = &b[i]
			break
		}
	}
	place.Store(c)
}
