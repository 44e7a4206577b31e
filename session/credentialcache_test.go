package session

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A Login with another field set is another login. A new field must be added to the key.
func TestCredentialCache_KeyCoversEveryFieldOfLogin(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Basic x")
	c := newCredentialCache()
	base := c.key(r, Login{})
	fields := reflect.TypeFor[Login]()
	for i := range fields.NumField() {
		var login Login
		switch f := reflect.ValueOf(&login).Elem().Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Uint64:
			f.SetUint(1)
		case reflect.Int64:
			f.SetInt(1)
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"x"}))
		case reflect.Map:
			f.Set(reflect.ValueOf(map[string]string{"x": ""}))
		case reflect.Struct:
			f.Set(reflect.ValueOf(time.Unix(1, 0)))
		default:
			t.Fatalf("Login.%s has a kind that this test does not know", fields.Field(i).Name)
		}
		name := fields.Field(i).Name
		if same := c.key(r, login) == base; same != (name == "NonInteractive") {
			t.Errorf("Login.%s: the same key: %t", name, same)
		}
	}
}

// Two lists of parts never give the same key.
func TestCredentialCache_KeySeparatesItsParts(t *testing.T) {
	c := newCredentialCache()
	keys := map[credentialKey]string{}
	for name, login := range map[string]struct {
		Login
		authorization []string
	}{
		"in the user's id":       {Login{UserID: "12"}, []string{"a"}},
		"in the address":         {Login{UserID: "1", IP: "2"}, []string{"a"}},
		"in the address alone":   {Login{IP: "12"}, []string{"a"}},
		"one header":             {Login{UserID: "12"}, []string{"ab"}},
		"with an empty header":   {Login{UserID: "12"}, []string{"", "a"}},
		"a header that is Basic": {Login{UserID: "12"}, []string{"Basic a"}},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = login.authorization
		key := c.key(r, login.Login)
		if other, ok := keys[key]; ok {
			t.Errorf("%s: the same key as %s", name, other)
		}
		keys[key] = name
		if c.key(r, login.Login) != key {
			t.Errorf("%s: two keys for one login", name)
		}
		if newCredentialCache().key(r, login.Login) == key {
			t.Errorf("%s: the same key in two processes", name)
		}
	}
}

func TestCredentialCache_KeepsNothingOfTheCredential(t *testing.T) {
	const password = "correct-horse"
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth("ada", password)
	c := newCredentialCache()
	accepts := func(*accessTicket) bool { return true }
	if _, err := c.once(c.key(r, Login{UserID: "1"}), accepts, func() (Verdict, error) {
		return Verdict{ticket: &accessTicket{Session: Session{ExpiresAt: time.Now().Add(time.Hour)}}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(c.begun) != 1 || len(c.order) != 1 {
		t.Fatalf("%d sessions, %d in order; want 1", len(c.begun), len(c.order))
	}
	var kept strings.Builder
	for key, v := range c.begun {
		fmt.Fprintf(&kept, "%s %#v %#v", key[:], v, *v.ticket)
	}
	fmt.Fprintf(&kept, "%#v", c.order)
	for _, part := range []string{password, r.Header.Get("Authorization"), base64.StdEncoding.EncodeToString([]byte("ada:" + password))} {
		if strings.Contains(kept.String(), part) {
			t.Errorf("the cache holds %q", part)
		}
	}
}

func TestCredentialCache_HoldsABoundedNumberAndDropsTheOldest(t *testing.T) {
	c := newCredentialCache()
	key := func(n int) (k credentialKey) {
		binary.BigEndian.PutUint64(k[:], uint64(n))
		return k
	}
	put := func(n int, life time.Duration) {
		c.put(key(n), Verdict{ticket: &accessTicket{Session: Session{ExpiresAt: time.Now().Add(life)}}})
	}
	for n := range maxCredentials + 10 {
		put(n, time.Hour)
	}
	if len(c.begun) != maxCredentials || len(c.order) != maxCredentials {
		t.Errorf("%d sessions, %d in order; want %d", len(c.begun), len(c.order), maxCredentials)
	}
	for n, want := range map[int]bool{0: false, 9: false, 10: true, maxCredentials + 9: true} {
		if _, ok := c.get(key(n)); ok != want {
			t.Errorf("credential %d is held: %t; want %t", n, ok, want)
		}
	}

	// One credential that begins sessions again and again takes one place at the end,
	// and the removal of its older sessions leaves the newest.
	c = newCredentialCache()
	for range maxCredentials {
		put(1, time.Hour)
	}
	put(2, time.Hour)
	if _, ok := c.get(key(1)); !ok || len(c.order) > maxCredentials {
		t.Errorf("the newest session of a credential is held: %t, %d in order", ok, len(c.order))
	}

	// Expired sessions go as soon as another comes.
	c = newCredentialCache()
	put(1, -time.Second)
	put(2, time.Hour)
	if _, ok := c.get(key(1)); ok || len(c.begun) != 1 || len(c.order) != 1 {
		t.Errorf("%d sessions, %d in order; want the one that has not expired", len(c.begun), len(c.order))
	}
}
