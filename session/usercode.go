package session

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"

	"github.com/sessionkit/sessionkit/session/store"
)

// userCodeLetters has no vowels, so that no code is a word, and no letters that look alike
// (RFC 8628, section 6.1). Eight of them have 34 bits.
const (
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength  = 8
)

func newUserCode() string {
	code := make([]byte, 0, userCodeLength)
	for len(code) < userCodeLength {
		var b [1]byte
		rand.Read(b[:]) // never fails: crypto/rand ends the process instead
		// A larger number would make the first letters more likely.
		if n := int(b[0]); n < 256/len(userCodeLetters)*len(userCodeLetters) {
			code = append(code, userCodeLetters[n%len(userCodeLetters)])
		}
	}
	return string(code)
}

func withHyphen(code string) string { return code[:4] + "-" + code[4:] }

// parseUserCode reads a code as a user enters it: in any case, with spaces and hyphens anywhere.
// ok is false if it is none.
func parseUserCode(text string) (code string, ok bool) {
	if len(text) > 4*userCodeLength {
		return "", false
	}
	code = strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToUpper(text))
	return code, len(code) == userCodeLength && strings.Trim(code, userCodeLetters) == ""
}

func digestOfUserCode(code string) store.Digest { return sha256.Sum256([]byte(code)) }
