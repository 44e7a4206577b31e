package main

import (
	"context"
	"net/http"
	"testing"

	"github.com/sessionkit/sessionkit/internal/dbtest"
)

// All sites must do the same, so that a comparison is fair: show each user their own
// page, and no page without a session.
func TestSites_ShowEachUserTheirOwnPageAndNoneWithoutASession(t *testing.T) {
	users = 10
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			dsn := ""
			if s.params != nil {
				dsn = dbtest.Database(t, s.params...)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			e := must(s.build(ctx, dsn))
			page := func(cookie string) (int, string) {
				l := newLocal(e, func([]string) string { return cookie })
				w := &recorder{discard: *l.answer}
				l.request.Header.Set("Cookie", cookie)
				e.ServeHTTP(w, l.request)
				return w.status, w.body
			}
			for i, j := range gate(func() roundTrip { return inside(e) }).login(users) {
				want := userID(i)
				if s == bare || s == empty {
					want = userID(0)
				}
				if status, body := page(j.header()); status != http.StatusOK || body != want {
					t.Errorf("user %d was shown %q with status %d", i, body, status)
				}
			}
			if status, body := page("theme=dark"); s != bare && s != empty && (status < 300 || body == userID(0)) {
				t.Errorf("a request without a session was shown %q with status %d", body, status)
			}
		})
	}
}

type recorder struct {
	discard
	body string
}

func (r *recorder) Write(b []byte) (int, error) {
	r.body += string(b)
	return len(b), nil
}
