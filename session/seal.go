package session

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
)

// maxCookie is what browsers keep of a cookie, name and value together (RFC
// 6265bis, section 5.6): a longer one they drop without a word.
const maxCookie = 4096

// clockTolerance is how far a node's clock may run behind the store's before the
// node no longer believes fresh access tickets, and asks the store instead.
const clockTolerance = 5 * time.Second

// ticket is what a sealer seals and opens: *accessTicket and *refreshTicket.
type ticket interface {
	appendTo(b []byte) []byte
	parse(b []byte) error
}

// sealer turns tickets of one kind into cookie values and back. Keys are
// separate for each kind and each purpose, so that no value of one cookie passes
// for another's. It is safe for concurrent use.
type sealer struct {
	name   string // of the cookie: part of what the MAC covers
	codecs []*securecookie.SecureCookie
	oldKey func() // told when another key than the first has opened a cookie
}

// sealers are the two that belong to one set of keys, and what these have opened.
type sealers struct {
	access, refresh *sealer
	opened          *opened
}

// newSealers derives all keys. securecookie's own time check goes by the clocks
// of two nodes. For the access cookie it is a second line. For the refresh
// cookie there is none: a node's wrong clock would log people out.
func newSealers(keys Keys, cfg Config, names cookieNames, oldKey func()) (*sealers, error) {
	access, err := newSealer(keys, cfg.App, names.access, "access", cfg.AccessTTL+clockTolerance)
	if err != nil {
		return nil, err
	}
	refresh, err := newSealer(keys, cfg.App, names.refresh, "refresh", 0)
	if err != nil {
		return nil, err
	}
	access.oldKey, refresh.oldKey = oldKey, oldKey
	return &sealers{access, refresh, newOpened()}, nil
}

// openAccess returns the ticket in an access cookie's value. A value is opened
// once, however many requests bring it.
func (s *sealers) openAccess(value string) (*accessTicket, ID, bool) {
	if t, ok := s.opened.get(value); ok {
		return t, t.id, true
	}
	c := new(openedCookie)
	if !s.access.open(value, &c.ticket) {
		return nil, ID{}, false
	}
	c.value = strings.Clone(value) // not the whole header that it is part of
	s.opened.put(c)
	return &c.ticket, c.ticket.id, true
}

// openRefresh returns the ticket in a refresh cookie's value.
func (s *sealers) openRefresh(value string) (t refreshTicket, id ID, ok bool) {
	if !s.refresh.open(value, &t) {
		return refreshTicket{}, ID{}, false
	}
	return t, t.sessionID(), true
}

// newSealer derives the keys of one kind of ticket. A maxAge of 0 sets no limit:
// the ticket's own times judge.
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
		// securecookie keeps the slices it is given and judges them at first use;
		// these two are private to it, never nil, and 32 bytes each.
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
		return "", ErrTooLarge // the one way in which an honest ticket fails
	}
	return value, nil
}

// open decodes value into t, a fresh zero ticket, and reports whether a key fits.
//
// Whatever securecookie finds wrong is one thing here: no ticket. Its errors
// cannot be told apart safely (a value that is too long is not even of its own
// error type), and nothing may depend on why a stranger's cookie fails.
func (s *sealer) open(value string, t ticket) bool {
	if !canonical(value, s.name) || !dated(value) {
		return false
	}
	for i, codec := range s.codecs {
		// The MAC is checked before anything is decoded, so t is written to by
		// the key that sealed it or by none.
		if codec.Decode(s.name, value, t) == nil {
			if i > 0 {
				s.oldKey()
			}
			return true
		}
	}
	return false
}

// canonical reports whether value is the only spelling of what it encodes:
// securecookie ignores line breaks, and stray bits after the last byte, so that
// several strings decode to one ticket. Both can be seen without decoding it all:
// stray bits are in the last four characters.
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

// dated reports whether value begins as all of securecookie's do: with the time in
// seconds, some ten digits of it, and a bar. Nonsense is told by that, however long
// it is, before anything is allocated or hashed for it.
func dated(value string) bool {
	var head [12]byte
	if len(value) < 16 {
		return false
	}
	if _, err := strictBase64.Decode(head[:], []byte(value[:16])); err != nil {
		return false
	}
	for i, c := range head {
		if c < '0' || c > '9' {
			return i > 0 && c == '|'
		}
	}
	return false
}

// ticketSerializer lets securecookie carry the tickets' own format. Unlike
// securecookie's NopEncoder it hands out a buffer of its own, which securecookie
// may encrypt in place.
type ticketSerializer struct{}

func (ticketSerializer) Serialize(src any) ([]byte, error) {
	return src.(ticket).appendTo(make([]byte, 0, 256)), nil
}

func (ticketSerializer) Deserialize(src []byte, dst any) error {
	return dst.(ticket).parse(src)
}
