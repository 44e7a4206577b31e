package main

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// begin asks for the codes of a device.
func (t tour) begin() *oauth2.DeviceAuthResponse {
	t.Helper()
	client := t.client()
	codes, err := client.DeviceAuth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

// complete returns the path of the page to which a device sends its user.
func (t tour) complete(codes *oauth2.DeviceAuthResponse) string {
	t.Helper()
	path, ok := strings.CutPrefix(codes.VerificationURIComplete, t.url)
	if !ok || codes.VerificationURI != t.url+"/device" {
		t.Fatalf("%+v; want pages of %s", codes, t.url)
	}
	return path
}

// code returns the error code of an OAuth client.
func code(err error) string {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return answer.ErrorCode
	}
	return ""
}

var sessionOfForm = regexp.MustCompile(`name="id" value="([0-9a-f]{32})"`)

// The client is golang.org/x/oauth2, unchanged. It polls every five seconds, and renews a token
// ten seconds before its end: here for each request.
func TestDevice_AnOAuthClientLogsIn(t *testing.T) {
	t.Parallel()
	tour := start(t, "-token-ttl", "2s")
	codes := tour.begin()

	// The link of the device survives the login.
	b := tour.browser()
	page := tour.complete(codes)
	login := b.get(page)
	if login.StatusCode != http.StatusSeeOther || !strings.HasPrefix(login.Header.Get("Location"), "/login?next=") {
		t.Fatalf("%d to %s", login.StatusCode, login.Header.Get("Location"))
	}
	b.get(login.Header.Get("Location")).shows(200, `name="next" value="`+page+`"`)
	b.post("/login", "email", "ada@example.com", "password", "ada-demo-password", "next", page).leadsTo(page)
	b.get(page).shows(200, "it may be their device", "in your possession", codes.UserCode, "Command line", "Go-http-client", "ada@example.com")
	b.post("/device", "user_code", codes.UserCode, "decision", "yes").leadsTo("/device?done=approved")
	b.get("/device?done=approved").shows(200, "The device is connected.")
	b.post("/device", "user_code", codes.UserCode, "decision", "yes").shows(404, "No device waits with this code.")

	client := tour.client()
	first, err := client.DeviceAccessToken(t.Context(), codes)
	if err != nil {
		t.Fatal(err)
	}
	tokens := client.TokenSource(t.Context(), first)
	renewed := func() *oauth2.Token {
		t.Helper()
		token, err := tokens.Token()
		if err != nil {
			t.Fatal(err)
		}
		tour.call("/api/session", token.AccessToken, nil).shows(200, `"user_id":"1"`, `"client":"cli"`)
		return token
	}
	for tick := time.Tick(100 * time.Millisecond); renewed().RefreshToken == first.RefreshToken; { // a young one stays
		select {
		case <-t.Context().Done():
			t.Fatal("the refresh token is never replaced")
		case <-tick:
		}
	}

	list := b.get("/devices").shows(200, "Command line", "This browser")
	id := sessionOfForm.FindStringSubmatch(list.body)
	if id == nil {
		t.Fatalf("nothing to log out in %s", list.body)
	}
	last := renewed()
	b.post("/devices/revoke", "id", id[1]).leadsTo("/devices?done=device")
	if _, err := tokens.Token(); code(err) != "invalid_grant" {
		t.Errorf("the refresh token of a device that was logged out: %v", err)
	}
	tour.call("/api/session", last.AccessToken, nil).shows(401)
	if list := b.get("/devices").shows(200, "This browser"); strings.Contains(list.body, "Command line") {
		t.Errorf("the device is still listed: %s", list.body)
	}
}

func TestDevice_AUserSaysNo(t *testing.T) {
	t.Parallel()
	tour := start(t)
	codes := tour.begin()
	b := tour.ada()
	// People type a code in any way.
	typed := strings.ToLower(strings.ReplaceAll(codes.UserCode, "-", " "))
	b.get("/device?user_code="+strings.ReplaceAll(typed, " ", "+")).shows(200, "Connect this device?")
	b.post("/device", "user_code", typed).has(400, "no decision")
	b.post("/device", "user_code", typed, "decision", "no").leadsTo("/device?done=denied")
	b.get("/device?done=denied").shows(200, "The device is refused.")

	client := tour.client()
	if _, err := client.DeviceAccessToken(t.Context(), codes); code(err) != "access_denied" {
		t.Errorf("%v; want access_denied", err)
	}
}

func TestDevice_WrongCodesAreToldAndLimited(t *testing.T) {
	tour := start(t)
	codes := tour.begin()
	b := tour.ada()
	b.get("/device").shows(200, "The code that your device shows")
	for range 10 {
		b.get("/device?user_code=BBBB-BBBB").shows(404, "No device waits with this code.", `value="BBBB-BBBB"`)
	}
	tooMany := b.get(tour.complete(codes)).shows(429, "too many wrong codes")
	if tooMany.Header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
}

func TestDevice_ADatabaseThatIsDownIsTold(t *testing.T) {
	a, tour := inProcess(t)
	codes := tour.begin()
	b := tour.ada()
	if err := a.users.db.Close(); err != nil {
		t.Fatal(err)
	}
	b.get(tour.complete(codes)).shows(503, "The database does not answer.", codes.UserCode)
	tour.call("/oauth/device", "", form("client_id", commandLine)).shows(503, "temporarily_unavailable")

	// Behind RequireLive the guard answers.
	b.post("/device", "user_code", codes.UserCode, "decision", "yes").shows(503)
}
