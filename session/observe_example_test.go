package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// printer is an observer that names each operation, and how it ends. A real one measures the time.
func printer(name string) func(context.Context, session.Operation) (context.Context, func(error)) {
	return func(ctx context.Context, op session.Operation) (context.Context, func(error)) {
		return ctx, func(err error) { fmt.Printf("%s: %s %q %s\n", name, op.Kind, op.Call, session.OutcomeOf(err)) }
	}
}

// Two observers see each operation, such as one for metrics and one for traces.
func ExampleObserveAll() {
	users := store.NewMemory()
	users.SetUser("ada", store.User{Disabled: true})
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := session.New(keys, users, session.Config{Observe: session.ObserveAll(printer("metrics"), printer("traces"))})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := sessions.Issue(httptest.NewRequest("GET", "https://app.example.com/", nil), session.Login{UserID: "ada"}); !errors.Is(err, session.ErrUserDisabled) {
		log.Fatal(err)
	}
	// Output:
	// traces: store "Create" refused
	// metrics: store "Create" refused
	// traces: login "" refused
	// metrics: login "" refused
}
