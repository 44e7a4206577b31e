// Package sessiontest helps an app to test its handlers with sessions, without
// a browser and without a database.
//
//	users := store.NewMemory()
//	users.SetUser("1", store.User{Epoch: 1, Roles: []string{"admin"}})
//	sessions, err := session.New(keys, users, session.Config{})
//
//	r := httptest.NewRequest("GET", "/admin", nil)
//	sessiontest.LoginAs(t, sessions, r, "1")
//	app.ServeHTTP(recorder, r)
//
// [LoginAs] logs one request in. [Browser] keeps cookies over many requests, by
// the rules of browsers. [Store] wraps any store.Store, counts its calls, and makes them
// fail or wait.
//
// The package reads the clock through package time, so it also works inside a bubble of
// testing/synctest, where hours pass at once.
package sessiontest
