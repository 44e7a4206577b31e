package session

import (
	"encoding/binary"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// MaxPending is how many logouts may be pending at once.
const MaxPending = maxPending

// FillPending adds logouts until n are pending, so that a test need not begin
// that many sessions.
func (m *Manager) FillPending(n int) {
	for i := range n {
		var id store.ID
		binary.BigEndian.PutUint64(id[:], uint64(i)+1)
		m.revoker.pending.add(id, store.ReasonLogout, time.Now().Add(time.Hour))
	}
}

// RefreshTicket is the content of a refresh cookie, for tests that seal one of
// their own. See refreshTicket.
type RefreshTicket struct {
	Root            [16]byte
	Generation      uint64
	ID, Parent      [16]byte
	Issued, Expires time.Time
}

// Payload returns the ticket in its wire format.
func (t RefreshTicket) Payload() []byte {
	return (&refreshTicket{root: t.Root, generation: t.Generation, id: t.ID, parent: t.Parent, issued: t.Issued, expires: t.Expires}).appendTo(nil)
}

// OpenRefresh returns the ticket in the value of a refresh cookie.
func (m *Manager) OpenRefresh(value string) (RefreshTicket, bool) {
	for _, name := range m.tickets.names.refresh {
		if t, _, how := m.tickets.sealers.Load().cookies.openRefresh(name, value); how == readGood {
			return RefreshTicket{t.root, t.generation, t.id, t.parent, t.issued, t.expires}, true
		}
	}
	return RefreshTicket{}, false
}

// AccessPayload returns an access ticket of the session in its wire format.
func AccessPayload(id store.ID, s Session) []byte {
	return (&accessTicket{Session: s, id: id}).appendTo(nil)
}

// DeriveKey derives the key of one purpose from a master secret.
func DeriveKey(master []byte, app, purpose string) ([]byte, error) {
	return derive(master, app, purpose)
}

// KeyGroups returns how many groups of Managers with one key there are.
func KeyGroups() int {
	keyGroups.Lock()
	defer keyGroups.Unlock()
	return len(keyGroups.of)
}

// MaxListed is how many changes of other nodes the revocation list holds.
const MaxListed = maxListed
