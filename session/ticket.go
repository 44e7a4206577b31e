package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"
)

// A ticket is the decoded content of a cookie. Times are the store's clock, as a
// login or a refresh returned it.

// accessTicket is believed by itself: it says who a request is. Requests share
// it, so nothing changes it once it is made, and copy is all that is handed out.
type accessTicket struct {
	Session
	id          ID
	reload      uint64
	globalEpoch uint64
	room        [fewRoles]string // of Roles, if they fit
}

// fewRoles is how many roles there is room for in a ticket itself, and on the
// stack of whoever gets a copy.
const fewRoles = 4

// copy makes s what the ticket says, and returns the roles to go with it, in the
// room given if they fit. The caller puts them in, not copy: so the compiler sees
// where the room goes, and a handler that looks no further than the user's id
// makes no allocation, however many roles there are in all the cookies.
func (t *accessTicket) copy(s *Session, room []string) []string {
	*s = t.Session
	s.Attrs = maps.Clone(t.Attrs)
	if t.Roles == nil {
		return nil
	}
	return append(room, t.Roles...)
}

// refreshTicket is believed only as far as the row agrees.
type refreshTicket struct {
	root       [16]byte // known to the browser alone; the session's ID is its digest
	generation uint64   // 0 at login; a child's is its parent's plus one
	id         [16]byte // distinct in every ticket ever minted
	parent     [16]byte // the id of the ticket it answers
	remember   bool
	issued     time.Time
	expires    time.Time // the idle end
}

func (t refreshTicket) sessionID() ID {
	sum := sha256.Sum256(t.root[:])
	return ID(sum[:len(ID{})])
}

func (t refreshTicket) digest() Digest       { return sha256.Sum256(t.id[:]) }
func (t refreshTicket) parentDigest() Digest { return sha256.Sum256(t.parent[:]) }

// child mints the ticket that answers t: random, so that no two clients who
// present the same ticket ever hold the same next one. That is what tells a
// thief from his victim.
func (t refreshTicket) child(now time.Time, idle time.Duration) refreshTicket {
	return refreshTicket{
		root:       t.root,
		generation: t.generation + 1,
		id:         random16(),
		parent:     t.id,
		remember:   t.remember,
		issued:     stamp(now),
		expires:    stamp(now.Add(idle)),
	}
}

func random16() (b [16]byte) {
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return b
}

// The wire format is small, because it travels with every request: one byte for
// kind and version, then the fields in order, numbers as varints, texts behind
// their length. It is strict: a ticket is read to its last byte, or not at all.
// The app needs no mention: it is part of the keys, and of the cookie's name.
//
// A ticket's times are hundredths of a second: that of its issue since 2025, the
// others as how far they are from it.
const (
	accessV1  = 'a'
	refreshV1 = 'r'
)

var errTicket = errors.New("session: not a ticket of this version and kind")

const tick = 10 // milliseconds

var firstTick = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() / tick

// stamp is a moment as tickets carry it.
func stamp(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli() / tick * tick).UTC() }

func appendIssued(b []byte, t time.Time) []byte {
	return binary.AppendVarint(b, t.UnixMilli()/tick-firstTick)
}

// appendSpan writes the time from one moment to a later one. Only a clock that was
// set back in between makes it the earlier one; then it is none.
func appendSpan(b []byte, from, to time.Time) []byte {
	return binary.AppendUvarint(b, uint64(max(0, to.UnixMilli()/tick-from.UnixMilli()/tick)))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Roles and attributes come last, in a row: the lowest bit of their first length
// tells which it is.
const (
	isRole uint64 = 0
	isAttr uint64 = 1
)

func appendTagged(b []byte, s string, tag uint64) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))<<1|tag), s...)
}

func (t *accessTicket) appendTo(b []byte) []byte {
	b = append(b, accessV1)
	b = append(b, t.id[:]...)
	b = appendIssued(b, t.IssuedAt)
	b = appendSpan(b, t.AuthTime, t.IssuedAt)
	b = appendSpan(b, t.IssuedAt, t.ExpiresAt)
	b = appendSpan(b, t.IssuedAt, t.EndsAt)
	b = binary.AppendUvarint(b, t.reload)
	b = binary.AppendUvarint(b, t.globalEpoch)
	b = appendString(b, t.UserID)
	for _, role := range t.Roles {
		b = appendTagged(b, role, isRole)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Attrs)) {
		b = appendString(appendTagged(b, name, isAttr), t.Attrs[name])
	}
	return b
}

func (t *accessTicket) parse(b []byte) error {
	r := newReader(b, accessV1)
	r.bytes(t.id[:])
	t.ID = t.id.String()
	t.IssuedAt = r.issued()
	t.AuthTime = t.IssuedAt.Add(-r.span())
	t.ExpiresAt = t.IssuedAt.Add(r.span())
	t.EndsAt = t.IssuedAt.Add(r.span())
	t.reload, t.globalEpoch = r.uvarint(), r.uvarint()
	t.UserID = r.text(r.uvarint())
	for !r.over() {
		switch n := r.uvarint(); n & 1 {
		case isRole:
			if t.Roles == nil {
				t.Roles = t.room[:0]
			}
			t.Roles = append(t.Roles, r.text(n>>1))
		case isAttr:
			if t.Attrs == nil {
				t.Attrs = map[string]string{}
			}
			name := r.text(n >> 1)
			t.Attrs[name] = r.text(r.uvarint())
		}
	}
	return r.end()
}

func (t *refreshTicket) appendTo(b []byte) []byte {
	b = append(b, refreshV1)
	b = append(b, t.root[:]...)
	b = binary.AppendUvarint(b, t.generation)
	b = append(b, t.id[:]...)
	b = append(b, t.parent[:]...)
	remember := byte(0)
	if t.remember {
		remember = 1
	}
	b = append(b, remember)
	b = appendIssued(b, t.issued)
	return appendSpan(b, t.issued, t.expires)
}

func (t *refreshTicket) parse(b []byte) error {
	r := newReader(b, refreshV1)
	r.bytes(t.root[:])
	t.generation = r.uvarint()
	r.bytes(t.id[:])
	r.bytes(t.parent[:])
	t.remember = r.bool()
	t.issued = r.issued()
	t.expires = t.issued.Add(r.span())
	return r.end()
}
