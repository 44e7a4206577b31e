// Package sessiontest helps an app to test its handlers with sessions, without
// a browser and without a database.
//
//	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"1": {Roles: []string{"admin"}}})
//	app := newApp(kit.Sessions) // your handlers, behind your guard
//
//	r := httptest.NewRequest("GET", "/admin", nil)
//	sessiontest.LoginAs(t, kit.Sessions, r, "1")
//	app.ServeHTTP(recorder, r)
//
// [LoginAs] and [Login] log one request in, and [LoginWithToken] one of a program. [Browser] keeps cookies over many requests, by
// the rules of browsers. [Store] wraps any store.Store, counts its calls, and makes them
// fail or wait. Of a session, [ExpireAccess] makes the next request refresh, [Revoke] ends it,
// and [Store.AgeLogin] makes its login old.
//
// The package reads the clock through package time, so it also works inside a bubble of
// testing/synctest, where hours pass at once.
package sessiontest
