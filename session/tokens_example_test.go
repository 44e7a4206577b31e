package session_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// newTokenManager returns a Manager with tokens, and a request without cookies.
func newTokenManager() (*session.Manager, *http.Request) {
	users := store.NewMemory() // for tests; an app uses sqlstore
	users.SetUser("7", store.User{Roles: []string{"staff"}})
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		panic(err)
	}
	sessions, err := session.New(keys, users, session.Config{TokenTTL: 10 * time.Minute})
	if err != nil {
		panic(err)
	}
	return sessions, httptest.NewRequest("POST", "/", nil)
}

// A command line logs in with tokens, in place of cookies. Package session/token has the
// endpoints that do the same over HTTP.
func ExampleTokens() {
	sessions, r := newTokenManager()
	tokens := sessions.Tokens()
	fmt.Println("enabled:", tokens.Enabled())

	// The app has checked the user's password, or whatever the user has proved.
	grant, err := tokens.Issue(r, session.Login{UserID: "7", Client: "acme-cli"})
	if err != nil {
		panic(err)
	}

	// The client sends the access token with each request.
	request := httptest.NewRequest("GET", "/orders", nil)
	request.Header.Set("Authorization", "Bearer "+grant.AccessToken)
	v, err := sessions.Authenticate(request)
	fmt.Println(session.HasToken(request), v.Session().UserID, v.Session().Client, err)

	// When the access token has expired, the refresh token gets a new one.
	again, err := tokens.Refresh(r, "acme-cli", grant.RefreshToken)
	fmt.Println(again.Session.UserID, err)

	// Another service of the app's asks what a token is worth.
	active, err := tokens.Introspect(r, again.AccessToken)
	fmt.Println(active.UserID, active.HasRole("staff"), err)

	// Either token ends the session.
	fmt.Println(tokens.Revoke(r, "acme-cli", grant.RefreshToken))
	_, err = sessions.Authenticate(request)
	fmt.Println(errors.Is(err, session.ErrUnauthenticated))
	// Output:
	// enabled: true
	// true 7 acme-cli <nil>
	// 7 <nil>
	// 7 true <nil>
	// <nil>
	// true
}

// A television logs in: it shows a code, and the user enters it in a browser.
func ExampleTokens_ApproveDevice() {
	sessions, fromDevice := newTokenManager()
	tokens := sessions.Tokens()
	codes, err := tokens.BeginDevice(fromDevice, "acme-tv")
	if err != nil {
		panic(err)
	}
	_, err = tokens.PollDevice(fromDevice, "acme-tv", codes.DeviceCode)
	fmt.Println(err)

	// The user is logged in, and has entered codes.UserCode on a page of the app.
	browser := sessiontest.NewBrowser(nil)
	v, err := sessions.Issue(browser.NewRequest("POST", "/login", nil), session.Login{UserID: "7"})
	if err != nil {
		panic(err)
	}
	browser.Receive(v.Cookies)
	fromUser := browser.NewRequest("POST", "/device", nil)
	device, err := tokens.FindDevice(fromUser, codes.UserCode)
	fmt.Println("Do you want to log in on", device.Client, "from", device.IP, err)
	saidYes := true
	if saidYes {
		err = tokens.ApproveDevice(fromUser, codes.UserCode, session.Login{UserID: "7"})
	} else {
		err = tokens.DenyDevice(fromUser, codes.UserCode)
	}
	fmt.Println(err)

	// A device asks every 5 seconds, and no node answers it twice a second.
	time.Sleep(time.Second)
	grant, err := tokens.PollDevice(fromDevice, "acme-tv", codes.DeviceCode)
	fmt.Println(grant.Session.UserID, grant.Session.Client, err)
	// Output:
	// session: the user has not approved the device yet
	// Do you want to log in on acme-tv from 192.0.2.1 <nil>
	// <nil>
	// 7 acme-tv <nil>
}
