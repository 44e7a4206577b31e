package main

import (
	"fmt"
	"image/png"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

var secretOfPage = regexp.MustCompile(`<code class="command">([A-Z2-7]{32})</code>`)

// secret returns the secret that a page shows.
func (a answer) secret() string {
	a.Helper()
	match := secretOfPage.FindStringSubmatch(a.shows(200, "otpauth://totp/", "ada@example.com").body)
	if match == nil || !strings.Contains(a.body, "secret="+match[1]) {
		a.Fatalf("no secret in %s", a.body)
	}
	return match[1]
}

// codeOf returns the code that an authenticator app shows, or the one after it.
func codeOf(t *testing.T, secret string, after int) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, time.Now().Add(time.Duration(after*period)*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// wrongCode returns a code that does not count, now or soon.
func wrongCode(t *testing.T, secret string) string {
	t.Helper()
	var right []string
	for after := -2; after <= 4; after++ {
		right = append(right, codeOf(t, secret, after))
	}
	for n := 0; ; n++ {
		if code := fmt.Sprintf("%06d", n); !slices.Contains(right, code) {
			return code
		}
	}
}

// withFactor is a browser of Ada's, who has just set up the second factor.
func (t tour) withFactor() (b browser, secret string) {
	t.Helper()
	b = t.ada()
	secret = b.get("/factor/new").secret()
	b.post("/factor/new", "code", codeOf(t.T, secret, 0)).leadsTo("/vault")
	return b, secret
}

func TestFactor_OpensTheVault(t *testing.T) {
	tour := start(t)
	b := tour.ada()
	const page, next = "/vault?page=2", "next=%2Fvault%3Fpage%3D2"
	b.get(page).leadsTo("/login?method=otp&" + next + "&reauth=1")
	b.get("/login?method=otp&" + next + "&reauth=1").leadsTo("/factor?" + next)
	b.get("/factor?" + next).leadsTo("/factor/new?" + next)
	setup := b.get("/factor/new?"+next).shows(200, "Set up a second factor", `href="otpauth://totp/sessionkit%20tour:ada@example.com?`, `name="next" value="`+page+`"`)
	secret := setup.secret()
	image := b.Get("/factor/new.png")
	if _, err := png.Decode(image.Body); err != nil || image.Header.Get("Content-Type") != "image/png" || image.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the QR code: %v, %v", err, image.Header)
	}
	if again := b.post("/factor/new", "code", wrongCode(t, secret), "next", page); again.StatusCode != 422 || !strings.Contains(again.body, secret) || !strings.Contains(again.body, "This code is wrong") {
		t.Errorf("a wrong code: %d %s", again.StatusCode, again.body)
	}
	before, code := b.clone(), codeOf(t, secret, 0)
	b.post("/factor/new", "code", code[:3]+" "+code[3:], "next", page).leadsTo(page)
	b.get(page).shows(200, ">pwd</span>", ">otp</span>")
	if w := b.who(); !slices.Equal(w.Methods, []string{"pwd", "otp"}) || w.Tenant != "north" {
		t.Errorf("the session is %+v", w)
	}
	if copied := before.get(page); copied.StatusCode == 200 {
		t.Error("a copy of the cookies from before the code opens the vault")
	}

	// From now on no page shows a secret, and a login asks for a code.
	b = tour.ada()
	b.get(page).leadsTo("/login?method=otp&" + next + "&reauth=1")
	b.get("/factor/new?" + next).leadsTo("/factor?" + next)
	b.get("/factor/new.png").shows(404)
	b.get("/factor?"+next).shows(200, "Enter a code", `name="next" value="`+page+`"`).lacks("otpauth", secret)
	b.post("/factor", "code", code, "next", page).shows(422, "used before", `name="next" value="`+page+`"`).lacks("otpauth", secret)
	b.post("/factor/new", "code", codeOf(t, secret, 1), "next", page).leadsTo("/factor?" + next)
	b.get(page).leadsTo("/login?method=otp&" + next + "&reauth=1")
	b.post("/factor", "code", codeOf(t, secret, 1), "next", "https://evil.test/").leadsTo("/vault")
	b.get("/vault").shows(200, ">otp</span>")

	// Without a session, the login page is the usual one.
	tour.browser().get("/login?method=otp").shows(200, "Password")
}

func TestFactor_GuessesAreLimited(t *testing.T) {
	a, tour := inProcess(t)
	_, secret := tour.withFactor()
	wrong := wrongCode(t, secret)
	b := tour.ada()
	for range maxTries {
		b.post("/factor", "code", wrong).shows(422, "This code is wrong")
	}
	a.exec(t, `UPDATE factors SET last_try = last_try - ?`, wait/2) // half the minute is over
	for _, code := range []string{wrong, codeOf(t, secret, 1)} {
		locked := b.post("/factor", "code", code).shows(429, "too many wrong codes")
		if locked.Header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	b.get("/vault").asksForLogin()
	a.exec(t, `UPDATE factors SET last_try = last_try - ?`, wait/2)
	b.post("/factor", "code", wrong).shows(422)
	b.post("/factor", "code", codeOf(t, secret, 1)).leadsTo("/vault")
	b.get("/vault").shows(200)

	// A right code gives all tries back.
	a.exec(t, `UPDATE factors SET last_step = 0`)
	b = tour.ada()
	for range maxTries {
		b.post("/factor", "code", wrong).shows(422)
	}
	b.post("/factor", "code", wrong).shows(429)
}

// at sends a form of each browser at once, and counts the answers by their status.
func at(browsers []browser, path, code string) map[int]int {
	var mu sync.Mutex // guards counts
	counts := map[int]int{}
	var sent sync.WaitGroup
	for _, b := range browsers {
		sent.Go(func() {
			status := b.PostForm(path, form("code", code)).StatusCode
			mu.Lock()
			defer mu.Unlock()
			counts[status]++
		})
	}
	sent.Wait()
	return counts
}

func TestFactor_RequestsAtOnceHaveNoMoreTries(t *testing.T) {
	_, tour := inProcess(t)
	_, secret := tour.withFactor()
	b := tour.ada()
	var browsers []browser
	for range 3 * maxTries {
		browsers = append(browsers, b.clone())
	}
	if counts := at(browsers, "/factor", wrongCode(t, secret)); counts[http.StatusUnprocessableEntity] != maxTries || counts[http.StatusTooManyRequests] != 2*maxTries {
		t.Errorf("the answers are %v; want %d of 422, and 429", counts, maxTries)
	}
}

func TestFactor_ACodeCountsOnceAlsoAtOnce(t *testing.T) {
	_, tour := inProcess(t)
	_, secret := tour.withFactor()
	var browsers []browser
	for range maxTries {
		browsers = append(browsers, tour.ada())
	}
	if counts := at(browsers, "/factor", codeOf(t, secret, 1)); counts[http.StatusSeeOther] != 1 || counts[http.StatusUnprocessableEntity] != maxTries-1 {
		t.Errorf("the answers are %v; want one 303, and 422", counts)
	}
	open := 0
	for _, b := range browsers {
		if b.get("/vault").StatusCode == http.StatusOK {
			open++
		}
	}
	if open != 1 {
		t.Errorf("the vault is open in %d browsers; want one", open)
	}
}

func TestFactor_ASetupNeedsARecentLoginAndItsOwnSecret(t *testing.T) {
	a, tour := inProcess(t)
	b := tour.ada()
	b.post("/factor/new", "code", "000000").leadsTo("/factor?next=%2Fvault") // no secret yet
	seen := b.get("/factor/new").secret()
	secret := b.get("/factor/new").secret()
	if seen == secret {
		t.Error("a secret is shown again")
	}
	b.post("/factor/new", "code", codeOf(t, seen, 0)).shows(422)

	// A secret that is not confirmed proves nothing.
	b.post("/factor", "code", codeOf(t, secret, 0)).leadsTo("/factor?next=%2Fvault")
	b.get("/vault").asksForLogin()

	a.age(t)
	b.get("/factor").leadsTo("/factor/new?next=%2Fvault")
	b.get("/factor/new").asksForLogin()
	b.get("/factor/new.png").asksForLogin()
	b.post("/factor/new", "code", codeOf(t, secret, 0)).asksForLogin()
	if _, confirmed, err := a.factors.find(t.Context(), "1"); confirmed || err != nil {
		t.Errorf("the secret is confirmed: %v, %v", confirmed, err)
	}
}

// Two tabs may be open: what the second one makes replaces no secret that the first has confirmed.
func TestFactors_RenewKeepsWhatIsConfirmed(t *testing.T) {
	a, tour := inProcess(t)
	_, secret := tour.withFactor()
	if _, err := a.factors.renew(t.Context(), "1", "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	if key, confirmed, err := a.factors.find(t.Context(), "1"); err != nil || !confirmed || key.Secret() != secret {
		t.Errorf("the confirmed secret is gone: confirmed %v, %v", confirmed, err)
	}
}
