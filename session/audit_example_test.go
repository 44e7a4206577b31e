package session_test

import (
	"context"
	"fmt"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// Who did what, for a security team. In an app with a database, the log is that of
// sqlstore.Store.AuditLog, which writes a table; this one prints.
func ExampleWithActor() {
	sessions := exampleSessions(exampleUsers(), session.Config{
		Audit: store.AuditFunc(func(_ context.Context, e store.AuditEntry) error {
			if e.Action == store.AuditKeysSet { // the name of a key differs each time: see Keys.Names
				return nil
			}
			fmt.Printf("%s user=%q actor=%q ip=%q\n", e.Action, e.UserID, e.Actor, e.IP)
			return nil
		}),
	})
	guard, mux := exampleApp(sessions)
	b := sessiontest.NewBrowser(guard.Protect(mux))
	b.PostForm("/login", asUser("1"))

	// A job has no session. The handler of an administrator passes r.Context() on as it is.
	job := session.WithActor(context.Background(), "job leavers")
	if err := sessions.RevokeUser(job, "1"); err != nil {
		fmt.Println(err)
	}
	// Output:
	// login user="1" actor="" ip="192.0.2.1"
	// user-ended user="1" actor="job leavers" ip=""
}
