package nethttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// protectedMux is a ServeMux behind Protect whose handlers answer with their patterns.
func protectedMux(t *testing.T, cfg nethttp.Config, patterns ...string) http.Handler {
	t.Helper()
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := session.New(keys, store.NewMemory(), session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := nethttp.New(sessions, cfg)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, pattern := range patterns {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, pattern) })
	}
	return guard.Protect(mux)
}

// servedBy returns the pattern of the handler that a stranger reaches from another site;
// empty: none.
func servedBy(h http.Handler, method, target string) string {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return ""
	}
	return w.Body.String()
}

// ServeMux says that "/docs" matches "/docs/", to which it redirects. It is a page of its
// own all the same.
func TestProtect_PublicTreeDoesNotOpenThePageOfItsName(t *testing.T) {
	h := protectedMux(t, nethttp.Config{Public: []string{"/docs/", "GET /users/{id}/avatar/"}},
		"/docs/", "/docs", "/users/{id}/avatar/", "/users/{id}/avatar")
	for target, want := range map[string]string{
		"/docs/": "/docs/", "/docs/a": "/docs/", "/docs": "",
		"/users/1/avatar/": "/users/{id}/avatar/", "/users/1/avatar": "",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			want := want
			if method == http.MethodOptions && target[1] == 'u' {
				want = "" // only GET is public, which includes HEAD
			}
			if got := servedBy(h, method, target); got != want {
				t.Errorf("%s %s is served by %q; want %q", method, target, got, want)
			}
		}
	}
}

// A router may take an escaped spelling of the login or the logout path for another route.
func TestProtect_EscapedLoginAndLogoutPathsAreProtected(t *testing.T) {
	h := protectedMux(t, nethttp.Config{LoginPath: "/account/login", LogoutPath: "/account/logout"},
		"/account/login", "/account/logout", "/{page}")
	for _, c := range []struct{ method, target, want string }{
		{http.MethodGet, "/account/login", "/account/login"},
		{http.MethodPost, "/account/logout", "/account/logout"}, // Guard.Logout checks the origin itself
		{http.MethodGet, "/account%2flogin", ""},
		{http.MethodGet, "/account%2Flogin", ""},
		{http.MethodGet, "/account/log%69n", ""},
		{http.MethodGet, "/account%2flogout", ""},
		{http.MethodPost, "/account%2flogout", ""},
		{http.MethodPost, "/account/logou%74", ""},
	} {
		if got := servedBy(h, c.method, c.target); got != c.want {
			t.Errorf("%s %s is served by %q; want %q", c.method, c.target, got, c.want)
		}
	}
}
