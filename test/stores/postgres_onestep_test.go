package stores

import (
	"net/http"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// A refresh is one statement on PostgreSQL, also that of the usual next ticket, which is
// written down.
func TestPostgreSQL_RefreshIsOneStatement(t *testing.T) {
	db := postgres(t)
	rows := newPostgres(t, db, postgresUsers, sqlstore.Config{})
	execute(t, db, "INSERT INTO users (id) VALUES (1)")
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	calls := sessiontest.NewStore(rows)
	node := func() *session.Manager {
		m, err := session.New(keys, calls, session.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	b := sessiontest.NewBrowser(nil)
	id, err := store.ParseID(b.Login(t, node(), session.Login{UserID: "1"}).ID)
	if err != nil {
		t.Fatal(err)
	}
	for generation := range uint64(3) {
		calls.SetClock(time.Duration(generation+1) * 110 * time.Second) // old tickets, without waiting
		b.ExpireAccess()
		// Each request reaches another node, which remembers nothing.
		before := calls.Calls()
		v, err := node().Authenticate(b.NewRequest(http.MethodGet, "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		b.Receive(v.Cookies)
		snap, err := rows.Find(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		// The first refresh presents the ticket of the login, which is confirmed already.
		if n := calls.Calls() - before; n != 1 || snap.Record.Generation != generation {
			t.Errorf("refresh %d made %d calls, and the row has generation %d", generation, n, snap.Record.Generation)
		}
	}
}

// What package storetest cannot ask of every store: this one confirms whenever it may.
func TestPostgreSQL_FindAndConfirmConfirms(t *testing.T) {
	db := postgres(t)
	rows := newPostgres(t, db, postgresUsers, sqlstore.Config{})
	execute(t, db, "INSERT INTO users (id) VALUES (1)")
	n := store.NewSession{ID: store.ID{1}, UserID: "1", Confirmed: store.Digest{1}, Lifetime: time.Hour, RetainFor: time.Hour}
	if err := rows.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	snap, err := rows.Find(t.Context(), n.ID)
	if err != nil {
		t.Fatal(err)
	}
	p := store.PresentedTicket{ID: n.ID, Generation: 1, Digest: store.Digest{2}, Parent: store.Digest{1}, RetainFor: time.Hour, From: snap.Now, Until: snap.Now.Add(time.Minute)}
	for _, want := range []bool{true, false} {
		snap, confirmed, err := rows.FindAndConfirm(t.Context(), p)
		if err != nil || confirmed != want || snap.IsNext(p) != want {
			t.Fatalf("got %t, %v, IsNext %t; want %t", confirmed, err, snap.IsNext(p), want)
		}
	}
}
