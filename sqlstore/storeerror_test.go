package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// databaseErrors are answers of databases, alone or in clusters, that say nothing
// about a session.
var databaseErrors = []*mysql.MySQLError{
	{Number: 1213, SQLState: [5]byte{'4', '0', '0', '0', '1'}, Message: "Deadlock found when trying to get lock"},
	{Number: 1205, Message: "Lock wait timeout exceeded"},
	{Number: 1020, Message: "Record has changed since last read"},                                                       // MariaDB's snapshot isolation
	{Number: 1180, Message: "Got error 149 - 'Lock deadlock; Retry transaction' during COMMIT"},                         // Group Replication, Galera
	{Number: 3101, Message: "Plugin instructed the server to rollback the current transaction"},                         // Group Replication
	{Number: 1047, Message: "WSREP has not yet prepared node for application use"},                                      // Galera without a majority
	{Number: 1290, Message: "The server is running with the --read-only option"},                                        // during a failover
	{Number: 1792, Message: "Cannot execute statement in a READ ONLY transaction"},                                      // during a failover
	{Number: 1040, Message: "Too many connections"},                                                                     //
	{Number: 1053, Message: "Server shutdown in progress"},                                                              //
	{Number: 8002, Message: "[1] can not retry select for update statement"}, {Number: 9007, Message: "Write conflict"}, // TiDB
	{Number: 1146, Message: "Table 'app.sessions' doesn't exist"}, {Number: 1054, Message: "Unknown column"}, {Number: 65535},
}

// Each step is tried up to three times within the 2 seconds of a call, whatever the
// number of the error. If all three fail, nobody is let in and nobody is logged out.
// No code knows the numbers, so none can be forgotten.
func TestManager_DatabaseErrorIsNeverAVerdict(t *testing.T) {
	cases := 0
	for _, databaseError := range databaseErrors {
		for _, step := range []string{"Find", "Confirm", "RevokeReused", "Create", "Revoke", "RevokeUser"} {
			for failures := 1; failures <= 3; failures++ {
				for _, after := range []bool{false, true} {
					synctest.Test(t, func(t *testing.T) {
						c := failureCase{store: &failingStore{Memory: store.NewMemory(), err: databaseError, after: after}, step: step, failures: failures}
						c.run(t)
					})
					cases++
				}
			}
		}
	}
	t.Logf("%d errors at 6 steps, once to three times, before and after the step: %d cases", len(databaseErrors), cases)
}

// failureCase is a session that meets an error at one step.
type failureCase struct {
	store    *failingStore
	step     string
	failures int // in a row

	manager *session.Manager
	reuses  atomic.Int32 // reported thefts
}

func (c *failureCase) String() string {
	return fmt.Sprintf("%s fails %d times (after the step: %v) with %v", c.step, c.failures, c.store.after, c.store.err)
}

func (c *failureCase) run(t *testing.T) {
	t.Helper()
	c.store.SetUser("1", store.User{Epoch: 1})
	var err error
	c.manager, err = session.New(mustKeys(t), c.store, session.Config{OnEvent: func(e session.Event) {
		if e.Kind == session.EventReuse {
			c.reuses.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	owner, thief := c.prepare(t)

	c.store.failNext(c.step, c.failures)
	began := time.Now()
	err = c.act(t, owner, thief)
	took := time.Since(began)
	if took > 2*time.Second {
		t.Errorf("%v: the call took %v; want at most 2s", c, took)
	}
	if tries, want := c.store.tries(), min(c.failures+1, 3); tries != want {
		t.Errorf("%v: %d tries; want %d", c, tries, want)
	}
	if c.failures < 3 {
		if err != nil {
			t.Errorf("%v: %v; want no error", c, err)
		}
	} else {
		c.wantUnavailable(t, err)
	}

	c.store.failNext("", 0)
	c.runFor(t, 10*time.Second)
	c.checkAfterwards(t, owner, thief)
}

// prepare returns the owner's cookies and, for RevokeReused, older ones that a thief
// copied.
func (c *failureCase) prepare(t *testing.T) (owner, thief jar) {
	t.Helper()
	owner = jar{}
	if c.step == "Create" {
		return owner, nil
	}
	visits := func() {
		t.Helper()
		for range 2 {
			if err := c.visit(t, owner); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.login(owner); err != nil {
		t.Fatal(err)
	}
	visits()
	thief = maps.Clone(owner)
	if c.step == "RevokeReused" {
		visits()
	}
	// The access cookies expire, so that the next request asks the store.
	time.Sleep(2 * time.Minute)
	return owner, thief
}

func (c *failureCase) login(j jar) error {
	v, err := c.manager.Issue(httptest.NewRequest("POST", "/login", nil), session.Login{UserID: "1"})
	j.keep(v)
	return err
}

// visit makes a request whose access cookie has expired.
func (c *failureCase) visit(t *testing.T, j jar) error {
	t.Helper()
	time.Sleep(2 * time.Minute)
	return c.authenticate(t, j)
}

func (c *failureCase) authenticate(t *testing.T, j jar) error {
	t.Helper()
	v, err := c.manager.Authenticate(j.request())
	if err != nil && !errors.Is(err, session.ErrUnauthenticated) && len(v.Cookies) > 0 {
		t.Errorf("%v: %v came with the cookies %v; want none", c, err, v.Cookies)
	}
	j.keep(v)
	return err
}

// act makes the call that runs into the errors. Refusing a thief is the right answer,
// and not an error.
func (c *failureCase) act(t *testing.T, owner, thief jar) (err error) {
	t.Helper()
	switch c.step {
	case "Find", "Confirm":
		return c.authenticate(t, owner)
	case "RevokeReused":
		err = c.authenticate(t, thief)
		if err == nil {
			t.Errorf("%v: the thief was let in", c)
		}
		if errors.Is(err, session.ErrUnauthenticated) {
			return nil
		}
	case "Create":
		return c.login(owner)
	case "Revoke":
		_, err = c.manager.Logout(owner.request())
	case "RevokeUser":
		err = c.manager.RevokeUser(t.Context(), "1")
	}
	return err
}

// runFor runs the Manager's background work, which repeats revocations that the store
// missed, for longer than the breaker remembers the errors.
func (c *failureCase) runFor(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := c.manager.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v: Run: %v", c, err)
	}
	synctest.Wait()
}

func (c *failureCase) wantUnavailable(t *testing.T, err error) {
	t.Helper()
	var number *mysql.MySQLError
	if !errors.As(err, &number) || !errors.Is(err, session.ErrStoreUnavailable) ||
		errors.Is(err, session.ErrUnauthenticated) || errors.Is(err, session.ErrUserDisabled) {
		t.Errorf("%v: %v; want ErrStoreUnavailable with the database's error, and no verdict", c, err)
	}
}

// checkAfterwards checks who is logged in, and that a theft is reported exactly once.
func (c *failureCase) checkAfterwards(t *testing.T, owner, thief jar) {
	t.Helper()
	switch c.step {
	case "Find", "Confirm":
		if err := c.visit(t, owner); err != nil || c.reuses.Load() != 0 {
			t.Errorf("%v: afterwards the owner gets %v, and %d thefts are reported; want none", c, err, c.reuses.Load())
		}
	case "RevokeReused":
		if err := c.visit(t, thief); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("%v: afterwards the thief gets %v; want ErrUnauthenticated", c, err)
		}
		if err := c.visit(t, owner); !errors.Is(err, session.ErrUnauthenticated) || c.reuses.Load() != 1 {
			t.Errorf("%v: afterwards the owner gets %v, and %d thefts are reported; want ErrUnauthenticated and 1", c, err, c.reuses.Load())
		}
	case "Create":
		if c.failures == 3 {
			if err := c.login(owner); err != nil {
				t.Errorf("%v: afterwards a login fails: %v", c, err)
			}
		}
		if err := c.visit(t, owner); err != nil {
			t.Errorf("%v: after the login a request fails: %v", c, err)
		}
	case "Revoke", "RevokeUser":
		// Only a RevokeUser that never reached the store ends nothing: its caller got
		// the error, and is to repeat it.
		ended := c.step == "Revoke" || c.failures < 3 || c.store.after
		if err := c.visit(t, owner); errors.Is(err, session.ErrUnauthenticated) != ended || !ended && err != nil {
			t.Errorf("%v: afterwards the owner gets %v; want the session ended: %v", c, err, ended)
		}
	}
}
