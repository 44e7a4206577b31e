package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// Expired outcomes are dropped when new ones are added. So the memory is bounded by the
// number of refreshes within one second.
func TestOutcomeCache_DropsExpiredOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond = 100
		r := newOutcomeCache(time.Second)
		for i := range 20 * perSecond {
			r.put(store.ID{byte(i), byte(i >> 8)}, "ticket", outcome{class: classSame})
			time.Sleep(time.Second / perSecond)
		}
		if len(r.latest) > perSecond+1 || len(r.order) > perSecond+1 {
			t.Errorf("%d answers in %d places are kept; want those of a second", len(r.latest), len(r.order))
		}
		if len(r.latest) < perSecond {
			t.Errorf("%d answers are kept; want those of a second", len(r.latest))
		}
	})
}
