package session

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// inOneBucket returns n values of the same length that share a bucket and all but
// their last characters.
func inOneBucket(o *ticketCache, n int) (values []string) {
	prefix := sealedNow() + strings.Repeat("x", 184)
	of := o.bucket(prefix + fmt.Sprintf("%08d", 0))
	for i := 0; len(values) < n; i++ {
		if value := prefix + fmt.Sprintf("%08d", i); o.bucket(value) == of {
			values = append(values, value)
		}
	}
	return values
}

// sealedNow returns what securecookie begins a value with: 16 bytes.
func sealedNow() string {
	return base64.URLEncoding.EncodeToString(fmt.Appendf(nil, "%011d|", time.Now().Unix()))
}

func openedFor(value string, expires time.Time) *cachedTicket {
	return &cachedTicket{value, accessTicket{Session: Session{UserID: value, ExpiresAt: expires}}, time.Now().Add(time.Hour)}
}

// A cookie is found by its whole value. Another value of the same length, prefix and
// bucket may belong to another user.
func TestTicketCache_FindsACookieByItsWholeValue(t *testing.T) {
	o := newTicketCache(time.Hour)
	values := inOneBucket(o, 5)
	for _, value := range values[:4] {
		o.put(openedFor(value, time.Now().Add(time.Hour)))
	}
	for _, value := range values[:4] {
		if got, ok := o.get(value); !ok || got.UserID != value {
			t.Errorf("%s: got %v, %v; want its own ticket", value[200:], got, ok)
		}
	}
	if got, ok := o.get(values[4]); ok {
		t.Errorf("a cookie that was not put in was found as %s", got.UserID[200:])
	}
}

// In a full bucket an expired cookie makes room for the next one. If none has expired,
// a random one is displaced, so that no cookie is displaced each time.
func TestTicketCache_FullBucketMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTicketCache(time.Hour)
		values := inOneBucket(o, 5)
		missing := func() (all []int) {
			for i, value := range values[:4] {
				if _, ok := o.get(value); !ok {
					all = append(all, i)
				}
			}
			return all
		}
		displaced := map[int]bool{}
		for range 200 {
			b := o.bucket(values[0])
			for i := range b {
				b[i].Store(openedFor(values[i], time.Now().Add(time.Hour)))
			}
			o.put(openedFor(values[4], time.Now().Add(time.Hour)))
			if _, ok := o.get(values[4]); !ok {
				t.Fatal("a full bucket takes nothing in")
			}
			gone := missing()
			if len(gone) != 1 {
				t.Fatalf("one cookie displaced %v", gone)
			}
			displaced[gone[0]] = true
		}
		if len(displaced) != 4 {
			t.Errorf("200 cookies displaced only those at %v", displaced)
		}

		for dead := range 4 {
			b := o.bucket(values[0])
			for i := range b {
				life := time.Hour
				if i == dead {
					life = time.Minute
				}
				b[i].Store(openedFor(values[i], time.Now().Add(life)))
			}
			time.Sleep(time.Minute + time.Millisecond)
			for range 20 {
				o.put(openedFor(values[4], time.Now().Add(time.Hour)))
				if gone := missing(); len(gone) != 1 || gone[0] != dead {
					t.Fatalf("displaced %v; want %d, which has run out", gone, dead)
				}
				b[dead].Store(openedFor(values[dead], time.Now().Add(-time.Minute)))
			}
		}
	})
}

func TestTicketCache_LongCookiesAreNotKept(t *testing.T) {
	o := newTicketCache(time.Hour)
	for n, want := range map[int]bool{16: true, 1024: true, 1025: false} {
		value := sealedNow() + strings.Repeat("x", n-16)
		o.put(openedFor(value, time.Now().Add(time.Hour)))
		if _, ok := o.get(value); ok != want {
			t.Errorf("a cookie of %d bytes is kept: %v; want %v", n, ok, want)
		}
	}
}
