package sessiontest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// oneUser returns a store with the user "1".
func oneUser() *store.Memory {
	users := store.NewMemory()
	users.SetUser("1", store.User{Epoch: 1})
	return users
}

// A request after two minutes without one: it is refreshed, and the page is shown.
func ExampleExpireAccess() {
	sessions, app := shop(oneUser())
	b := sessiontest.NewBrowser(app)
	r := b.NewRequest(http.MethodGet, "/", nil)
	sessiontest.LoginAs(t, sessions, r, "1")
	sessiontest.ExpireAccess(r)
	answer := b.Do(r)
	fmt.Println(answer.StatusCode, "and", len(answer.Cookies()), "new cookie")
	// Output: 200 and 1 new cookie
}

// The user has logged this device out on another one.
func ExampleRevoke() {
	sessions, app := shop(oneUser())
	b := sessiontest.NewBrowser(app)
	s := b.Login(t, sessions, session.Login{UserID: "1", Epoch: 1})
	fmt.Println("before:", b.Get("/").StatusCode)
	sessiontest.Revoke(t, sessions, s)
	fmt.Println("after:", b.Get("/").StatusCode)
	// Output:
	// before: 200
	// after: 401
}

// A request that is no page load: NewRequest makes it, and Do sends it and keeps the cookies.
func ExampleBrowser_Do() {
	sessions, app := shop(oneUser())
	b := sessiontest.NewBrowser(app)
	b.Login(t, sessions, session.Login{UserID: "1", Epoch: 1})
	r := b.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("HX-Request", "true")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	fmt.Println(b.Do(r).StatusCode)
	// Output: 200
}

// A test without a handler: Receive gives the browser the cookies of a Verdict.
func ExampleBrowser_Receive() {
	sessions, _ := shop(oneUser())
	b := sessiontest.NewBrowser(nil)
	b.Login(t, sessions, session.Login{UserID: "1", Epoch: 1})
	v, err := sessions.Logout(b.NewRequest(http.MethodPost, "/logout", nil))
	fmt.Println("logout:", err)
	b.Receive(v.Cookies)
	_, err = sessions.Authenticate(b.NewRequest(http.MethodGet, "/", nil))
	fmt.Println("logged out:", errors.Is(err, session.ErrUnauthenticated))
	// Output:
	// logout: <nil>
	// logged out: true
}

// A thief keeps his copy of the cookies for ever. In a bubble of testing/synctest, where an hour
// passes at once, he still sends the access cookie after it, and the server must not accept it.
func ExampleBrowser_CloneIgnoringExpiry() {
	sessions, app := shop(oneUser())
	b := sessiontest.NewBrowser(app)
	s := b.Login(t, sessions, session.Login{UserID: "1", Epoch: 1})
	thief := b.CloneIgnoringExpiry()
	sessiontest.Revoke(t, sessions, s)
	fmt.Println("the thief sends", len(thief.NewRequest(http.MethodGet, "/", nil).Cookies()), "cookies, and gets", thief.Get("/").StatusCode)
	// Output: the thief sends 3 cookies, and gets 401
}

// A Jar also works in an http.Client. Set says why a browser would drop a cookie.
func ExampleJar() {
	shop, err := url.Parse("https://shop.test/")
	if err != nil {
		panic(err)
	}
	jar := &sessiontest.Jar{}
	_ = http.Client{Jar: jar}
	fmt.Println(jar.Set(shop, &http.Cookie{Name: "__Host-cart", Value: "7", Path: "/", Secure: true, MaxAge: 3600}))
	fmt.Println(jar.Set(shop, &http.Cookie{Name: "__Host-flash", Value: "saved", Path: "/"}))

	backup, thief := jar.Clone(), jar.CloneIgnoringExpiry()
	jar.Delete(func(name string) bool { return name == "__Host-cart" })
	fmt.Println(len(jar.Cookies(shop)), len(backup.Cookies(shop)), len(thief.Cookies(shop)))
	// Output:
	// <nil>
	// the prefix __Host- needs Secure, Path=/ and no Domain
	// 0 1 1
}

// A login of an hour ago, for a page behind RequireRecentLogin.
func ExampleStore_AgeLogin() {
	database := sessiontest.NewStore(oneUser())
	sessions, _ := shop(database)
	b := sessiontest.NewBrowser(nil)
	s := b.Login(t, sessions, session.Login{UserID: "1", Epoch: 1})
	fmt.Println("recent:", s.LoggedInWithin(5*time.Minute))

	database.AgeLogin(s.ID, time.Hour)
	b.ExpireAccess() // it has the old time
	v, err := sessions.Authenticate(b.NewRequest(http.MethodGet, "/", nil))
	fmt.Println("recent:", v.Session().LoggedInWithin(5*time.Minute), err)
	// Output:
	// recent: true
	// recent: false <nil>
}

// The user is banned at the worst moment: right before the store is asked.
func ExampleStore_Before() {
	users := oneUser()
	database := sessiontest.NewStore(users)
	sessions, app := shop(database)
	b := sessiontest.NewBrowser(app)
	b.Login(t, sessions, session.Login{UserID: "1", Epoch: 1})
	database.Before(func(_ context.Context, method string) error {
		if method == "Find" {
			users.SetUser("1", store.User{Epoch: 1, Disabled: true})
		}
		return nil
	})
	b.ExpireAccess()
	fmt.Println(b.Get("/").StatusCode)
	// Output: 401
}

// Which calls does a login make, and which does a refresh?
func ExampleStore_After() {
	database := sessiontest.NewStore(oneUser())
	sessions, app := shop(database)
	database.After(func(_ context.Context, method string) error {
		fmt.Println("-", method)
		return nil
	})
	b := sessiontest.NewBrowser(app)
	fmt.Println("login")
	b.Login(t, sessions, session.Login{UserID: "1", Epoch: 1})
	fmt.Println("page")
	b.Get("/")
	fmt.Println("refresh")
	b.ExpireAccess()
	b.Get("/")
	// Output:
	// login
	// - Create
	// - Find
	// - Newest
	// page
	// refresh
	// - Find
}

// A slow database: the request waits for it, for at most two seconds.
func ExampleStore_Delay() {
	database := sessiontest.NewStore(oneUser())
	sessions, app := shop(database)
	b := sessiontest.NewBrowser(app)
	b.Login(t, sessions, session.Login{UserID: "1", Epoch: 1})
	database.Delay(time.Millisecond, "Find")
	b.ExpireAccess()
	fmt.Println(b.Get("/").StatusCode)
	// Output: 200
}

// The connection breaks after the database has done its work. The session has begun, and the
// browser does not know it: the user logs in again.
func ExampleStore_LoseAnswers() {
	database := sessiontest.NewStore(oneUser())
	sessions, _ := shop(database)
	r := sessiontest.NewBrowser(nil).NewRequest(http.MethodPost, "/login", nil)

	database.LoseAnswers(errors.New("connection reset"), "Create")
	_, err := sessions.Issue(r, session.Login{UserID: "1", Epoch: 1})
	fmt.Println("no answer:", errors.Is(err, session.ErrStoreUnavailable))

	database.LoseAnswers(nil)
	_, err = sessions.Issue(r, session.Login{UserID: "1", Epoch: 1})
	fmt.Println("again:", err)
	// Output:
	// no answer: true
	// again: <nil>
}

// The database's clock is ten minutes ahead of this machine's: nobody is logged out.
func ExampleStore_SetClock() {
	database := sessiontest.NewStore(oneUser())
	sessions, app := shop(database)
	database.SetClock(10 * time.Minute)
	b := sessiontest.NewBrowser(app)
	s := b.Login(t, sessions, session.Login{UserID: "1", Epoch: 1})
	fmt.Println("ahead:", time.Until(s.AuthTime) > 9*time.Minute)
	fmt.Println(b.Get("/").StatusCode)
	b.ExpireAccess()
	fmt.Println(b.Get("/").StatusCode)
	// Output:
	// ahead: true
	// 200
	// 200
}

// Two nodes with one database, each with faults of its own. The second does not reach it.
func ExampleStore_Unwrap() {
	first := sessiontest.NewStore(oneUser())
	second := sessiontest.NewStore(first.Unwrap())
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		panic(err)
	}
	var nodes []*session.Manager
	for _, database := range []store.Store{first, second} {
		sessions, err := session.New(keys, database, session.Config{})
		if err != nil {
			panic(err)
		}
		nodes = append(nodes, sessions)
	}
	second.Fail(errors.New("no route to host"))

	b := sessiontest.NewBrowser(nil)
	b.Login(t, nodes[0], session.Login{UserID: "1", Epoch: 1})
	b.ExpireAccess()
	for _, sessions := range nodes {
		_, err := sessions.Authenticate(b.NewRequest(http.MethodGet, "/", nil))
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// session: the store is unavailable: no route to host
}
