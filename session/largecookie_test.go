package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// Browsers keep cookies of 4,096 bytes, and proxies refuse smaller ones. The operator hears
// of it at the first login that is too large for them.
func TestManager_LoginWithALargeCookieIsAWarning(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		smallest, largest := 4096, 0 // of the logins with and without a warning
		for letters := 900; letters < 1300; letters += 10 {
			w.users.SetUser("3", store.User{Attrs: map[string]string{"name": strings.Repeat("x", letters)}})
			node := w.node(session.Config{})
			v, err := node.Issue(page(newBrowser()), session.Login{UserID: "3"})
			if err != nil {
				w.Fatal(err)
			}
			size := len(v.Cookies[0].Name) + len(v.Cookies[0].Value)
			switch n := node.count(session.EventMisconfigured); n {
			case 0:
				largest = max(largest, size)
			case 1:
				smallest = min(smallest, size)
			default:
				w.Errorf("%d events at one login", n)
			}
			time.Sleep(2 * time.Minute)
			node.login(newBrowser(), session.Login{UserID: "3"})
			if n := node.count(session.EventMisconfigured); n > 1 {
				w.Errorf("%d events at two logins; want one", n)
			}
		}
		if largest > 2000 || smallest <= 2000 || smallest-largest > 40 {
			w.Errorf("cookies of up to %d bytes raise no event, and of %d do; want the bound at 2000", largest, smallest)
		}
	})
}
