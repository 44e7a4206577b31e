package scaling

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// scsStore counts the calls that scs makes to its store. In mysqlstore, Find is one
// SELECT and Commit is one INSERT … ON DUPLICATE KEY UPDATE. `make bench` counts these
// statements on a real server.
type scsStore struct {
	scs.Store
	statements float64
}

func (s *scsStore) Find(token string) ([]byte, bool, error) {
	s.statements++
	return s.Store.Find(token)
}

func (s *scsStore) Commit(token string, b []byte, expiry time.Time) error {
	s.statements++
	return s.Store.Commit(token, b, expiry)
}

// scsPerRequest is the number of statements that scs needs for a request that only
// reads the user id. It does not depend on the think time or on parallel requests.
func scsPerRequest(t *testing.T, idle time.Duration) float64 {
	store := &scsStore{Store: memstore.NewWithCleanupInterval(0)}
	manager := scs.New()
	manager.Store, manager.IdleTimeout = store, idle
	site := manager.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			manager.Put(r.Context(), "user", "1")
		} else if manager.GetString(r.Context(), "user") != "1" {
			t.Error("scs does not find the user of its session")
		}
	}))
	visit := func(path string, cookies []*http.Cookie) []*http.Cookie {
		r, w := httptest.NewRequest(http.MethodGet, path, nil), httptest.NewRecorder()
		for _, c := range cookies {
			r.AddCookie(c)
		}
		site.ServeHTTP(w, r)
		return w.Result().Cookies()
	}
	cookies := visit("/login", nil)
	store.statements = 0
	const requests = 100
	for range requests {
		visit("/", cookies)
	}
	return store.statements / requests
}
