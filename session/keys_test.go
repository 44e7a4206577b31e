package session

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParseKeys_ReadsBase64AndHexadecimal(t *testing.T) {
	raw := []byte("\x00\xff\xfe" + strings.Repeat("\x9a", 2) + "abcdefghijklmnopqrstuvwxyz\x01\x02\x03")
	for name, text := range map[string]string{
		"base64":                base64.StdEncoding.EncodeToString(raw),
		"base64 without pad":    base64.RawStdEncoding.EncodeToString(raw),
		"base64 for URLs":       base64.URLEncoding.EncodeToString(raw),
		"hexadecimal":           hex.EncodeToString(raw),
		"HEXADECIMAL":           strings.ToUpper(hex.EncodeToString(raw)),
		"with space around":     "\n " + hex.EncodeToString(raw) + "\r\n",
		"with a comma after it": hex.EncodeToString(raw) + ",",
	} {
		keys, err := ParseKeys(text)
		if err != nil || len(keys.masters) != 1 || string(keys.masters[0]) != string(raw) {
			t.Errorf("%s: %v", name, err)
		}
	}
	one, two := GenerateKey(), GenerateKey()
	keys, err := ParseKeys(one + ", " + two)
	if err != nil || len(keys.masters) != 2 || one == two {
		t.Errorf("two keys: %v", err)
	}
}

func TestParseKeys_RefusesWeakKeysAndQuotesNone(t *testing.T) {
	good := GenerateKey()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":             {" \n,", "there is no key"},
		"no encoding":         {"hunter2 is my password!", "neither base64 nor hexadecimal"},
		"too short":           {base64.StdEncoding.EncodeToString([]byte("\x01\x92twenty-nine bytes is short")), "28 bytes"},
		"all one byte":        {strings.Repeat("ab", 32), "not random"},
		"a pattern":           {hex.EncodeToString([]byte(strings.Repeat("\x01\x23\x45\x67\x89\xab\xcd\xef", 8))), "not random"},
		"a sentence":          {base64.StdEncoding.EncodeToString([]byte("The quick brown fox jumps over the lazy dog")), "not random"},
		"a series":            {hex.EncodeToString(series(0, 1)), "not random"},
		"down by sevens":      {hex.EncodeToString(series(250, 249)), "not random"},
		"the hash of a word":  {"5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8", "known to everybody"}, // of password
		"the hash of nothing": {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "known to everybody"},
		"RFC 7515's example":  {"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", "known to everybody"},
		"NIST's example":      {"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "known to everybody"},
		"too many":            {strings.Join([]string{GenerateKey(), GenerateKey(), GenerateKey(), GenerateKey()}, ","), "there are 4 keys"},
		"twice":               {good + " " + good, "key 2 of 2: it is the same"},
	} {
		_, err := ParseKeys(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v; want %q", name, err, c.want)
			continue
		}
		for field := range strings.FieldsFuncSeq(c.text, func(r rune) bool { return r == ',' || r == ' ' }) {
			if len(field) > 6 && strings.Contains(err.Error(), field) {
				t.Errorf("%s: the error quotes the secret: %v", name, err)
			}
		}
	}
	if _, err := ParseKeys("x " + good + " y"); err == nil || !strings.Contains(err.Error(), "key 1 of 3") || !strings.Contains(err.Error(), "key 3 of 3") {
		t.Errorf("got %v; want both faults at once", err)
	}
}

func series(first, step byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = first + byte(i)*step
	}
	return b
}

func TestKeys_PrintAsRedacted(t *testing.T) {
	keys, err := ParseKeys(testKey)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "keys", keys, "in", struct{ K Keys }{keys})
	for _, printed := range []string{
		fmt.Sprint(keys), fmt.Sprintf("%v %+v %#v %s %q %x %d", keys, keys, keys, keys, keys, keys, keys),
		fmt.Sprintf("%v %+v", struct{ K Keys }{keys}, &keys), string(asJSON), log.String(),
	} {
		if !strings.Contains(printed, redacted) {
			t.Errorf("printed as %q", printed)
		}
		for _, form := range []string{"%v", "%x", "%s", "%d"} {
			if secret := fmt.Sprintf(form, keys.masters[0][:8]); strings.Contains(printed, strings.Trim(secret, "[]")) {
				t.Errorf("the secret shows in %q", printed)
			}
		}
	}
}

func TestKeys_DifferForEveryPurposeAndApp(t *testing.T) {
	seen := map[string]string{}
	for _, master := range []string{"one master secret of 32 bytes...", "another master secret, 32 bytes."} {
		for _, app := range []string{"", "shop", "admin"} {
			for _, purpose := range []string{"access|mac", "access|enc", "refresh|mac", "refresh|enc"} {
				key, err := derive([]byte(master), app, purpose)
				if err != nil || len(key) != 32 {
					t.Fatal(err, len(key))
				}
				name := master + app + purpose
				if other, ok := seen[string(key)]; ok {
					t.Errorf("%s and %s have one key", name, other)
				}
				seen[string(key)] = name
			}
		}
	}
}
