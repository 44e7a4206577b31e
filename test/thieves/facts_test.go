package thieves

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// A thief copies every cookie of a session before its user's second factor. Whatever he
// does with them on either node, no answer shows him the new method.
func TestStepUp_CopiedCookiesNeverShowTheNewMethod(t *testing.T) {
	const victims = 200
	inWorld(t, victims, func(w *world) {
		w.inParallel(victims, 23, func(r *rand.Rand, user int) error {
			victim := sessiontest.NewBrowser(nil)
			node := func() *session.Manager { return w.nodes[r.IntN(2)].sessions }
			v, err := node().Issue(page(victim), session.Login{UserID: fmt.Sprint(user), Epoch: 1, Methods: []string{"pwd"}})
			if err != nil {
				return err
			}
			victim.Receive(v.Cookies)
			time.Sleep(nodetest.UpTo(r, 10*time.Minute))
			thief := victim.Clone()
			if v, err = node().StepUp(page(victim), "otp"); err != nil {
				return err
			}
			victim.Receive(v.Cookies)
			for range 20 {
				time.Sleep(nodetest.UpTo(r, 3*time.Minute))
				if v, err := node().Authenticate(page(victim)); err != nil || !slices.Equal(v.Session().Methods, []string{"pwd", "otp"}) {
					return fmt.Errorf("the victim: %v, methods %q", err, v.Session().Methods)
				} else {
					victim.Receive(v.Cookies)
				}
				v, err := node().Authenticate(page(thief))
				if slices.Contains(v.Session().Methods, "otp") {
					return fmt.Errorf("the thief has the session %v with the methods %q, %v", v, v.Session().Methods, err)
				}
				thief.Receive(v.Cookies)
			}
			return nil
		})
		if n := w.allEventsOf(session.EventReuse); n != 0 {
			w.Errorf("%d sessions look stolen", n)
		}
	})
}

// A user switches the tenant while requests from before are on their way. Their answers
// come later, and the browser keeps their cookies. The next page shows the new tenant, on
// the node of the switch at once and on the other after its next poll.
func TestUpdate_LateAnswersNeverBringTheOldTenantBack(t *testing.T) {
	const users = 200
	inWorld(t, users, func(w *world) {
		stop := w.running()
		defer stop()
		w.inParallel(users, 24, func(r *rand.Rand, user int) error {
			b := sessiontest.NewBrowser(nil)
			here, there := w.nodes[user%2].sessions, w.nodes[1-user%2].sessions
			v, err := here.Issue(page(b), session.Login{UserID: fmt.Sprint(user), Epoch: 1, Data: map[string]string{"tenant": "0"}})
			if err != nil {
				return err
			}
			b.Receive(v.Cookies)
			for i := 1; i <= 5; i++ {
				time.Sleep(nodetest.UpTo(r, 6*time.Minute))
				var late []*http.Cookie // of a request from before the switch
				if r.IntN(2) == 0 {
					v, err := there.Authenticate(page(b))
					if err != nil {
						return err
					}
					late = v.Cookies
				} else {
					late = accessCookie(b)
				}
				want := fmt.Sprint(i)
				if v, err = here.Update(page(b), map[string]string{"tenant": want}); err != nil {
					return err
				}
				b.Receive(v.Cookies)
				time.Sleep(nodetest.UpTo(r, time.Second))
				b.Receive(late)
				for _, next := range []struct {
					m     *session.Manager
					after time.Duration
				}{{here, 0}, {there, 2 * time.Second}, {here, nodetest.UpTo(r, 3*time.Minute)}} {
					time.Sleep(next.after)
					v, err := next.m.Authenticate(page(b))
					if err != nil || v.Session().Data["tenant"] != want {
						return fmt.Errorf("after switch %d: tenant %q, %v", i, v.Session().Data["tenant"], err)
					}
					b.Receive(v.Cookies)
				}
			}
			return nil
		})
		if n := w.allEventsOf(session.EventReuse); n != 0 {
			w.Errorf("%d sessions look stolen", n)
		}
	})
}

// accessCookie returns the browser's access cookie as an answer sets it.
func accessCookie(b *sessiontest.Browser) (cookies []*http.Cookie) {
	for _, c := range page(b).Cookies() {
		if c.Name == "__Host-Http-session" {
			c.Path, c.Secure, c.HttpOnly = "/", true, true
			cookies = append(cookies, c)
		}
	}
	return cookies
}

// running runs both nodes until stop is called.
func (w *world) running() (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	var nodes sync.WaitGroup
	for _, n := range w.nodes {
		nodes.Go(func() { _ = n.sessions.Run(ctx) })
	}
	return func() {
		cancel()
		nodes.Wait()
	}
}
