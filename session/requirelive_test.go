package session_test

import (
	"errors"
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// RequireLive asks the store, whatever the access cookie and the node's memory say.
func TestManager_RequireLiveAsksTheStore(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		s := w.here.login(b, session.Login{})
		if n := w.here.calls(func() {
			if err := w.here.RequireLive(w.Context(), s); err != nil {
				w.Errorf("a good session: %v", err)
			}
		}); n != 1 {
			w.Errorf("%d store calls; want 1", n)
		}
		gone := s
		gone.ID = store.ID{1}.String()
		others := s
		others.UserID = "2"
		for name, s := range map[string]session.Session{"no session": {}, "no row": gone, "another user's": others} {
			before := w.here.store.Calls()
			err := answerOf(func() error { return w.here.RequireLive(w.Context(), s) })
			if asked := w.here.store.Calls() > before; !errors.Is(err, session.ErrUnauthenticated) || asked != (s.ID != "") {
				w.Errorf("%s: got %v, the store was asked: %v; want ErrUnauthenticated", name, err, asked)
			}
		}
		w.here.store.Fail(errStoreDown)
		if err := w.here.RequireLive(w.Context(), s); !errors.Is(err, errStoreDown) || errors.Is(err, session.ErrUnauthenticated) {
			w.Errorf("store down: got %v; want the store's error", err)
		}
		w.here.repairStore()
		if err := w.there.Revoke(w.Context(), "1", s.ID); err != nil {
			w.Fatal(err)
		}
		if err := w.here.RequireLive(w.Context(), s); !errors.Is(err, session.ErrUnauthenticated) {
			w.Errorf("revoked on another node: got %v; want ErrUnauthenticated", err)
		}
	})
}
