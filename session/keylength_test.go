package session_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session"
)

func TestParseKeys_NeedsThirtyTwoBytes(t *testing.T) {
	for n, good := range map[int]bool{16: false, 31: false, 32: true, 33: true, 64: true} {
		key := make([]byte, n)
		rand.Read(key)
		for _, text := range []string{base64.StdEncoding.EncodeToString(key), hex.EncodeToString(key)} {
			_, err := session.ParseKeys(text)
			if (err == nil) != good || !good && !strings.Contains(err.Error(), fmt.Sprintf("it holds %d bytes: 32 or more", n)) {
				t.Errorf("%d random bytes: %v; want a key: %v", n, err, good)
			}
		}
	}
}

func TestParseKeys_AcceptsAtMostThree(t *testing.T) {
	for n := range 6 {
		keys := make([]string, n)
		for i := range keys {
			keys[i] = session.GenerateKey()
		}
		_, err := session.ParseKeys(strings.Join(keys, ","))
		if good := n >= 1 && n <= 3; (err == nil) != good {
			t.Errorf("%d keys: %v", n, err)
		}
	}
}

func TestGenerateKey_ReturnsANewValidKeyEachTime(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		key := session.GenerateKey()
		if _, err := session.ParseKeys(key); err != nil || seen[key] {
			t.Fatalf("%v; seen before: %v", err, seen[key])
		}
		seen[key] = true
	}
}
