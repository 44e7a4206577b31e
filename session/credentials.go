package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// maxCredentials is how many credentials a node remembers at most.
const maxCredentials = 10_000

// credentialCache holds, by credential, the sessions that programs have begun on this
// node. A program that sends its credential with every request, and keeps no cookies,
// would otherwise begin a session with each.
//
// The app verifies the credential of every request before the cache is asked. The
// cache grants what the access cookie of the session grants, and no longer: its tickets
// are judged like those of cookies.
//
// A credential itself is never kept: its key here is an HMAC under a random secret of
// this process. Who knows the keys alone cannot try passwords against them.
//
// It is safe for concurrent use.
type credentialCache struct {
	secret  [32]byte
	flights singleflight.Group // of once, by key

	tooLarge oncePerMinute[credentialKey] // whose users do not fit into a cookie: each login would leave a row

	mu    sync.Mutex // guards what follows
	begun map[credentialKey]Verdict
	order []begunSession // the oldest first
}

type credentialKey [sha256.Size]byte

type begunSession struct {
	key    credentialKey
	ticket *accessTicket
}

func newCredentialCache() *credentialCache {
	c := &credentialCache{begun: map[credentialKey]Verdict{}}
	rand.Read(c.secret[:]) // never fails: crypto/rand ends the process instead
	return c
}

// hasOnlyCredentials reports whether a request carries an Authorization header and none
// of the kit's cookies. A program that sends cookies keeps them, so it needs no cache,
// and it must receive new ones.
func (ts *tickets) hasOnlyCredentials(r *http.Request) bool {
	for _, name := range ts.names.all() {
		for range cookieValues(r.Header, name) {
			return false
		}
	}
	return r.Header.Get("Authorization") != ""
}

// key covers the credential and all that the app said about it: every field of Login
// except NonInteractive, which is always set here. Each part comes with its length,
// so that no two lists of parts give the same text.
func (c *credentialCache) key(r *http.Request, login Login) credentialKey {
	mac := hmac.New(sha256.New, c.secret[:])
	part := func(text string) { mac.Write(appendString(nil, text)) }
	part(login.UserID)
	part(login.IP)
	number := func(n uint64) { part(string(binary.AppendUvarint(nil, n))) }
	number(login.Epoch)
	number(uint64(login.IdleTimeout))
	number(uint64(login.AuthTime.UnixNano()))
	number(uint64(login.AbsoluteTimeout))
	part(strings.Join(login.Methods, ","))
	part(login.ExternalID)
	part(login.Actor)
	part(login.Client)
	part(string(appendTaggedMap(nil, login.Data, isData)))
	if login.Remember {
		part("remember")
	} else {
		part("")
	}
	part(r.Header.Get("Authorization")) // of several the first, which http.Request.BasicAuth reads
	return credentialKey(mac.Sum(nil))
}

// once returns a Verdict on the session that the credential has begun, if accepts holds
// for it, or else calls begin. Requests that come meanwhile wait for the same
// session. Only the Verdict that begin returns has cookies: two programs that kept
// the same refresh cookie would look like a thief and a victim.
func (c *credentialCache) once(key credentialKey, accepts func(*accessTicket) bool, begin func() (Verdict, error)) (Verdict, error) {
	var own Verdict
	began := false
	shared, err, _ := c.flights.Do(string(key[:]), func() (any, error) {
		if v, ok := c.get(key); ok && accepts(v.ticket) {
			return v, nil
		}
		if c.tooLarge.happened(key) {
			return Verdict{}, ErrTooLarge
		}
		began = true
		var err error
		if own, err = begin(); err != nil {
			if errors.Is(err, ErrTooLarge) {
				c.tooLarge.first(key)
			}
			return Verdict{}, err
		}
		v := own
		v.Cookies = nil
		v.asked = time.Time{} // RequireLive asks the store in each later request
		c.put(key, v)
		return v, nil
	})
	if began || err != nil {
		return own, err
	}
	if v := shared.(Verdict); accepts(v.ticket) {
		return v, nil
	}
	return begin() // it ended while this request waited
}

func (c *credentialCache) get(key credentialKey) (Verdict, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.begun[key]
	return v, ok
}

// put makes room first: for expired sessions, and for the oldest if there are too many.
func (c *credentialCache) put(key credentialKey, v Verdict) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.order) > 0 && (len(c.order) >= maxCredentials || !now.Before(c.order[0].ticket.ExpiresAt)) {
		if oldest := c.order[0]; c.begun[oldest.key].ticket == oldest.ticket {
			delete(c.begun, oldest.key)
		}
		c.order = c.order[1:]
	}
	c.begun[key] = v
	c.order = append(c.order, begunSession{key, v.ticket})
}
