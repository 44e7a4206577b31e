// Package sessionotel shows to OpenTelemetry how a session.Manager fares: metrics of how many
// events of each kind there were, how it stands, and how long refreshes, logins and calls of the store
// take, and a span for each of these.
//
//	telemetry, err := sessionotel.New(sessionotel.Config{App: "shop"})
//	sessions, err := session.New(keys, store, session.Config{Observe: telemetry.Observe})
//	...
//	err = telemetry.Register(sessions)
//
// All names begin with "sessionkit.". No attribute comes from a user or a request, and the text of
// an error is not recorded: it may come from a driver. A span has the outcome, and error.type
// repeats it if the operation has failed.
package sessionotel
