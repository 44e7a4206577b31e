package session

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"testing"
)

const derivedFrom = "one master secret of 32 bytes..."

// derived holds keys that OpenSSL computed, independently of the code under test. If
// one of them changes, the cookies in all browsers become unreadable. The second key,
// for example, is the output of
//
//	openssl kdf -keylen 32 -kdfopt digest:SHA256 \
//	    -kdfopt "key:one master secret of 32 bytes..." \
//	    -kdfopt "info:sessionkit/v1|shop|refresh|mac" HKDF
var derived = []struct{ app, purpose, key string }{
	{"", "access|mac", "18265b763a22e9746c6dd17a42459c1027c6453fc5424543460453947d6174ce"},
	{"shop", "refresh|mac", "727df16f0a44ab2ef93b8bb72708a8c8a6f1d67fe5a5f4efec85473dd28f974a"},
	{"shop", "refresh|enc", "f162480abd9e5e1d0445de9e2cdbcaf9bc4df683203fbfe57bd9642fb9c719b0"},
}

// The derivation is HKDF of RFC 5869 with an empty salt.
func TestKeys_AreDerivedByHKDF(t *testing.T) {
	for _, d := range derived {
		key, err := derive([]byte(derivedFrom), d.app, d.purpose)
		if got := hex.EncodeToString(key); err != nil || got != d.key {
			t.Errorf("app %q, purpose %q: got %s, %v; want %s", d.app, d.purpose, got, err, d.key)
		}
	}
}

// The last part of a cookie is HMAC-SHA256 over the cookie's name, the time and
// the encrypted ticket, under the key that was derived for this cookie's MAC.
func TestSealer_MACIsHMACSHA256UnderTheDerivedKey(t *testing.T) {
	keys := Keys{masters: [][]byte{[]byte(derivedFrom)}}
	s, err := newSealer(keys, "shop", "refresh", 0, func() {})
	if err != nil {
		t.Fatal(err)
	}
	value, err := base64.URLEncoding.DecodeString(mustSeal(t, s, "name-of-the-cookie", &refreshTicket{root: random16()}))
	if err != nil {
		t.Fatal(err)
	}
	covered, got := value[:len(value)-sha256.Size-1], value[len(value)-sha256.Size:]
	key, err := hex.DecodeString(derived[1].key)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(append([]byte("name-of-the-cookie|"), covered...))
	if want := mac.Sum(nil); !bytes.Equal(got, want) {
		t.Errorf("the cookie ends with %x; want %x", got, want)
	}
}
