package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// A ticket is the decoded content of a cookie. Its times come from the store's
// clock.

// accessTicket says who a request belongs to, without the store. Requests share it,
// so it never changes after it is made, and only copies of it leave the package.
type accessTicket struct {
	Session
	id          store.ID
	origin      store.ID // of an impersonation; zero: it is none
	reload      uint64
	globalEpoch uint64
	refresh     uint64           // the refresh epoch: see store.Store.RefreshAll
	live        liveProof        // of a token; zero: it is a cookie
	room        [fewRoles]string // backs Roles if they fit

	// over says that the session is over, by the store's word at IssuedAt. Then only id
	// and the times IssuedAt and ExpiresAt are set, and reused says whether the session
	// was revoked for reuse.
	over, reused bool
}

// fewRoles is how many roles fit into a ticket itself, and onto the stack of a
// function that receives a copy.
const fewRoles = 4

// copy fills s from the ticket, except for the roles: it returns them, in room if
// they fit, and the caller sets them. So the compiler sees that room does not escape, and
// a handler that reads only the user's id allocates nothing.
func (t *accessTicket) copy(s *Session, room []string) []string {
	*s = t.Session
	s.Attrs, s.Methods, s.Data = maps.Clone(t.Attrs), slices.Clone(t.Methods), maps.Clone(t.Data)
	if t.Roles == nil {
		return nil
	}
	return append(room, t.Roles...)
}

// refreshTicket is checked against the session's row before it counts.
type refreshTicket struct {
	root       [16]byte // only the browser knows it; the session id is its digest
	generation uint64   // 0 at login; a child's is its parent's plus one
	id         [16]byte // distinct in every ticket ever minted
	parent     [16]byte // the id of the ticket that it was minted for
	remember   bool
	issued     time.Time
	expires    time.Time // the idle end

	// client names the program that holds the ticket as a token; empty: a browser holds it as
	// a cookie.
	client string

	// origin is the ticket of the session from which an actor began this one; nil: this
	// is no impersonation. It has no origin of its own.
	origin *refreshTicket
}

func (t refreshTicket) sessionID() store.ID {
	sum := sha256.Sum256(t.root[:])
	return store.ID(sum[:len(store.ID{})])
}

func (t refreshTicket) digest() store.Digest       { return sha256.Sum256(t.id[:]) }
func (t refreshTicket) parentDigest() store.Digest { return sha256.Sum256(t.parent[:]) }

// child mints the ticket for the answer to t. Its id is random, so that two clients
// who present the same ticket never hold the same child: that tells a thief
// from the victim.
func (t refreshTicket) child(now time.Time, idle time.Duration) refreshTicket {
	return refreshTicket{
		root:       t.root,
		generation: t.generation + 1,
		id:         random16(),
		parent:     t.id,
		remember:   t.remember,
		issued:     stamp(now),
		expires:    stamp(now.Add(idle)),
		client:     t.client,
		origin:     t.origin,
	}
}

// live returns what only holders of the session's tokens know, and nobody can make from the
// keys alone. The row has its digest: see Manager.RequireLive.
func (t refreshTicket) live() (b liveProof) {
	sum := sha256.Sum256(append([]byte("live"), t.root[:]...))
	copy(b[:], sum[:])
	return b
}

type liveProof [16]byte

func (p liveProof) digest() store.Digest { return sha256.Sum256(p[:]) }

func random16() (b [16]byte) {
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return b
}

func (t *accessTicket) appendTo(b []byte) []byte {
	if t.over {
		b = append(b, overV1)
		b = append(b, t.id[:]...)
		b = appendIssued(b, t.IssuedAt)
		b = appendSpan(b, t.IssuedAt, t.ExpiresAt)
		return appendBool(b, t.reused)
	}
	b = append(b, accessV1)
	b = append(b, t.id[:]...)
	b = appendIssued(b, t.IssuedAt)
	b = appendSpan(b, t.AuthTime, t.IssuedAt)
	b = appendSpan(b, t.IssuedAt, t.ExpiresAt)
	b = appendSpan(b, t.IssuedAt, t.EndsAt)
	b = binary.AppendUvarint(b, t.reload)
	b = binary.AppendUvarint(b, t.globalEpoch)
	b = binary.AppendUvarint(b, t.refresh)
	b = appendString(b, t.UserID)
	for _, role := range t.Roles {
		b = appendTagged(b, role, isRole)
	}
	b = appendTaggedMap(b, t.Attrs, isAttr)
	for _, method := range t.Methods {
		b = appendTagged(b, method, isMethod)
	}
	if t.ExternalID != "" {
		b = appendTagged(b, t.ExternalID, isExternalID)
	}
	if t.Actor != "" {
		b = appendTagged(b, string(t.origin[:])+t.Actor, isActor)
	}
	if t.Client != "" {
		b = appendTagged(b, string(t.live[:])+t.Client, isClient)
	}
	return appendTaggedMap(b, t.Data, isData)
}

func (t *accessTicket) parse(b []byte) error {
	if isKind(b, overV1) {
		return t.parseOver(b)
	}
	r := newReader(b, accessV1)
	r.bytes(t.id[:])
	t.ID = t.id.String()
	t.IssuedAt = r.issued()
	t.AuthTime = t.IssuedAt.Add(-r.span())
	t.ExpiresAt = t.IssuedAt.Add(r.span())
	t.EndsAt = t.IssuedAt.Add(r.span())
	t.reload, t.globalEpoch, t.refresh = r.uvarint(), r.uvarint(), r.uvarint()
	t.UserID = r.text(r.uvarint())
	for !r.atEnd() {
		head := r.uvarint()
		text := r.text(head >> tagBits)
		switch head % (1 << tagBits) {
		case isRole:
			if t.Roles == nil {
				t.Roles = t.room[:0]
			}
			t.Roles = append(t.Roles, text)
		case isAttr:
			r.pair(&t.Attrs, text)
		case isMethod:
			t.Methods = append(t.Methods, text)
		case isExternalID:
			t.ExternalID = text
		case isData:
			r.pair(&t.Data, text)
		case isActor:
			if t.Actor = text[copy(t.origin[:], text):]; t.Actor == "" {
				r.fail()
			}
		case isClient:
			if t.Client = text[copy(t.live[:], text):]; t.Client == "" {
				r.fail()
			}
		default:
			r.fail()
		}
	}
	return r.end()
}

func (t *accessTicket) parseOver(b []byte) error {
	r := newReader(b, overV1)
	t.over = true
	r.bytes(t.id[:])
	t.IssuedAt = r.issued()
	t.ExpiresAt = t.IssuedAt.Add(r.span())
	t.reused = r.bool()
	return r.end()
}

func (t *refreshTicket) appendTo(b []byte) []byte {
	if t.client != "" {
		return append(t.appendFields(append(b, tokenV1)), t.client...)
	}
	b = t.appendFields(append(b, refreshV1))
	if t.origin != nil {
		b = t.origin.appendFields(b)
	}
	return b
}

func (t *refreshTicket) appendFields(b []byte) []byte {
	b = append(b, t.root[:]...)
	b = binary.AppendUvarint(b, t.generation)
	b = append(b, t.id[:]...)
	b = append(b, t.parent[:]...)
	b = appendBool(b, t.remember)
	b = appendIssued(b, t.issued)
	return appendSpan(b, t.issued, t.expires)
}

func (t *refreshTicket) parse(b []byte) error {
	if isKind(b, tokenV1) {
		return t.parseToken(b)
	}
	r := newReader(b, refreshV1)
	t.parseFields(r)
	if !r.atEnd() {
		t.origin = &refreshTicket{}
		t.origin.parseFields(r)
	}
	return r.end()
}

func (t *refreshTicket) parseToken(b []byte) error {
	r := newReader(b, tokenV1)
	t.parseFields(r)
	if t.client = string(r.take(len(r.b))); t.client == "" {
		r.fail()
	}
	return r.end()
}

func (t *refreshTicket) parseFields(r *reader) {
	r.bytes(t.root[:])
	t.generation = r.uvarint()
	r.bytes(t.id[:])
	r.bytes(t.parent[:])
	t.remember = r.bool()
	t.issued = r.issued()
	t.expires = t.issued.Add(r.span())
}
