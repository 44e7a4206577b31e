package session

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/securecookie"
	"github.com/sessionkit/sessionkit/session/store"
)

func FuzzTicket_IsReadToTheLastByteOrNotAtAll(f *testing.F) {
	f.Add(anAccessTicket("").appendTo(nil))
	f.Add((&refreshTicket{generation: 7}).appendTo(nil))
	f.Add((&refreshTicket{origin: &refreshTicket{generation: 7}}).appendTo(nil))
	f.Add((&refreshTicket{client: "cli"}).appendTo(nil))
	f.Add((&deviceTicket{client: "cli"}).appendTo(nil))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var d deviceTicket
		if d.parse(payload) == nil {
			var again deviceTicket
			if err := again.parse(d.appendTo(nil)); err != nil || again != d {
				t.Errorf("%+v was written as %+v, %v", d, again, err)
			}
		}
		var a accessTicket
		if a.parse(payload) == nil {
			var again accessTicket
			if err := again.parse(a.appendTo(nil)); err != nil || !sameTicket(&again, &a) {
				t.Errorf("%+v was written as %+v, %v", a, again, err)
			}
		}
		var r refreshTicket
		if r.parse(payload) == nil {
			var again refreshTicket
			if err := again.parse(r.appendTo(nil)); err != nil || !reflect.DeepEqual(again, r) {
				t.Errorf("%+v was written as %+v, %v", r, again, err)
			}
		}
	})
}

func FuzzSealer_OpensNoForeignString(f *testing.F) {
	access, refresh := makeSealers(f, "", testKey)
	for _, name := range []string{"session", "refresh"} {
		forged, err := securecookie.New([]byte("not our key, but as long"), nil).Encode(name, "x")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(forged)
	}
	f.Add("MTIzfHh8eA==")
	f.Add(base64.URLEncoding.EncodeToString([]byte("1893456000|AAAA|" + strings.Repeat("x", 32))))
	f.Fuzz(func(t *testing.T, value string) {
		if access.open("session", value, new(accessTicket)) || refresh.open("refresh", value, new(refreshTicket)) {
			t.Errorf("%q opened", value)
		}
	})
}

// A Cookie header is parsed as net/http parses it, and a request is authenticated only
// by a valid cookie in it.
func FuzzManager_CookieHeaderAuthenticatesOnlyByAValidCookie(f *testing.F) {
	users := store.NewMemory()
	users.SetUser("1", store.User{})
	m, err := New(parseKeys(f, testKey), users, Config{DangerouslyAllowHTTP: true}) // the fuzzer finds short names sooner
	if err != nil {
		f.Fatal(err)
	}
	v, err := m.Issue(httptest.NewRequest("POST", "/login", nil), Login{UserID: "1"})
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range v.Cookies {
		f.Add(c.Name+"="+c.Value, "")
		f.Add("a=b; "+c.Name+`="`+c.Value+`"`, "c=d")
	}
	f.Add("session =x;\trefresh-0\t=y", "")
	f.Add("session=x; session=x;;refresh-1", `$Version=1; refresh-0="x`)
	text := regexp.MustCompile(`[\w-]{40,}={0,2}`) // can be the value of a cookie
	f.Fuzz(func(t *testing.T, one, two string) {
		if strings.ContainsAny(one+two, "\r\n") {
			return // no server reads such a header
		}
		r := &http.Request{Header: http.Header{"Cookie": {one, two}}}
		for _, name := range []string{m.tickets.names.access, m.tickets.names.refresh[0], m.tickets.names.refresh[1]} {
			ours := slices.Collect(cookieValues(r.Header, name))
			for _, c := range r.CookiesNamed(name) {
				at := slices.Index(ours, c.Value)
				if at < 0 && c.Value != "" {
					t.Errorf("net/http finds %s=%q in %q, %q; cookieValues does not: %q", name, c.Value, one, two, ours)
				}
				ours = ours[at+1:]
			}
		}
		r = httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = []string{one, two}
		v, err := m.Authenticate(r)
		if err != nil {
			return
		}
		for _, value := range text.FindAllString(one+"\n"+two, -1) {
			if t, ok := m.tickets.sealers.Load().cookies.openAccess(m.tickets.names.access, value); ok && t.id.String() == v.Session().ID {
				return
			}
			if t, ok := m.OpenRefresh(value); ok && (refreshTicket{root: t.Root}).sessionID().String() == v.Session().ID {
				return
			}
		}
		t.Errorf("%q, %q was authenticated as %+v", one, two, v.Session())
	})
}

// keyFault matches all errors of ParseKeys. None has room for a part of a key.
var keyFault = regexp.MustCompile(`^(session: (there is no key: is the environment variable set\? ` + "`openssl rand -base64 32`" + ` makes a key, as session\.GenerateKey does|` +
	`there are \d+ keys, and at most 3 are allowed: a change of the key needs the old and the new one|` +
	`key \d+ of \d+: (it is (neither base64 nor hexadecimal|not random|known to everybody): make one with session\.GenerateKey|` +
	`it holds \d+ bytes: 32 or more are needed, make one with session\.GenerateKey|it is the same as an earlier key: remove one of the two))\n)+$`)

// ParseKeys accepts strong keys only, and its errors contain no part of the text.
func FuzzParseKeys_AcceptsOnlyStrongKeys(f *testing.F) {
	f.Add("")
	f.Add(testKey + " " + testKey)
	f.Add(testKey + " c2hvcnQ= " + GenerateKey() + " " + GenerateKey())
	f.Add(testKey)
	f.Add(GenerateKey() + " " + GenerateKey())
	f.Add("hunter2, " + strings.Repeat("ab", 32))
	f.Add(strings.Repeat("0123456789abcdef", 8))
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseKeys(text)
		if err != nil {
			if !keyFault.MatchString(err.Error() + "\n") {
				t.Errorf("%q was refused with %q", text, err)
			}
			return
		}
		if n := len(keys.masters); n == 0 || n > maxKeys {
			t.Errorf("%q holds %d keys", text, n)
		}
		for _, master := range keys.masters {
			again, err := ParseKeys(base64.StdEncoding.EncodeToString(master))
			if err != nil || len(master) < minKeyBytes || weakness(master) != "" || string(again.masters[0]) != string(master) {
				t.Errorf("%q was accepted as a key of %d bytes, which is %q: %v", text, len(master), weakness(master), err)
			}
		}
	})
}
