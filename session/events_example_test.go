package session_test

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// Events to the log. The output has no time and no session here, because they differ each time.
func ExampleLogEvents() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ // in an app: slog.Default()
		Level: slog.LevelDebug, // the default level leaves refreshes out
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == "time" || a.Key == "session" {
				return slog.Attr{}
			}
			return a
		},
	}))
	sessions := exampleSessions(exampleUsers(), session.Config{OnEvent: session.LogEvents(log)})
	guard, mux := exampleApp(sessions)
	mux.HandleFunc("POST /logout", guard.Logout)
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	b.PostForm("/login", asUser("1"))
	b.ExpireAccess()
	b.Get("/account")
	b.PostForm("/logout", nil)
	// Output:
	// level=INFO msg=session kind=issued user=1 ip=192.0.2.1
	// level=DEBUG msg=session kind=refreshed user=1 ip=192.0.2.1
	// level=INFO msg=session kind=revoked user=1 ip=192.0.2.1 detail=logout
}

// Events to metrics: Stats counts them, for the page that a monitoring system reads. Alert on
// reuse, store-down and revocation-lost.
func ExampleManager_Stats() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	guard, mux := exampleApp(sessions)
	app := guard.Protect(mux)
	for range 3 {
		sessiontest.NewBrowser(app).PostForm("/login", asUser("1"))
	}

	stats := sessions.Stats()
	for _, kind := range slices.Sorted(maps.Keys(stats)) {
		if stats[kind] == 0 { // in an app: all of them
			continue
		}
		fmt.Printf("# %s: %s\n", kind, kind.Meaning())
		fmt.Printf("session_events_total{kind=%q} %d\n", kind, stats[kind])
	}
	// Output:
	// # issued: a user logged in
	// session_events_total{kind="issued"} 3
}

// A function of the app's own. It must be quick: the request waits for it.
func ExampleConfig_onEvent() {
	logEvent := session.LogEvents(slog.New(slog.DiscardHandler)) // in an app: slog.Default()
	onEvent := func(e session.Event) {
		logEvent(e)
		switch {
		case e.Kind == session.EventReuse:
			// In an app: to a queue of messages.
			fmt.Printf("to user %s: somebody has used a copy of your login on %q, from %s\n", e.UserID, e.LoginUserAgent, e.IP)
		case e.Kind.Level() >= slog.LevelError:
			fmt.Println("to the operator:", e.Kind.Meaning())
		}
	}
	_ = session.Config{OnEvent: onEvent}

	onEvent(session.Event{Kind: session.EventReuse, UserID: "1", LoginUserAgent: "Mozilla/5.0", IP: "203.0.113.9"})
	onEvent(session.Event{Kind: session.EventStoreDown})
	// Output:
	// to user 1: somebody has used a copy of your login on "Mozilla/5.0", from 203.0.113.9
	// to the operator: the store does not answer a probe either: requests that need it are refused at once
}
