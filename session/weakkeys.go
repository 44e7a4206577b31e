package session

import (
	"crypto/sha256"
	"encoding/hex"
)

// weakness says why somebody else may know or guess a master secret, or returns "". It
// finds what people enter for a while and forget: pass phrases, patterns, examples. It
// cannot prove that a key is random.
func weakness(master []byte) string {
	// 32 random bytes have fewer than 20 different values in about one of 10^10
	// keys, and are all printable practically never.
	distinct := map[byte]bool{}
	printable, series := true, true
	for i, b := range master[:minKeyBytes] {
		distinct[b] = true
		printable = printable && b >= 0x20 && b < 0x7f
		series = series && (i == 0 || b-master[i-1] == master[1]-master[0])
	}
	switch {
	case len(distinct) < 20 || printable || series:
		return "not random"
	case wellKnown(master):
		return "known to everybody"
	}
	return ""
}

// wellKnown reports whether a key is an example of a specification, or the SHA-256 of a
// common word.
func wellKnown(master []byte) bool {
	text := hex.EncodeToString(master)
	for _, published := range []string{
		"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",                                                                 // NIST SP 800-38A, AES-256
		"0323354b2b0fa5bc837e0665777ba68f5ab328e6f054c928a90f84b2d2502ebfd3fb5a92d20647ef968ab4c377623d223d2e2172052e4f08c0cd9af567d080a3", // RFC 7515, appendix A.1
		"1e225cafb90339bba1b24076d4206c3e79c355805d851682bc818baa4f5a7779",                                                                 // Wycheproof, the first HMAC vector
	} {
		if text == published {
			return true
		}
	}
	for _, word := range []string{
		"", "0", "1", "123", "1234", "12345", "123456", "12345678", "123456789", "admin", "app", "changeit", "changeme", "change-me", "cookie", "demo",
		"dev", "development", "example", "foo", "foobar", "hello", "hello world", "key", "letmein", "master", "none", "null", "pass", "passw0rd",
		"password", "prod", "production", "qwerty", "root", "secret", "secret-key", "secretkey", "session", "session-key", "session-secret",
		"sessionkit", "supersecret", "super-secret", "test", "testing", "token", "user", "your-256-bit-secret", "your-secret-key",
	} {
		if sum := sha256.Sum256([]byte(word)); string(sum[:]) == string(master) {
			return true
		}
	}
	return false
}
