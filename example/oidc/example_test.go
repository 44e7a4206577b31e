package oidc

import (
	"fmt"
	"net/http/httptest"
)

// In an app the verifier comes from the provider:
//
//	provider, err := oidc.NewProvider(ctx, "https://id.example.com")
//	verifier := Verifier(ctx, provider, "our-app")
//	guard, err := sessionmw.New(sessions, sessionmw.Config{Credentials: Bearer(verifier, accounts)})
//	e.Use(guard.Protect)
func ExampleBearer() {
	p, err := newProvider() // signs in place of the real one
	if err != nil {
		panic(err)
	}
	app, err := testApp(p)
	if err != nil {
		panic(err)
	}
	token, err := p.sign(goodClaims(nil))
	if err != nil {
		panic(err)
	}

	r := httptest.NewRequest("GET", "/api/me", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	answer := httptest.NewRecorder()
	app.ServeHTTP(answer, r)
	fmt.Println(answer.Code, answer.Body, len(answer.Result().Cookies()), "Set-Cookie lines")

	// Output: 200 user 1 3 Set-Cookie lines
}
