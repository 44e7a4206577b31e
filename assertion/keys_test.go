package assertion

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// inPEM writes a private key as ParseKeys reads it.
func inPEM(t *testing.T, key any, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func edKey(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	return inPEM(t, key, err)
}

func mustParse(t *testing.T, texts ...string) Keys {
	t.Helper()
	keys, err := ParseKeys(strings.Join(texts, ""))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// publishedSet returns the JWKS of Keys.
func publishedSet(t *testing.T, keys Keys) jose.JSONWebKeySet {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(keys.set.jwks, &set); err != nil {
		t.Fatal(err)
	}
	return set
}

func TestParseKeys_ReadsKeysInTheirOrder(t *testing.T) {
	p256, ed := GenerateKey(), edKey(t)
	for name, c := range map[string]struct {
		text string
		want []jose.SignatureAlgorithm
	}{
		"P-256":            {p256, []jose.SignatureAlgorithm{jose.ES256}},
		"Ed25519":          {ed, []jose.SignatureAlgorithm{jose.EdDSA}},
		"two":              {ed + p256, []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256}},
		"three":            {p256 + ed + GenerateKey(), []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.ES256}},
		"on one line":      {strings.ReplaceAll(p256+ed, "\n", `\n`), []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA}},
		"of Windows":       {strings.ReplaceAll(p256+ed, "\n", "\r\n"), []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA}},
		"with blank lines": {"\n \n" + p256 + "\n\n" + ed + "\n\n", []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA}},
	} {
		keys, err := ParseKeys(c.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []jose.SignatureAlgorithm
		for _, key := range publishedSet(t, keys).Keys {
			got = append(got, jose.SignatureAlgorithm(key.Algorithm))
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: published are %v; want %v", name, got, c.want)
		}
		s, err := New(keys, Config{Issuer: "https://app.test"})
		if err != nil {
			t.Fatal(err)
		}
		token, err := s.Sign(sessionNow(), audience)
		if err != nil {
			t.Fatal(err)
		}
		if header, _ := opened(t, s, token); header.Algorithm != string(c.want[0]) {
			t.Errorf("%s: a key of %s signs; want the first, %s", name, header.Algorithm, c.want[0])
		}
	}
}

// A service finds the key by kid, and computes the same one from the public key alone.
func TestKeys_AreNamedByTheirThumbprint(t *testing.T) {
	for _, key := range publishedSet(t, mustParse(t, GenerateKey(), edKey(t))).Keys {
		thumbprint, err := key.Thumbprint(crypto.SHA256)
		if want := base64.RawURLEncoding.EncodeToString(thumbprint); err != nil || key.KeyID != want || key.Use != "sig" {
			t.Errorf("kid %q, use %q, %v; want kid %q and use sig", key.KeyID, key.Use, err, want)
		}
	}
}

// Where only what FIPS 140 approves is allowed, there is no such key to refuse.
func TestParseKeys_RefusesX25519(t *testing.T) {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if _, err := ParseKeys(inPEM(t, key, err)); err == nil || !strings.Contains(err.Error(), "neither for P-256 nor for Ed25519") {
		t.Errorf("error %v; want one that names the kinds of keys", err)
	}
}

func TestParseKeys_RefusesOtherKeysAndQuotesNone(t *testing.T) {
	good := GenerateKey()
	p256 := func(scalar string) string {
		raw, err := base64.RawURLEncoding.DecodeString(scalar)
		if err != nil {
			t.Fatal(err)
		}
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
		return inPEM(t, key, err)
	}
	seed := func(encoded string) string {
		raw, err := base64.RawURLEncoding.DecodeString(encoded)
		return inPEM(t, ed25519.NewKeyFromSeed(raw), err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	rsaPEM := inPEM(t, rsaKey, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p384PEM := inPEM(t, p384, err)
	one := make([]byte, 32)
	one[31] = 1
	retitled := func(title string) string { return strings.ReplaceAll(good, "PRIVATE KEY", title) }
	lines := strings.SplitAfter(good, "\n")

	for name, c := range map[string]struct{ text, want string }{
		"nothing":             {" \n", "there is no key"},
		"a password":          {"hunter2 is my password!", "there is no key"},
		"text before":         {"hunter2\n" + good, "text before the first key"},
		"text after":          {good + "hunter2", "key 1 of 1: there is text after it"},
		"one letter after":    {good + "x", "key 1 of 1: there is text after it"},
		"text between":        {good + "hunter2\n" + GenerateKey(), "key 1 of 2: there is text after it"},
		"cut off":             {lines[0] + lines[1] + good, "key 1 of 2: it cannot be read as PEM"},
		"cut off at the end":  {good + lines[0] + lines[1], "key 2 of 2: it cannot be read as PEM"},
		"cut off within":      {lines[0] + lines[1] + lines[len(lines)-2], "cannot be read as PKCS#8"},
		"encrypted":           {retitled("ENCRYPTED PRIVATE KEY"), "it is encrypted"},
		"of SEC 1":            {retitled("EC PRIVATE KEY"), "not in PKCS#8"},
		"a public key":        {retitled("PUBLIC KEY"), "not a private key"},
		"RSA":                 {rsaPEM, "neither for P-256 nor for Ed25519"},
		"P-384":               {p384PEM, "another curve than P-256"},
		"a scalar of 1":       {p256(base64.RawURLEncoding.EncodeToString(one)), "not random"},
		"a seed of zeros":     {seed(base64.RawURLEncoding.EncodeToString(make([]byte, 32))), "not random"},
		"19 different bytes":  {differing(t, 19), "not random"},
		"RFC 7515's example":  {p256("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"), "known to everybody"},
		"RFC 7517's example":  {p256("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"), "known to everybody"},
		"RFC 6979's example":  {p256("ya-p2EW6dRZrXCFXZ7HWk05Qw9s26JsSe4piKxIPZyE"), "known to everybody"},
		"jwt.io's example":    {p256("evZzL1gdAFr88hb2OF_2NxApJCzGCEDdfSp6VQO30hw"), "known to everybody"},
		"RFC 8037's example":  {seed("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"), "known to everybody"},
		"too many":            {good + GenerateKey() + GenerateKey() + edKey(t), "there are 4 keys"},
		"twice":               {good + edKey(t) + good, "key 3 of 3: it is the same"},
		"two faults, the 1st": {rsaPEM + good + p384PEM, "key 1 of 3: it is neither"},
		"two faults, the 2nd": {rsaPEM + good + p384PEM, "key 3 of 3: it is for another curve"},
	} {
		keys, err := ParseKeys(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) || keys.set != nil {
			t.Errorf("%s: got %v; want %q", name, err, c.want)
			continue
		}
		for field := range strings.FieldsSeq(c.text) {
			if len(field) > 6 && !strings.HasPrefix(field, "-----") && field != "PRIVATE" && strings.Contains(err.Error(), field) {
				t.Errorf("%s: the error quotes %q: %v", name, field, err)
			}
		}
	}
}

// differing returns a key of 32 bytes, of which so many differ.
func differing(t *testing.T, n int) string {
	t.Helper()
	seed := make([]byte, 32)
	for i := range seed {
		seed[i] = byte(min(i, n-1))
	}
	return inPEM(t, ed25519.NewKeyFromSeed(seed), nil)
}

// One of some billions of random keys has so few different bytes, and is good.
func TestParseKeys_TakesKeysThatAreRandomEnough(t *testing.T) {
	mustParse(t, differing(t, 20))
}

func TestGenerateKey_MakesADifferentOneEachTime(t *testing.T) {
	one, two := GenerateKey(), GenerateKey()
	if set := publishedSet(t, mustParse(t, one, two)); one == two || set.Keys[0].KeyID == set.Keys[1].KeyID {
		t.Error("two keys are the same")
	}
}

func TestKeys_PrintAsRedacted(t *testing.T) {
	text := GenerateKey()
	keys := mustParse(t, text, edKey(t))
	signer, err := New(keys, Config{Issuer: "https://app.test"})
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "keys", keys, "in", struct{ K Keys }{keys})
	printed := []string{
		fmt.Sprint(keys), keys.String(), keys.GoString(), string(asJSON), log.String(),
		fmt.Sprintf("%v %+v %#v %s %q %x %d", keys, keys, keys, keys, keys, keys, keys),
		fmt.Sprintf("%v %+v", struct{ K Keys }{keys}, &keys),
	}
	for _, text := range printed {
		if !strings.Contains(text, redacted) {
			t.Errorf("printed as %q", text)
		}
	}
	// fmt asks no method of an unexported field, and prints what it holds.
	printed = append(printed, fmt.Sprintf("%v %+v %#v", struct{ k Keys }{keys}, struct{ k Keys }{keys}, struct{ k Keys }{keys}),
		fmt.Sprintf("%v %+v %#v", signer, signer, signer))

	block, _ := pem.Decode([]byte(text))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	private := parsed.(*ecdsa.PrivateKey)
	secret, err := private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range printed {
		for _, form := range []string{hex.EncodeToString(secret[:8]), strings.Trim(fmt.Sprint(secret[:8]), "[]"), new(big.Int).SetBytes(secret).String(), base64.StdEncoding.EncodeToString(secret)[:10]} {
			if strings.Contains(text, form) {
				t.Errorf("the secret shows in %q", text)
			}
		}
	}
}
