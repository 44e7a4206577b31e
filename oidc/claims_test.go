package oidc_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// Providers write claims in ways of their own. What is not understood gives no right, and shuts
// nobody out.
func TestLogin_UnderstandsOddClaims(t *testing.T) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of the clock of each world
	an := func(seconds float64) float64 { return float64(start.Unix()) + seconds }
	for name, c := range map[string]struct {
		claims   claims
		authTime time.Time // zero: UnknownAuthTime
		methods  []string  // beside "fed"
		sid      string
	}{
		"auth_time with a fraction":      {claims: claims{"auth_time": an(-0.5)}, authTime: start.Add(-time.Second)},
		"auth_time as text":              {claims: claims{"auth_time": "946684700"}, authTime: start.Add(-100 * time.Second)},
		"auth_time in words":             {claims: claims{"auth_time": "yesterday"}},
		"auth_time below zero":           {claims: claims{"auth_time": -5}},
		"auth_time within the tolerance": {claims: claims{"auth_time": an(10)}, authTime: start},
		"auth_time in the future":        {claims: claims{"auth_time": an(11)}},
		"auth_time of 2100":              {claims: claims{"auth_time": 4102444800}},
		"the largest auth_time":          {claims: claims{"auth_time": int64(math.MaxInt64)}},
		"auth_time beyond numbers":       {claims: claims{"auth_time": 1e300}},
		"auth_time that is null":         {claims: claims{"auth_time": json.RawMessage("null")}},
		"amr that is text":               {claims: claims{"amr": "otp"}},
		"amr with others":                {claims: claims{"amr": []any{"pwd", 7, nil, "otp"}}, methods: []string{"pwd", "otp"}},
		"acr that is a number":           {claims: claims{"acr": 1}},
		"an empty acr":                   {claims: claims{"acr": ""}},
		"ACR in capitals":                {claims: claims{"ACR": "urn:mfa", "AMR": []string{"otp"}}},
		"sid that is a number":           {claims: claims{"sid": 17}},
		"azp that is null":               {claims: claims{"azp": json.RawMessage("null")}},
		"a list of one audience":         {claims: claims{"aud": []string{clientID}}},
		"times with fractions":           {claims: claims{"iat": an(0.5), "exp": an(60.5)}},
	} {
		inWorld(t, nil, func(w *world) {
			w.provider.claims = c.claims
			s := w.session(w.browser())
			want := c.authTime
			if want.IsZero() {
				want = oidc.UnknownAuthTime
			}
			if !s.AuthTime.Equal(want) || !slices.Equal(s.Methods, append([]string{"fed"}, c.methods...)) || !strings.HasSuffix(s.ExternalID, ":"+c.sid) {
				w.Errorf("%s: the session is %+v; want AuthTime %v", name, s, want)
			}
		})
	}
}

// A login of the future would be recent without end.
func TestStepUp_RefusesALoginOfTheFuture(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.provider.claims = claims{"auth_time": time.Now().Add(time.Hour).Unix()}
		b := w.browser()
		if answer := w.login(b, "/login/acme?reauth=1"); answer.StatusCode != http.StatusForbidden || !errors.Is(w.errs[0], oidc.ErrNotConfirmed) {
			w.Errorf("%d; %v", answer.StatusCode, w.errs)
		}
		w.out("the browser", b)
	})
}

// A claim Sub may be one that the users of a provider choose.
func TestLogin_TakesNoClaimOfASimilarName(t *testing.T) {
	for _, more := range []string{`"Sub":"b2"`, `"\u017fub":"b2"`, `"EXP":4102444800`} {
		inWorld(t, nil, func(w *world) {
			w.provider.signIDAs = func(c claims) string {
				if strings.HasPrefix(more, `"EXP"`) {
					c["exp"] = time.Now().Add(-time.Hour).Unix()
				}
				text := must(json.Marshal(c))
				text = append(text[:len(text)-1], ","+more+"}"...) // json.Marshal would put it first
				signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: w.provider.key, KeyID: w.provider.keyID}}, nil))
				return must(must(signer.Sign(text)).CompactSerialize())
			}
			b := w.browser()
			if answer := w.login(b, "/login/acme"); answer.StatusCode != http.StatusBadGateway || !errors.Is(w.errs[0], oidc.ErrInvalid) {
				w.Errorf("%s: %d; %v", more, answer.StatusCode, w.errs)
			}
			w.out(more, b)
		})
	}
}

// Google may write its name without https://. The user is the same one.
func TestLogin_ItsIssuerHasOneSpelling(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.provider = newFakeProvider(w.T, "https://accounts.google.com")
		w.build(nil)
		for _, spelling := range []string{"https://accounts.google.com", "accounts.google.com"} {
			w.provider.claims = claims{"iss": spelling}
			w.session(w.browser())
			if w.who.Issuer != "https://accounts.google.com" {
				w.Errorf("with %q the identity is %v", spelling, w.who)
			}
		}
	})
}

// Databases refuse some characters, and headers others.
func TestLogin_TakesASidOfAnyCharacters(t *testing.T) {
	for _, sid := range []string{"a\x00b", "a\nb", "häß"} {
		inWorld(t, nil, func(w *world) {
			w.provider.claims = claims{"sid": sid}
			b := w.browser()
			if s := w.session(b); strings.ContainsFunc(s.ExternalID, func(r rune) bool { return r < ' ' || r > '~' }) {
				w.Errorf("ExternalID is %q", s.ExternalID)
			}
			if answer := w.logoutToken(w.provider.sign(w.provider.logoutClaims(claims{"sub": nil, "sid": sid}))); answer.StatusCode != http.StatusOK {
				w.Errorf("%q: %d; %v", sid, answer.StatusCode, w.errs)
			}
			w.out("the user", b)
		})
	}
}

// A program that looks at a link before the browser opens it does not use up the login.
func TestCallback_AHeadUsesNothingUp(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		b := w.browser()
		to := w.provider.visit(w.begin(b, "/login/acme"))
		answer := b.Do(b.NewRequest("HEAD", strings.TrimPrefix(to, sessiontest.Origin), nil))
		if answer.StatusCode != http.StatusServiceUnavailable || len(answer.Cookies()) != 0 || w.provider.called("/token") != 0 {
			w.Errorf("%d, %v", answer.StatusCode, answer.Header)
		}
		if answer := comeBack(b, to); answer.StatusCode != http.StatusSeeOther {
			w.Errorf("the page load: %d; %v", answer.StatusCode, w.errs)
		}
	})
}
