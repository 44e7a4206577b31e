package recipes

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// newCarts keeps carts and flash messages with scs, also those of strangers. A real app sets
// Store to one of scs's databases.
func newCarts() *scs.SessionManager {
	carts := scs.New()
	carts.Cookie.Name = "__Host-cart" // the host's own: no subdomain can plant one
	carts.Cookie.Secure = true
	return carts
}

// newCartShop is an app with logins by sessionkit, and a cart by scs.
func newCartShop(guard *nethttp.Guard, carts *scs.SessionManager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cart", func(w http.ResponseWriter, r *http.Request) {
		carts.Put(r.Context(), "item", r.FormValue("item"))
		carts.Put(r.Context(), "flash", "It is in your cart.")
		http.Redirect(w, r, "/cart", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /cart", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, carts.PopString(r.Context(), "flash"), " Cart: ", carts.GetString(r.Context(), "item"))
	})
	mux.HandleFunc("GET /checkout", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Fprint(w, s.UserID, " buys ", carts.GetString(r.Context(), "item"))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// The password was checked.
		if err := guard.Issue(w, r, session.Login{UserID: r.FormValue("user"), Epoch: 1}); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		// Nobody who knew the cart's cookie before sees what the user puts into it now.
		if err := carts.RenewToken(r.Context()); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, guard.ReturnTo(r, "/checkout"), http.StatusSeeOther)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := carts.Destroy(r.Context()); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		guard.Logout(w, r)
	})
	return carts.LoadAndSave(guard.Protect(mux))
}

func TestCart_IsKeptOverALoginAndEndsWithALogout(t *testing.T) {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"ada": {Epoch: 1}})
	guard, err := nethttp.New(kit.Sessions, nethttp.Config{Public: []string{"/cart"}})
	if err != nil {
		t.Fatal(err)
	}
	carts := newCarts()
	b := sessiontest.NewBrowser(newCartShop(guard, carts))
	read := func(path string) string {
		t.Helper()
		body, err := io.ReadAll(b.Get(path).Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}

	b.PostForm("/cart", url.Values{"item": {"a book"}})
	if got, want := read("/cart"), "It is in your cart. Cart: a book"; got != want {
		t.Errorf("a stranger sees %q; want %q", got, want)
	}
	if got, want := read("/cart"), " Cart: a book"; got != want {
		t.Errorf("and then %q; want %q", got, want)
	}
	known := b.Clone()
	if answer := b.Get("/checkout"); answer.Header.Get("Location") != "/login?next=%2Fcheckout" {
		t.Errorf("a stranger who pays: %s to %s", answer.Status, answer.Header.Get("Location"))
	}
	if answer := b.PostForm("/login?next=%2Fcheckout", url.Values{"user": {"ada"}}); answer.Header.Get("Location") != "/checkout" {
		t.Errorf("the login: %s to %s", answer.Status, answer.Header.Get("Location"))
	}
	if got, want := read("/checkout"), "ada buys a book"; got != want {
		t.Errorf("after the login %q; want %q", got, want)
	}
	if body, _ := io.ReadAll(known.Get("/cart").Body); string(body) != " Cart: " {
		t.Errorf("the cookie from before the login shows %q", body)
	}
	b.PostForm("/logout", nil)
	if got, want := read("/cart"), " Cart: "; got != want {
		t.Errorf("after the logout %q; want %q", got, want)
	}
	if err := carts.Iterate(t.Context(), func(context.Context) error { return fmt.Errorf("a cart is left") }); err != nil {
		t.Error(err)
	}
}
