package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// program sends a request as curl -u does: with a password, without cookies.
func program(t *testing.T, url, email, password string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(email, password)
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(body)}
}

func TestAProgramComesInWithAPassword(t *testing.T) {
	a, server := testServer(t)
	me := server.URL + "/api/session"

	in := program(t, me, ada, adaPassword)
	in.shows(t, 200)
	var who struct {
		UserID string `json:"user_id"`
	}
	if err := json.Unmarshal([]byte(in.body), &who); err != nil || who.UserID != "1" {
		t.Errorf("it is user %q, error %v; want 1", who.UserID, err)
	}
	// With its cookies it needs no password again.
	r, err := http.NewRequestWithContext(t.Context(), "GET", me, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range in.Cookies() {
		r.AddCookie(cookie)
	}
	again, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	again.Body.Close()
	if again.StatusCode != 200 || len(again.Cookies()) != 0 {
		t.Errorf("with the cookies: %d and %d new ones; want 200 and none", again.StatusCode, len(again.Cookies()))
	}

	program(t, me, ada, "nope").shows(t, 401)
	program(t, me, "nobody@example.com", adaPassword).shows(t, 401)
	program(t, me, "", "").shows(t, 401)
	program(t, server.URL+"/admin", ada, adaPassword).shows(t, 403)
	program(t, server.URL+"/admin", grace, gracePassword).shows(t, 200)
	program(t, server.URL+"/", ada, adaPassword).shows(t, 200, "Logged in, without asking the database") // public: nobody is asked

	if err := a.users.setDisabled(t.Context(), "1", true); err != nil {
		t.Fatal(err)
	}
	program(t, me, ada, adaPassword).shows(t, 403)
	program(t, me, ada, "nope").shows(t, 401)
}

func TestAPasswordInARequestIsThrottled(t *testing.T) {
	a, server := testServer(t)
	a.credentials.throttle.accounts = newLimiter(5, time.Hour, 10) // slower than any test
	me := server.URL + "/api/session"
	for range 5 {
		program(t, me, ada, "nope").shows(t, 401)
	}
	program(t, me, ada, adaPassword).shows(t, 401)
	program(t, me, grace, gracePassword).shows(t, 200)
	// It is one throttle, whatever way the guesses come.
	newBrowser(t, server).post("/login", "email", ada, "password", adaPassword).shows(t, 429)
}

func TestAPasswordThatCannotBeLookedAtIsNoVerdict(t *testing.T) {
	for _, what := range []string{"users", "sessions"} {
		a, server := testServer(t)
		if what == "users" {
			a.db.app.Close()
		} else {
			a.db.sessions.Close()
		}
		got := program(t, server.URL+"/api/session", ada, adaPassword)
		got.shows(t, 503)
		if got.Header.Get("Retry-After") == "" || !strings.HasPrefix(got.Header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("the %s are down: %v", what, got.Header)
		}
	}
}
