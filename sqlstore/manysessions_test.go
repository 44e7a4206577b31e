package sqlstore_test

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// addSessions adds the sessions numbered from from to to - 1 of one user. Every other is a
// program's, and every third is revoked. The later ones are the newer. It needs the table
// digits.
func (a app) addSessions(t *testing.T, userID string, from, to int) {
	t.Helper()
	a.exec(t, `INSERT INTO sessions (id, user_id, user_epoch, global_epoch, generation, confirmed,
		confirmed_at, created_at, authenticated_at, ends_at, expires_at, reload, revoked_at, non_interactive, user_agent, ip)
		SELECT UNHEX(LEFT(SHA2(n, 256), 32)), ?, 1, 0, 0, REPEAT('x', 32), n + 1, n + 1, n + 1, 9e15, 9e15, 0, IF(n % 3 = 0, 1, NULL), n % 2, '', '' FROM (
			SELECT d1.d + 10*d2.d + 100*d3.d + 1000*d4.d + 10000*d5.d AS n FROM digits d1, digits d2, digits d3, digits d4, digits d5
		) numbers WHERE n >= ? AND n < ?`, userID, from, to)
}

// A user with very many sessions costs no more than another, neither for the logins and
// the list of that user, nor for other users.
func TestStore_CostDoesNotGrowWithTheSessionsOfOneUser(t *testing.T) {
	for _, c := range []struct {
		name, users string
		kind        sqlstore.IDKind
	}{
		{"integer", integerUsers, sqlstore.Integer},
		{"text", usersWithID("VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci DEFAULT ''"), sqlstore.Text},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newApp(t, c.users, sqlstore.Config{IDKind: c.kind}, "interpolateParams=true")
			a.db.SetMaxOpenConns(1)
			a.exec(t, "CREATE TABLE digits (d INT)")
			a.exec(t, "INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
			for id := range 2 {
				a.setUser(t, id+1, store.User{Epoch: 1})
			}
			key, err := session.ParseKeys(session.GenerateKey())
			if err != nil {
				t.Fatal(err)
			}
			sessions, err := session.New(key, a.Store, session.Config{})
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			measure := func() map[string]int {
				cost := map[string]int{}
				for _, program := range []bool{false, true} {
					cost[fmt.Sprintf("a login, by a program: %t", program)] = a.rowsRead(t, func() {
						_, err := sessions.Issue(httptest.NewRequest("POST", "/login", nil), session.Login{UserID: "1", NonInteractive: program})
						must(err)
					})
				}
				var page []session.Device
				cost["the first page of the list"] = a.rowsRead(t, func() { page, err = sessions.List(ctx, "1", ""); must(err) })
				if len(page) != 100 {
					t.Fatalf("%d devices; want %d", len(page), 100)
				}
				cost["the second page"] = a.rowsRead(t, func() { page, err = sessions.List(ctx, "1", page[len(page)-1].ID); must(err) })
				if len(page) != 100 {
					t.Fatalf("%d devices; want %d", len(page), 100)
				}
				other := store.NewSession{ID: newID(), UserID: "2", Confirmed: newDigest(), Lifetime: time.Hour, RetainFor: time.Hour}
				must(a.Create(ctx, other))
				cost["another user's refresh"] = a.rowsRead(t, func() {
					_, err := a.Find(ctx, other.ID)
					must(err)
					ok, err := a.Confirm(ctx, store.PresentedTicket{ID: other.ID, Generation: 1, Digest: newDigest(), Parent: other.Confirmed, RetainFor: time.Hour})
					if must(err); !ok {
						t.Fatal("not confirmed")
					}
				})
				return cost
			}

			const small, large = 900, 20_000 // small: more than two pages of each kind
			a.addSessions(t, "1", 0, small)
			a.exec(t, "ANALYZE TABLE sessions, users")
			few := measure()
			a.addSessions(t, "1", small, large)
			a.exec(t, "ANALYZE TABLE sessions, users")
			many := measure()
			for what, n := range few {
				t.Logf("%s: %d rows read with %d sessions, %d with %d", what, n, small, many[what], large)
				if many[what] > n+2 || n == 0 {
					t.Errorf("%s reads %d rows with %d sessions, and %d with %d", what, n, small, many[what], large)
				}
			}
		})
	}
}
