package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/session"
)

// troubles are what databases answer, alone or in clusters, that is no verdict.
var troubles = []*mysql.MySQLError{
	{Number: 1213, SQLState: [5]byte{'4', '0', '0', '0', '1'}, Message: "Deadlock found when trying to get lock"},
	{Number: 1205, Message: "Lock wait timeout exceeded"},
	{Number: 1020, Message: "Record has changed since last read"},                                                       // MariaDB's snapshot isolation
	{Number: 1180, Message: "Got error 149 - 'Lock deadlock; Retry transaction' during COMMIT"},                         // Group Replication, Galera
	{Number: 3101, Message: "Plugin instructed the server to rollback the current transaction"},                         // Group Replication
	{Number: 1047, Message: "WSREP has not yet prepared node for application use"},                                      // Galera without a majority
	{Number: 1290, Message: "The server is running with the --read-only option"},                                        // a failover under way
	{Number: 1792, Message: "Cannot execute statement in a READ ONLY transaction"},                                      // the same
	{Number: 1040, Message: "Too many connections"},                                                                     //
	{Number: 1053, Message: "Server shutdown in progress"},                                                              //
	{Number: 8002, Message: "[1] can not retry select for update statement"}, {Number: 9007, Message: "Write conflict"}, // TiDB
	{Number: 1146, Message: "Table 'app.sessions' doesn't exist"}, {Number: 1054, Message: "Unknown column"}, {Number: 65535},
}

// troubled is a store that fails at one step some times: before it does anything,
// or after, so that the answer is lost.
type troubled struct {
	*session.MemoryStore
	step  string
	left  int
	after bool
	err   error
	calls int
}

func fail[T any](s *troubled, step string, call func() (T, error)) (none T, err error) {
	if step != s.step {
		return call()
	}
	s.calls++
	if s.left == 0 {
		return call()
	}
	s.left--
	if s.after {
		_, _ = call()
	}
	return none, fmt.Errorf("sqlstore: %s: %w", step, s.err)
}

func (s *troubled) Find(ctx context.Context, id session.ID) (session.Snapshot, error) {
	return fail(s, "Find", func() (session.Snapshot, error) { return s.MemoryStore.Find(ctx, id) })
}

func (s *troubled) Confirm(ctx context.Context, p session.Presented) (bool, error) {
	return fail(s, "Confirm", func() (bool, error) { return s.MemoryStore.Confirm(ctx, p) })
}

func (s *troubled) RevokeReused(ctx context.Context, p session.Presented) (bool, error) {
	return fail(s, "RevokeReused", func() (bool, error) { return s.MemoryStore.RevokeReused(ctx, p) })
}

func (s *troubled) Create(ctx context.Context, n session.NewSession) error {
	_, err := fail(s, "Create", func() (bool, error) { return true, s.MemoryStore.Create(ctx, n) })
	return err
}

func (s *troubled) Revoke(ctx context.Context, id session.ID, userID string, reason session.Reason) (bool, error) {
	return fail(s, "Revoke", func() (bool, error) { return s.MemoryStore.Revoke(ctx, id, userID, reason) })
}

func (s *troubled) RevokeUser(ctx context.Context, userID string, except []session.ID, reason session.Reason) error {
	_, err := fail(s, "RevokeUser", func() (bool, error) { return true, s.MemoryStore.RevokeUser(ctx, userID, except, reason) })
	return err
}

// Whatever number a database gives its trouble, it is asked twice more, and then
// nobody is let in and nobody is logged out: no code knows the numbers, so that
// none is forgotten.
func TestNoErrorOfADatabaseIsAVerdict(t *testing.T) {
	count := 0
	for _, trouble := range troubles {
		for _, step := range []string{"Find", "Confirm", "RevokeReused", "Create", "Revoke", "RevokeUser"} {
			for times := 1; times <= 3; times++ {
				for _, after := range []bool{false, true} {
					synctest.Test(t, func(t *testing.T) {
						s := &troubled{MemoryStore: session.NewMemoryStore(), err: trouble, after: after}
						meet(t, s, step, times)
						if s.calls < 2 && !s.known() {
							t.Errorf("%s with %d, %d times: asked %d times", step, trouble.Number, times, s.calls)
						}
					})
					count++
				}
			}
		}
	}
	t.Logf("%d troubles met at 6 steps, once to three times, before and after the step: %d cases", len(troubles), count)
}

// known reports whether reading the row again shows what became of the step.
func (s *troubled) known() bool { return s.after && (s.step == "Confirm" || s.step == "RevokeReused") }

// meet has a session meet the trouble at a step.
func meet(t *testing.T, s *troubled, step string, times int) {
	t.Helper()
	s.SetUser("1", session.User{Epoch: 1})
	var reuse int
	m, err := session.New(mustKeys(t), s, session.Config{OnEvent: func(e session.Event) {
		if e.Kind == session.EventReuse {
			reuse++
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	j := jar{}
	visit := func(j jar) error {
		t.Helper()
		time.Sleep(2 * time.Minute) // the access cookie has run out
		v, err := m.Authenticate(j.request())
		if err != nil && !errors.Is(err, session.ErrUnauthenticated) && len(v.Cookies) > 0 {
			t.Errorf("%s: trouble came with cookies", step)
		}
		j.keep(v)
		return err
	}
	login := func(j jar) (*http.Request, error) {
		r := httptest.NewRequest("POST", "/login", nil)
		v, err := m.Issue(r, session.Login{UserID: "1"})
		j.keep(v)
		return r, err
	}
	if step != "Create" {
		if _, err := login(j); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := visit(j); err != nil {
				t.Fatal(err)
			}
		}
	}
	old := jar{}
	for name, c := range j {
		old[name] = c
	}
	if step == "RevokeReused" { // the thief's copy is superseded
		for range 2 {
			if err := visit(j); err != nil {
				t.Fatal(err)
			}
		}
	}

	s.step, s.left = step, times
	solved := times <= 2 || s.known()
	switch step {
	case "Find", "Confirm":
		err = visit(j)
	case "RevokeReused":
		err = visit(old)
		if solved && errors.Is(err, session.ErrUnauthenticated) {
			err = nil // the thief is sent away, as it should be
		}
	case "Create":
		_, err = login(j)
	case "Revoke":
		_, err = m.Logout(j.request())
	case "RevokeUser":
		err = m.RevokeUser(t.Context(), "1")
	}
	var number *mysql.MySQLError
	if solved && err != nil {
		t.Errorf("%s, %v %d times: %v", step, s.err, times, err)
	}
	if !solved && (!errors.As(err, &number) || errors.Is(err, session.ErrUnauthenticated) || errors.Is(err, session.ErrUserDisabled)) {
		t.Errorf("%s, %v three times: %v; want the trouble, and no verdict", step, s.err, err)
	}

	// Once it is over, everybody is where they should be.
	time.Sleep(10 * time.Second) // until what was found out about the store has grown old
	synctest.Wait()
	s.left = 0
	switch step {
	case "Find", "Confirm":
		if err := visit(j); err != nil || reuse != 0 {
			t.Errorf("%s, %v %d times: afterwards %v, %d thefts", step, s.err, times, err, reuse)
		}
	case "RevokeReused":
		_ = visit(old)
		if err := visit(j); !errors.Is(err, session.ErrUnauthenticated) || reuse != 1 {
			t.Errorf("%s, %v %d times: afterwards %v, %d thefts", step, s.err, times, err, reuse)
		}
	case "Create":
		if times == 3 {
			if _, err := login(j); err != nil {
				t.Error(err)
			}
		}
		if err := visit(j); err != nil {
			t.Errorf("%s: after the login %v", step, err)
		}
	}
}
