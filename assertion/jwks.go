package assertion

import (
	"net/http"
	"strconv"
	"time"
)

// JWKSMaxAge is for how long caches and other services may keep what Signer.JWKS answers.
// Some libraries do not ask: Node's jose keeps it for ten minutes by default, and fetches
// it again when it finds a key that it does not know.
const JWKSMaxAge = 5 * time.Minute

// JWKS returns the handler of the public keys (a JWK Set, RFC 7517). It answers GET and
// HEAD. The path is the app's choice; the other services are told of it:
//
//	mux.Handle("/.well-known/jwks.json", signer.JWKS())
//
// The other services have no session, so the guard must let them through: name the path
// in its Config.Public.
func (s *Signer) JWKS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "the keys can only be read", http.StatusMethodNotAllowed)
			return
		}
		body := s.keys.Load().jwks
		h.Set("Content-Type", "application/jwk-set+json")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(JWKSMaxAge/time.Second)))
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodGet {
			w.Write(body)
		}
	})
}
