package skins

import (
	"fmt"
	"io"
	"net/http"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// route is a route of an app on net/http. The path has "{id}" for a parameter,
// and ends with a slash if it is a subtree.
type route struct {
	method, path string
	handler      http.Handler
}

// newGuard returns the guard of an app on net/http.
func newGuard(sessions *session.Manager, s setup) (*nethttp.Guard, error) {
	cfg := nethttp.Config{
		Public:        []string{"/{$}", "/static/", "GET /articles/{id}", "/greeting"},
		Background:    []string{"/poll"},
		Prefix:        s.prefix,
		Credentials:   s.credentials,
		OnLogoutError: s.onLogoutError,
		LogoutURL:     s.logoutURL,
	}
	if s.ownPage {
		cfg.Answer = func(w http.ResponseWriter, _ *http.Request, refusal *nethttp.Refusal) {
			if refusal.Status == http.StatusSeeOther {
				return
			}
			w.WriteHeader(refusal.Status)
			_, _ = io.WriteString(w, ownPage)
		}
	}
	return nethttp.New(sessions, cfg)
}

// mount puts the guard around a router.
func mount(guard *nethttp.Guard, s setup, router http.Handler) http.Handler {
	if s.bare {
		return recovered(guard.Identify(router))
	}
	return recovered(guard.Protect(router))
}

// recovered answers after a panic.
func recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// routesOf returns the routes of an app on net/http.
func routesOf(guard *nethttp.Guard, sessions *session.Manager) []route {
	who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, describe(r)) })
	// then answers with the error of a call, or describes the request.
	then := func(call func(w http.ResponseWriter, r *http.Request) error) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := call(w, r); err != nil {
				guard.WriteError(w, r, err)
				return
			}
			who(w, r)
		})
	}
	// writes runs a handler that returns an error.
	writes := func(handler func(w http.ResponseWriter, r *http.Request) error) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := handler(w, r); err != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
	}
	return []route{
		{"GET", "/", who},
		{"POST", "/", who},
		{"GET", "/static/", who},
		{"GET", "/articles/{id}", who},
		{"POST", "/articles/{id}", who},
		{"GET", "/greeting", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, greeting(r.Context(), guard.Err(r)))
		})},
		{"GET", "/login", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "login page") })},
		{"POST", "/login", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := guard.Issue(w, r, loginOf(r)); err != nil {
				guard.WriteError(w, r, err)
				return
			}
			http.Redirect(w, r, guard.ReturnTo(r, "/account"), http.StatusSeeOther)
		})},
		{"POST", "/logout", http.HandlerFunc(guard.Logout)},
		{"GET", "/logout", http.HandlerFunc(guard.Logout)},
		{"GET", "/account", who},
		{"POST", "/account", who},
		{"GET", "/poll", who},
		{"GET", "/admin", guard.RequireRole("admin", "root")(who)},
		{"GET", "/password", guard.RequireRecentLogin(recent)(who)},
		{"POST", "/password", then(func(w http.ResponseWriter, r *http.Request) error { return guard.PasswordChanged(w, r, epochOf(r)) })},
		{"GET", "/pay", guard.RequireRole("staff")(guard.RequireLive(who))},
		{"GET", "/otp", guard.RequireMethod("otp")(who)},
		{"POST", "/code", then(func(w http.ResponseWriter, r *http.Request) error { return guard.StepUp(w, r, "otp") })},
		{"POST", "/tenant", then(func(w http.ResponseWriter, r *http.Request) error { return guard.Update(w, r, tenantOf(r)) })},
		{"POST", "/stop", then(guard.StopImpersonating)},
		{"GET", "/error", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { guard.WriteError(w, r, errorOf(r)) })},
		{"GET", "/end", writes(func(w http.ResponseWriter, r *http.Request) error { return end(sessions, w, r) })},
		{"GET", "/stream", writes(func(w http.ResponseWriter, r *http.Request) error { return stream(sessions, w, r) })},
		{"GET", "/hijack", writes(hijack)},
		{"POST", "/upload", writes(upload)},
	}
}
