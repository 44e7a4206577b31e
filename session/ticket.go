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

// A ticket is the decoded content of a cookie. Times are the store's clock, in
// milliseconds, as a login or a refresh returned it.

// accessTicket is believed by itself: it says who a request is. Requests share
// it, so nothing changes it once it is made, and copy is all that is handed out.
type accessTicket struct {
	Session
	id          ID
	reload      uint64
	globalEpoch uint64
}

// fewRoles is how many roles a copy of a session has room for on its caller's
// stack.
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

// stamp is a moment as tickets carry it.
func stamp(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// refreshTicket is believed only as far as the row agrees.
type refreshTicket struct {
	root       [16]byte // known to the browser alone; the session's ID is its digest
	generation uint64   // 0 at login; a child's is its parent's plus one
	id         [16]byte // distinct in every ticket ever minted
	parent     [16]byte // the id of the ticket it answers
	remember   bool
	issued     int64
	expires    int64 // the idle end
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
		issued:     now.UnixMilli(),
		expires:    now.Add(idle).UnixMilli(),
	}
}

func random16() (b [16]byte) {
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return b
}

// The wire format: one byte for the version, one for the kind, then the fields
// in order, integers as varints, strings and lists behind their length. It is
// strict: a ticket is read to its last byte, or not at all. The app's name comes
// first, so that a ticket is good in the app that wrote it only, even if two
// apps were given the same keys.
const (
	ticketVersion = 1
	kindAccess    = 'a'
	kindRefresh   = 'r'
)

var errTicket = errors.New("session: not a ticket of this version, kind and app")

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (t *accessTicket) appendTo(b []byte, app string) []byte {
	b = appendString(append(b, ticketVersion, kindAccess), app)
	b = append(b, t.id[:]...)
	b = appendString(b, t.UserID)
	b = binary.AppendUvarint(b, uint64(len(t.Roles)))
	for _, role := range t.Roles {
		b = appendString(b, role)
	}
	b = binary.AppendUvarint(b, uint64(len(t.Attrs)))
	for _, name := range slices.Sorted(maps.Keys(t.Attrs)) {
		b = appendString(appendString(b, name), t.Attrs[name])
	}
	for _, n := range []uint64{t.reload, t.globalEpoch} {
		b = binary.AppendUvarint(b, n)
	}
	for _, at := range []time.Time{t.AuthTime, t.IssuedAt, t.ExpiresAt, t.EndsAt} {
		b = binary.AppendVarint(b, at.UnixMilli())
	}
	return b
}

func (t *accessTicket) parse(b []byte, app string) error {
	r := reader{b: b}
	r.header(kindAccess, app)
	r.bytes(t.id[:])
	t.ID = t.id.String()
	t.UserID = r.string()
	if n := r.count(); n > 0 {
		t.Roles = make([]string, n)
	}
	for i := range t.Roles {
		t.Roles[i] = r.string()
	}
	if n := r.count(); n > 0 {
		t.Attrs = make(map[string]string, n)
		for range n {
			name := r.string()
			t.Attrs[name] = r.string()
		}
	}
	t.reload, t.globalEpoch = r.uvarint(), r.uvarint()
	t.AuthTime, t.IssuedAt, t.ExpiresAt, t.EndsAt = r.time(), r.time(), r.time(), r.time()
	return r.end()
}

func (t *refreshTicket) appendTo(b []byte, app string) []byte {
	b = appendString(append(b, ticketVersion, kindRefresh), app)
	b = append(b, t.root[:]...)
	b = binary.AppendUvarint(b, t.generation)
	b = append(b, t.id[:]...)
	b = append(b, t.parent[:]...)
	remember := byte(0)
	if t.remember {
		remember = 1
	}
	b = append(b, remember)
	b = binary.AppendVarint(b, t.issued)
	return binary.AppendVarint(b, t.expires)
}

func (t *refreshTicket) parse(b []byte, app string) error {
	r := reader{b: b}
	r.header(kindRefresh, app)
	r.bytes(t.root[:])
	t.generation = r.uvarint()
	r.bytes(t.id[:])
	r.bytes(t.parent[:])
	t.remember = r.bool()
	t.issued, t.expires = r.varint(), r.varint()
	return r.end()
}

// reader takes a ticket apart. After the first fault everything it returns is
// zero, and end reports it.
type reader struct {
	b      []byte
	text   string // b once more, from the first string on, for all strings to be cut from
	failed bool
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

func (r *reader) header(kind byte, app string) {
	if h := r.take(2); h == nil || h[0] != ticketVersion || h[1] != kind {
		r.fail()
	}
	if string(r.take(r.count())) != app {
		r.fail()
	}
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

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a length. Every element takes a byte or more, so one that exceeds
// what is left is a fault, and no reason to allocate.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) string() string {
	n := r.count()
	if n == 0 {
		return ""
	}
	if r.text == "" {
		r.text = string(r.b)
	}
	from := len(r.text) - len(r.b)
	r.b = r.b[n:]
	return r.text[from : from+n]
}

func (r *reader) time() time.Time { return stamp(r.varint()) }

func (r *reader) bool() bool {
	b := r.take(1)
	if b == nil || b[0] > 1 {
		r.fail()
		return false
	}
	return b[0] == 1
}

func (r *reader) end() error {
	if r.failed || len(r.b) != 0 {
		return errTicket
	}
	return nil
}
