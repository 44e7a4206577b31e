package session

import (
	"encoding/binary"
	"time"
)

// reader takes a ticket apart. After the first fault everything it returns is
// zero, and end reports it.
type reader struct {
	b      []byte
	texts  string // b once more, from the first text on, for all texts to be cut from
	failed bool
}

func newReader(b []byte, kind byte) *reader {
	r := &reader{b: b}
	if first := r.take(1); first == nil || first[0] != kind {
		r.fail()
	}
	return r
}

func (r *reader) fail() { r.b, r.failed = nil, true }

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail()
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) bytes(dst []byte) { copy(dst, r.take(len(dst))) }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// maxSpan is a century, in ticks: what exceeds it is no time of a session's.
const maxSpan = 100 * 366 * 24 * 3600 * 1000 / tick

func (r *reader) issued() time.Time {
	v, n := binary.Varint(r.b)
	if n <= 0 || v < -maxSpan || v > maxSpan {
		r.fail()
		return time.Time{}
	}
	r.b = r.b[n:]
	return time.UnixMilli((firstTick + v) * tick).UTC()
}

func (r *reader) span() time.Duration {
	n := r.uvarint()
	if n > maxSpan {
		r.fail()
		return 0
	}
	return time.Duration(n) * tick * time.Millisecond
}

// text returns the next n bytes. A length that exceeds what is left is a fault,
// and no reason to allocate.
func (r *reader) text(n uint64) string {
	if n > uint64(len(r.b)) {
		r.fail()
		return ""
	}
	if r.texts == "" {
		r.texts = string(r.b)
	}
	from := len(r.texts) - len(r.b)
	r.b = r.b[n:]
	return r.texts[from : from+int(n)]
}

func (r *reader) bool() bool {
	b := r.take(1)
	if b == nil || b[0] > 1 {
		r.fail()
		return false
	}
	return b[0] == 1
}

// over reports whether nothing is left.
func (r *reader) over() bool { return len(r.b) == 0 }

func (r *reader) end() error {
	if r.failed || !r.over() {
		return errTicket
	}
	return nil
}
