package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
)

// On this machine Chromium keeps the cookies of HTTPS without HTTPS, so that nobody needs
// DangerouslyAllowHTTP to try an app.
func TestLocalhostNeedsNoFlag(t *testing.T) {
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	users := store.NewMemory()
	users.SetUser("1", store.User{Epoch: 1})
	sessions, err := session.New(keys, users, session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := nethttp.New(sessions, nethttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /account", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!doctype html><p>user %s", s.UserID)
	})
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><form method=post><button>Log in</button></form>")
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := guard.Issue(w, r, session.Login{UserID: "1", Epoch: 1}); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, guard.ReturnTo(r, "/account"), http.StatusSeeOther)
	})
	server := httptest.NewServer(guard.Protect(mux))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1"} {
		b := chromiumtest.NewDevice(t, "http://"+host+":"+at.Port(), nil)
		b.Open("/account")
		b.Press("button")
		if got := b.Text(); got != "user 1" {
			t.Errorf("%s: after the login the page shows %q; want the user", host, got)
		}
		b.Open("/account")
		if got := b.Text(); got != "user 1" {
			t.Errorf("%s: a moment later the page shows %q; want the user", host, got)
		}
	}
}
