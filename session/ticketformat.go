package session

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"
)

// The wire format of tickets is small, because it travels with every request: one
// byte for kind and version, then the fields in order, numbers as varints, texts
// after their length. It is strict: a ticket is read to its last byte, or not at
// all. The app's name is not part of it: it is part of the keys and of the cookie's
// name.
//
// Times are hundredths of a second: the time of issue since 2025, the others as
// their distance from it.
const (
	accessV1  = 'a'
	overV1    = 'o' // an access ticket that says that its session is over
	refreshV1 = 'r'
	tokenV1   = 't' // a refresh ticket that is a token
	deviceV1  = 'd'
)

var errTicket = errors.New("session: not a ticket of this version and kind")

const tick = 10 // milliseconds

var firstTick = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() / tick

// stamp rounds a time down to what a ticket can carry.
func stamp(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli() / tick * tick).UTC() }

func appendIssued(b []byte, t time.Time) []byte {
	return binary.AppendVarint(b, t.UnixMilli()/tick-firstTick)
}

// appendSpan writes the time between two moments. If a clock was set back and the
// second is the earlier one, it writes zero.
func appendSpan(b []byte, from, to time.Time) []byte {
	return binary.AppendUvarint(b, uint64(max(0, to.UnixMilli()/tick-from.UnixMilli()/tick)))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// Texts that a ticket may have or not come last, one after the other. The lowest bits of
// the length of each tell what it is. The text of an attribute or of a piece of data
// follows its name.
const (
	isRole uint64 = iota
	isAttr
	isMethod
	isExternalID
	isData
	isActor  // the id of the session that an impersonation began from, and the actor's user id
	isClient // the proof of liveness of a token, and its client

	tagBits = 3
)

func appendTagged(b []byte, s string, tag uint64) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))<<tagBits|tag), s...)
}

func appendTaggedMap(b []byte, m map[string]string, tag uint64) []byte {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		b = appendString(appendTagged(b, name, tag), m[name])
	}
	return b
}

// reader reads the fields of a ticket. After the first fault everything it returns
// is zero, and end reports the fault.
type reader struct {
	b      []byte
	texts  string // the rest of b from the first text on: all texts are cut from it, in one allocation
	failed bool
}

func newReader(b []byte, kind byte) *reader {
	r := &reader{b: b}
	if first := r.take(1); first == nil || first[0] != kind {
		r.fail()
	}
	return r
}

// isKind reports whether b begins like a ticket of a kind.
func isKind(b []byte, kind byte) bool { return len(b) > 0 && b[0] == kind }

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

// maxSpan is a century in ticks. No time of a session is further away.
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

// text returns the next n bytes. A length beyond the end is a fault, and allocates
// nothing.
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

// pair reads the text that belongs to a name into a map.
func (r *reader) pair(m *map[string]string, name string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[name] = r.text(r.uvarint())
}

// atEnd reports whether nothing is left.
func (r *reader) atEnd() bool { return len(r.b) == 0 }

func (r *reader) end() error {
	if r.failed || !r.atEnd() {
		return errTicket
	}
	return nil
}
