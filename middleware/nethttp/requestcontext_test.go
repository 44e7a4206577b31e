package nethttp_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

type traceKey struct{}

// Values of the request's context, such as a trace, reach the store and the handler.
// The handler sees that the request is cancelled.
func TestGuard_KeepsTheRequestsContext(t *testing.T) {
	type client = guardtest.Client
	none := func(_ *app, b *client) { b.Forget() }
	same := func(*app, *client) {}
	for _, c := range []struct {
		name, method, path string
		arrange            func(a *app, b *client)
		asked              bool // the store
	}{
		{"a good access cookie", "GET", "/page", same, false},
		{"a public route", "GET", "/public", none, false},
		{"RequireLive", "GET", "/live", same, true},
		{"a login", "POST", "/in", same, true},
		{"Credentials", "GET", "/page", none, true},
	} {
		credentials := func(r *http.Request) (session.Login, error) {
			if r.Context().Value(traceKey{}) != "trace" {
				t.Errorf("%s: Credentials does not see the request's context", c.name)
			}
			return session.Login{UserID: "ada"}, nil
		}
		inApp(t, nethttp.Config{Public: []string{"/public", "/in"}, Credentials: credentials}, func(a *app) {
			var cancel context.CancelFunc
			traced := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var ctx context.Context
				ctx, cancel = context.WithCancel(context.WithValue(r.Context(), traceKey{}, "trace"))
				a.handler.ServeHTTP(w, r.WithContext(ctx))
			})
			reached := false
			page := func(_ http.ResponseWriter, r *http.Request) {
				ctx := r.Context()
				if ctx.Value(traceKey{}) != "trace" || ctx.Err() != nil {
					a.Errorf("%s: the handler's context is not the request's", c.name)
				}
				cancel()
				if ctx.Err() == nil {
					a.Errorf("%s: the handler does not see that the request is cancelled", c.name)
				}
				reached = true
			}
			a.handle("GET /page", page)
			a.handle("GET /public", page)
			a.handle("GET /live", page, a.guard.RequireLive)
			a.handle("POST /in", func(w http.ResponseWriter, r *http.Request) {
				if a.issue(w, r, session.Login{UserID: "ada"}) {
					page(w, r)
				}
			})
			b := a.client(fetch).LogIn("ada")
			c.arrange(a, b)
			asked, inRequest := 0, 0
			a.Store.Before(func(ctx context.Context, _ string) error {
				asked++
				if ctx.Value(traceKey{}) == "trace" {
					inRequest++
				}
				return nil
			})
			b.At(traced).Send(c.method, c.path, "")
			if !reached || (asked > 0) != c.asked || inRequest != asked {
				a.Errorf("%s: the handler ran: %v; %d statements, %d of them in the request's context", c.name, reached, asked, inRequest)
			}
		})
	}
}
