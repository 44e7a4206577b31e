package session

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/sessionkit/sessionkit/session/store"
)

// maxCookie is the longest cookie that browsers keep, name and value together in
// bytes (RFC 6265bis, section 5.6). They drop a longer one silently.
const maxCookie = 4096

// ticket is what a sealer seals and opens: an *accessTicket or a *refreshTicket.
type ticket interface {
	appendTo(b []byte) []byte
	parse(b []byte) error
}

// sealer turns tickets of one kind into cookie values and back. Each kind and
// purpose has keys of its own, so that no value of one cookie passes for
// another's. It is safe for concurrent use.
type sealer struct {
	name   string // of the cookie: part of what the MAC covers
	codecs []*securecookie.SecureCookie
	oldKey func() // called when a key that is not the first has opened a cookie
}

// sealers belong to one set of keys, and so does the cache of opened tickets.
type sealers struct {
	access, refresh *sealer
	cache           *ticketCache
}

// newSealers derives all keys. securecookie checks the age of a cookie by the clocks of
// two nodes. For the access cookie that is a second check. For the refresh cookie it
// is off: a node's wrong clock would log people out.
func newSealers(keys Keys, app string, names cookieNames, w windows, oldKey func()) (*sealers, error) {
	access, err := newSealer(keys, app, names.access, "access", w.sealedFor)
	if err != nil {
		return nil, err
	}
	refresh, err := newSealer(keys, app, names.refresh, "refresh", 0)
	if err != nil {
		return nil, err
	}
	access.oldKey, refresh.oldKey = oldKey, oldKey
	return &sealers{access, refresh, newTicketCache(w.sealedFor)}, nil
}

// openAccess returns the ticket in the value of an access cookie. It decrypts a value
// once, however many requests carry it.
func (s *sealers) openAccess(value string) (*accessTicket, store.ID, bool) {
	if t, ok := s.cache.get(value); ok {
		return t, t.id, true
	}
	c := new(cachedTicket)
	if !s.access.open(value, &c.ticket) {
		return nil, store.ID{}, false
	}
	c.value = strings.Clone(value) // so that the cache does not hold the whole header
	s.cache.put(c)
	return &c.ticket, c.ticket.id, true
}

// openRefresh returns the ticket in the value of a refresh cookie.
func (s *sealers) openRefresh(value string) (t refreshTicket, id store.ID, ok bool) {
	if !s.refresh.open(value, &t) {
		return refreshTicket{}, store.ID{}, false
	}
	return t, t.sessionID(), true
}

// newSealer derives the keys of one kind of ticket. A maxAge of 0 means no limit:
// the ticket's own times decide.
func newSealer(keys Keys, app, name, kind string, maxAge time.Duration) (*sealer, error) {
	s := &sealer{name: name, oldKey: func() {}}
	for _, master := range keys.masters {
		mac, err := derive(master, app, kind+"|mac")
		if err != nil {
			return nil, fmt.Errorf("session: deriving a key: %w", err)
		}
		enc, err := derive(master, app, kind+"|enc")
		if err != nil {
			return nil, fmt.Errorf("session: deriving a key: %w", err)
		}
		// securecookie keeps these slices and checks them at first use. They have 32
		// bytes each, and no other code has them.
		codec := securecookie.New(mac, enc)
		codec.SetSerializer(ticketSerializer{})
		codec.MaxAge(int(maxAge.Seconds()))
		s.codecs = append(s.codecs, codec)
	}
	return s, nil
}

// seal returns the cookie value for t, under the first key, or ErrTooLarge.
func (s *sealer) seal(t ticket) (string, error) {
	value, err := s.codecs[0].Encode(s.name, t)
	if err != nil || len(s.name)+len(value) > maxCookie {
		return "", ErrTooLarge // no other error can occur for a ticket of ours
	}
	return value, nil
}

// open decodes value into t, which must be a new zero ticket, and reports whether a
// key fits.
//
// All errors of securecookie mean the same here: no ticket. They cannot be told apart
// safely (a value that is too long does not even have its error type), and nothing may
// depend on why a stranger's cookie fails.
func (s *sealer) open(value string, t ticket) bool {
	if !canonical(value, s.name) {
		return false
	}
	if _, ok := sealedAt(value); !ok {
		return false
	}
	for i, codec := range s.codecs {
		// The MAC is checked before anything is decoded, so only the key that
		// sealed the value writes to t.
		if codec.Decode(s.name, value, t) == nil {
			if i > 0 {
				s.oldKey()
			}
			return true
		}
	}
	return false
}

// canonical reports whether value is the one spelling of what it encodes. securecookie
// ignores line breaks, and stray bits after the last byte, so that several strings
// decode to one ticket. Stray bits are in the last four characters, so the rest
// need not be decoded.
func canonical(value, name string) bool {
	n := len(value)
	if n == 0 || n%4 != 0 || len(name)+n > maxCookie ||
		strings.IndexByte(value, '\n') >= 0 || strings.IndexByte(value, '\r') >= 0 {
		return false
	}
	var last [3]byte
	_, err := strictBase64.Decode(last[:], []byte(value[n-4:]))
	return err == nil
}

var strictBase64 = base64.URLEncoding.Strict()

// sealedAt returns the time with which all values of securecookie begin: in seconds,
// about ten digits, and a bar. It refuses nonsense of any length before anything is
// allocated or hashed for it. The time can be trusted once a key has opened the value.
func sealedAt(value string) (time.Time, bool) {
	var head [12]byte
	if len(value) < 16 {
		return time.Time{}, false
	}
	if _, err := strictBase64.Decode(head[:], []byte(value[:16])); err != nil {
		return time.Time{}, false
	}
	var seconds int64
	for i, c := range head {
		if c < '0' || c > '9' {
			return time.Unix(seconds, 0), i > 0 && c == '|'
		}
		seconds = 10*seconds + int64(c-'0')
	}
	return time.Time{}, false
}

// ticketSerializer lets securecookie carry the wire format of tickets. Unlike
// securecookie's NopEncoder it returns a new buffer each time, which securecookie may
// encrypt in place.
type ticketSerializer struct{}

func (ticketSerializer) Serialize(src any) ([]byte, error) {
	return src.(ticket).appendTo(make([]byte, 0, 256)), nil
}

func (ticketSerializer) Deserialize(src []byte, dst any) error {
	return dst.(ticket).parse(src)
}
