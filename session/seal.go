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

// ticket is what a sealer seals and opens: an *accessTicket, *refreshTicket, *deviceTicket or
// *sealedValue.
type ticket interface {
	appendTo(b []byte) []byte
	parse(b []byte) error
}

// sealer turns tickets of one kind into cookie values, or tokens, and back. Each kind and
// purpose has keys of its own, and the MAC covers the name of the cookie, so that no
// value of one cookie passes for another's. It is safe for concurrent use.
type sealer struct {
	codecs []*securecookie.SecureCookie
	oldKey func() // called when a key that is not the first has opened a cookie
}

// sealers belong to one set of keys, and so do the caches of opened tickets.
type sealers struct {
	keys    Keys // for Manager.Seal, whose purposes nobody knows beforehand
	cookies *sealerPair
	tokens  *sealerPair // nil: the app has no tokens
	expired *sealer     // opens access tokens of any age, whose sessions are to end; nil: the app has no tokens
	device  *sealer     // of the codes of devices; nil: the app has no tokens
}

// sealerPair seals and opens the tickets of one kind of client, and no others.
type sealerPair struct {
	ofTokens        bool // whether the tickets have a client
	access, refresh *sealer
	cache           *ticketCache
}

// cached returns how many opened tickets the caches hold.
func (s *sealers) cached() int {
	n := s.cookies.cache.size()
	if s.tokens != nil {
		n += s.tokens.cache.size()
	}
	return n
}

// newSealers derives all keys.
func newSealers(keys Keys, app string, s spans, oldKey func()) (*sealers, error) {
	cookies, err := newSealerPair(keys, app, false, s.cookies.sealedFor, oldKey)
	if err != nil {
		return nil, err
	}
	if s.tokens == (windows{}) {
		return &sealers{keys: keys, cookies: cookies}, nil
	}
	tokens, err := newSealerPair(keys, app, true, s.tokens.sealedFor, oldKey)
	if err != nil {
		return nil, err
	}
	expired, err := newSealer(keys, app, ofTokens+"access", 0, oldKey)
	if err != nil {
		return nil, err
	}
	device, err := newSealer(keys, app, "device", 0, oldKey)
	return &sealers{keys, cookies, tokens, expired, device}, err
}

// ofTokens begins the purposes of the keys for tokens.
const ofTokens = "token|"

// newSealerPair derives the keys for one kind of client. securecookie checks the age of a
// value by the clocks of two nodes. For access tickets that is a second check. For refresh
// tickets it is off: a node's wrong clock would log people out.
func newSealerPair(keys Keys, app string, tokens bool, sealedFor time.Duration, oldKey func()) (*sealerPair, error) {
	purpose := ""
	if tokens {
		purpose = ofTokens
	}
	access, err := newSealer(keys, app, purpose+"access", sealedFor, oldKey)
	if err != nil {
		return nil, err
	}
	refresh, err := newSealer(keys, app, purpose+"refresh", 0, oldKey)
	return &sealerPair{tokens, access, refresh, newTicketCache(sealedFor)}, err
}

// openAccess returns the access ticket in a value. It decrypts a value once, however many
// requests carry it.
func (s *sealerPair) openAccess(name, value string) (*accessTicket, bool) {
	if t, ok := s.cache.get(value); ok {
		return t, true
	}
	c := new(cachedTicket)
	if !s.access.open(name, value, &c.ticket) || (c.ticket.Client != "") != s.ofTokens {
		return nil, false
	}
	c.value = strings.Clone(value) // so that the cache does not hold the whole header
	s.cache.put(c)
	return &c.ticket, true
}

// openRefresh is the opener of the refresh tickets.
func (s *sealerPair) openRefresh(name, value string) (t refreshTicket, id store.ID, how reading) {
	if !s.refresh.open(name, value, &t) || (t.client != "") != s.ofTokens {
		return refreshTicket{}, store.ID{}, readUndecodable
	}
	return t, t.sessionID(), readGood
}

// newSealer derives the keys of one kind of ticket. A maxAge of 0 means no limit:
// the ticket's own times decide.
func newSealer(keys Keys, app, kind string, maxAge time.Duration, oldKey func()) (*sealer, error) {
	s := &sealer{oldKey: oldKey}
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

// seal returns the value for t in the cookie of a name, under the first key, or
// ErrTooLarge.
func (s *sealer) seal(name string, t ticket) (string, error) {
	value, err := s.codecs[0].Encode(name, t)
	if err != nil || len(name)+len(value) > maxCookie {
		return "", ErrTooLarge // no other error can occur for a ticket of ours
	}
	return value, nil
}

// open decodes the value of a cookie into t, which must be a new zero ticket, and
// reports whether a key fits.
//
// All errors of securecookie mean the same here: no ticket. They cannot be told apart
// safely (a value that is too long does not even have its error type), and nothing may
// depend on why a stranger's cookie fails.
func (s *sealer) open(name, value string, t ticket) bool {
	if !canonical(value, name) {
		return false
	}
	if _, ok := sealedAt(value); !ok {
		return false
	}
	for i, codec := range s.codecs {
		// The MAC is checked before anything is decoded, so only the key that
		// sealed the value writes to t.
		if codec.Decode(name, value, t) == nil {
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
	if n == 0 || n%4 != 0 || len(name)+n > maxCookie || strings.ContainsAny(value, "\r\n") {
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
