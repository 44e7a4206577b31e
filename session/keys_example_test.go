package session_test

import (
	"fmt"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// A key is 32 random bytes. Keep it where the other secrets of the app are.
func ExampleParseKeys() {
	text := session.GenerateKey() // once, or: openssl rand -base64 32
	keys, err := session.ParseKeys(text)
	fmt.Println(keys, err)
	fmt.Println("for logs, a name that is no secret, of", len(keys.Names()[0]), "digits")

	_, err = session.ParseKeys("secret")
	fmt.Println(err != nil) // too short: the error says what to do
	// Output:
	// [redacted] <nil>
	// for logs, a name that is no secret, of 8 digits
	// true
}

// A new key, without a restart and without a logout. With several nodes, each step is taken on
// all of them before the next one. The event old-key says who still has cookies of the old key.
func ExampleManager_SetKeys() {
	sessions := exampleSessions(exampleUsers(), session.Config{
		OnEvent: func(e session.Event) {
			if e.Kind == session.EventOldKey {
				fmt.Println("the old key is still in use")
			}
		},
	})
	guard, mux := exampleApp(sessions)
	app := guard.Protect(mux)
	change := func(text string) {
		keys, err := session.ParseKeys(text)
		if err != nil {
			panic(err)
		}
		if err := sessions.SetKeys(keys); err != nil {
			panic(err) // the keys stay as they were
		}
	}
	const old = "b3Xr1vGmU0n1n0kqYw0m6j5l9g1s5o9yJ8y0kXo0Zkc="
	fresh := session.GenerateKey()

	b := sessiontest.NewBrowser(app)
	b.PostForm("/login", asUser("1"))

	change(old + "," + fresh) // 1. opens cookies of the new key
	show("step 1", b, "/account")
	change(fresh + "," + old) // 2. seals with the new key
	b.ExpireAccess()
	show("step 2", b, "/account")
	change(fresh) // 3. when old-key no longer occurs
	show("step 3", b, "/account")
	// Output:
	// step 1: 200
	// the old key is still in use
	// the old key is still in use
	// step 2: 200
	// step 3: 200
}
