package drill

import (
	"cmp"

	"github.com/sessionkit/sessionkit/test/drill/history"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// endings are browsers whose sessions the drill ends. The history must tell these ends
// from ends without a cause.
type endings struct {
	*world
	leavers []*jar
	pairs   [][2]*jar // two devices of one user
	stolen  []*jar
}

const phases = 3 // before a fault, during it and after it

// newEndings logs in each browsers of every kind for each phase, and starts their load.
func (w *world) newEndings(each int) *endings {
	w.Helper()
	k := &endings{world: w}
	n := each * phases
	k.leavers, k.stolen = w.login(n), w.login(n)
	users := w.c.AddUsers(n, "pair", "[]")
	first, second := w.loginAs(users), w.loginAs(users)
	for i := range n {
		k.pairs = append(k.pairs, [2]*jar{first[i], second[i]})
	}
	for _, some := range [][]*jar{k.leavers, k.stolen, first, second} {
		for _, j := range some {
			w.join(j)
		}
	}
	return k
}

// end ends the sessions of a phase. Copies of their cookies stay in use.
func (k *endings) end(phase int) {
	each := len(k.leavers) / phases
	nodetest.InParallel(each, each, func(i int) {
		i += phase * each
		leaver, pair, victim := k.leavers[i], k.pairs[i], k.stolen[i]

		kept := k.newJar(leaver.Browser, leaver.user)
		kept.held = leaver.Hoard()
		k.send(k.Context(), leaver, request{kind: history.Logout, Request: nodetest.Submit("/logout"), base: k.c.Front, with: leaver.Cookies()})
		k.join(kept)

		k.send(k.Context(), pair[0], request{kind: history.Revoke, base: k.c.Front, with: pair[0].Cookies(), target: pair[1].Who.SessionID,
			Request: nodetest.Submit("/devices/revoke", "id", pair[1].Who.SessionID)})

		k.mark(history.Steal, victim)
		k.join(k.newJar(victim.CopyOf("thief", nodetest.RefreshCookies...), victim.user))
	})
}

// ended returns the ids of the sessions that an operation ended or may have ended.
func ended(ops []history.Op) map[string]bool {
	found := map[string]bool{}
	for _, op := range ops {
		switch op.Kind {
		case history.Logout, history.Revoke, history.Steal, history.Delete:
			found[cmp.Or(op.Target, op.Session)] = true
		}
	}
	return found
}
