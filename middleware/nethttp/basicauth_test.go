package nethttp_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

func TestBasicAuth_PassesUserNameAndPasswordToVerify(t *testing.T) {
	basic := func(userinfo string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo)) }
	for _, c := range []struct {
		header         string
		user, password string
		verified       bool
	}{
		{basic("ada:right"), "ada", "right", true},
		{basic("ada:with:colons: "), "ada", "with:colons: ", true}, // the first colon separates them (RFC 7617, section 2)
		{basic("ada:" + "a long password of more than sixteen bytes"), "ada", "a long password of more than sixteen bytes", true},
		{basic("ädä:pässwörd"), "ädä", "pässwörd", true},
		{basic("ada:"), "ada", "", true},
		{basic(":right"), "", "right", true},
		{basic(":"), "", "", true},
		{"bAsIc" + basic("ada:right")[5:], "ada", "right", true}, // schemes are case-insensitive (RFC 9110, section 11.1)
		// Without Basic credentials verify is not called.
		{"", "", "", false},
		{basic("ada"), "", "", false},
		{"Basic", "", "", false},
		{"Basic ", "", "", false},
		{"Basic !", "", "", false},
		{"Bearer " + basic("ada:right")[6:], "", "", false},
		{"Basic" + basic("ada:right")[6:], "", "", false},
	} {
		type key struct{}
		verified := 0
		login := session.Login{UserID: "7", Remember: true, Epoch: 3, IP: "198.51.100.7"}
		credentials := nethttp.BasicAuth(func(ctx context.Context, user, password string) (session.Login, error) {
			verified++
			if user != c.user || password != c.password || ctx.Value(key{}) != "request" {
				t.Errorf("%q: verify got %q, %q, in the request's context: %v", c.header, user, password, ctx.Value(key{}) == "request")
			}
			return login, nil
		})
		r := httptest.NewRequest("GET", "/", nil)
		r = r.WithContext(context.WithValue(r.Context(), key{}, "request"))
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		got, err := credentials(r)
		switch {
		case c.verified && (verified != 1 || err != nil || !reflect.DeepEqual(got, login)):
			t.Errorf("%q: verified %d times, %+v, %v; want once, and the Login of verify", c.header, verified, got, err)
		case !c.verified && (verified != 0 || !errors.Is(err, session.ErrUnauthenticated) || got.UserID != ""):
			t.Errorf("%q: verified %d times, %+v, %v; want ErrUnauthenticated", c.header, verified, got, err)
		}
	}
}

func TestBasicAuth_ReturnsTheErrorsOfVerify(t *testing.T) {
	for _, want := range []error{errNoDirectory, session.ErrUnauthenticated} {
		credentials := nethttp.BasicAuth(func(context.Context, string, string) (session.Login, error) { return session.Login{}, want })
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth("ada", "x")
		if _, err := credentials(r); !errors.Is(err, want) {
			t.Errorf("%v; want %v", err, want)
		}
	}
}

// A browser sends the credentials of a link to http://mallory:pw@app.test/ with page loads,
// and with the XMLHttpRequests of the page that the link has opened: nothing in such a
// request tells that another site has chosen them. Programs do not send Sec-Fetch-Site;
// some send Sec-Fetch-Mode.
func TestBasicAuth_IgnoresTheCredentialsOfBrowsers(t *testing.T) {
	for _, c := range []struct {
		name, value string
		verified    bool
	}{
		{"Sec-Fetch-Site", "same-origin", false},
		{"Sec-Fetch-Site", "cross-site", false},
		{"Sec-Fetch-Site", "none", false},
		{"Sec-Fetch-Site", "", false},
		{"Sec-Fetch-Mode", "cors", true}, // fetch of Node.js
		{"User-Agent", "curl/8.5.0", true},
	} {
		verified := false
		credentials := nethttp.BasicAuth(func(context.Context, string, string) (session.Login, error) {
			verified = true
			return session.Login{UserID: "mallory"}, nil
		})
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth("mallory", "pw")
		r.Header.Set(c.name, c.value)
		if _, err := credentials(r); verified != c.verified || errors.Is(err, session.ErrUnauthenticated) == c.verified {
			t.Errorf("%s %q: verified: %v, error %v; want %v", c.name, c.value, verified, err, c.verified)
		}
	}
}
