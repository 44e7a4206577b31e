package session

import (
	"sync"
	"sync/atomic"
	"time"
)

// opened remembers the access cookies that this node has opened, or sealed, so
// that each is decrypted once and not for every request of its two minutes.
//
// It grants nothing: what is found here is judged like what has just been
// decrypted, by its own end and by the feed. Strangers cannot fill it, because
// only what a key has sealed is put in; it belongs to one set of keys, and goes
// with them. It forgets by halves: after an access lifetime, or when the young
// half is full, that becomes the old one, and what was in the old one is dropped.
// So no cookie that is still good is forgotten unless there are very many.
//
// It is safe for concurrent use, and readers never wait.
type opened struct {
	keep   time.Duration
	halves atomic.Pointer[halves]
}

// halves map cookie values to *accessTicket.
type halves struct {
	young, old *sync.Map
	size       atomic.Int64 // of young
	began      time.Time    // young
}

// maxOpened bounds each half: some 15 MB of cookies of the usual size.
const maxOpened = 1 << 15

func newOpened(accessTTL time.Duration) *opened {
	o := &opened{keep: accessTTL}
	o.halves.Store(&halves{young: new(sync.Map), old: new(sync.Map), began: time.Now()})
	return o
}

func (o *opened) get(value string) (*accessTicket, bool) {
	h := o.halves.Load()
	t, ok := h.young.Load(value)
	if !ok {
		t, ok = h.old.Load(value)
	}
	if !ok {
		return nil, false
	}
	return t.(*accessTicket), true
}

func (o *opened) put(value string, t *accessTicket) {
	h := o.halves.Load()
	if h.size.Add(1) > maxOpened || time.Since(h.began) > o.keep {
		next := &halves{young: new(sync.Map), old: h.young, began: time.Now()}
		// Of many who come at once, one turns; the others find it turned.
		o.halves.CompareAndSwap(h, next)
		h = o.halves.Load()
	}
	h.young.Store(value, t)
}
