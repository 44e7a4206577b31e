package sessiontest_test

import (
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// A test of a handler that programs call with a token.
func ExampleLoginWithToken() {
	kit := sessiontest.New(t, session.Config{TokenTTL: 10 * time.Minute}, map[string]store.User{"ada": {}})
	app := newApp(kit.Sessions)

	r := httptest.NewRequest("GET", "/orders", nil)
	s := sessiontest.LoginWithToken(t, kit.Sessions, r, session.Login{UserID: "ada", Data: map[string]string{"tenant": "7"}})
	rec := httptest.NewRecorder()
	app.ServeHTTP(rec, r)
	fmt.Println(rec.Code, rec.Body, "for", s.Client)
	// Output: 200 user ada of tenant 7 for sessiontest
}
