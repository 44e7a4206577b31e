package session

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

func TestOncePerMinute_RemembersABoundedNumberOfSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o oncePerMinute[store.ID]
		one := store.ID{0xff}
		if !o.first(one) || o.first(one) {
			t.Error("the first event of a session, and the second; want true and false")
		}
		time.Sleep(time.Minute - 1)
		if o.first(one) {
			t.Error("a nanosecond before the end of the minute; want false")
		}
		time.Sleep(time.Nanosecond)
		if !o.first(one) {
			t.Error("after a minute; want true")
		}
		count := 0
		for i := range uint64(5000) {
			var id store.ID
			binary.BigEndian.PutUint64(id[:], i)
			if o.first(id) {
				count++
			}
		}
		if count != maxRemembered-1 || len(o.last) != maxRemembered {
			t.Errorf("%d more sessions had an event, and %d are remembered; want %d and %d", count, len(o.last), maxRemembered-1, maxRemembered)
		}
		time.Sleep(time.Minute)
		if !o.first(store.ID{0xfe}) || len(o.last) != 1 {
			t.Errorf("%d sessions are remembered a minute later; want one", len(o.last))
		}
	})
}
