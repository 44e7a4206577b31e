package assertion

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const maxKeys = 3 // a change of the key needs two

// Keys are private signing keys. The first one signs, and the public halves of all of them
// are published by Signer.JWKS. Keys are immutable and print as [redacted]. The zero Keys
// are empty, and New refuses them. Make them with ParseKeys.
type Keys struct {
	set *keySet // a pointer: fmt follows none in an unexported field of a caller's struct
}

// keySet is what a Signer needs of its keys.
type keySet struct {
	signer jose.Signer // of the first key
	jwks   []byte      // the public halves, as JSON
}

// GenerateKey returns a new key for ES256 in PEM (PKCS#8), as does
// `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`.
func GenerateKey() string {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // neither fails with this curve
	der, _ := x509.MarshalPKCS8PrivateKey(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// ParseKeys reads one to three private keys in PEM (PKCS#8), one after the other: first
// the one that signs, then those that are only published. See Signer.SetKeys for how to
// change the key. Each is for P-256, and signs with ES256, or for Ed25519, and signs with
// EdDSA. In an environment variable that holds one line, \n may take the place of the
// line breaks.
//
// ParseKeys refuses all other keys, and those that are not random or are published, such
// as the examples of specifications. The error names every fault at once and quotes no
// secret.
func ParseKeys(text string) (Keys, error) {
	const begin = "-----BEGIN "
	before, rest, found := strings.Cut(strings.ReplaceAll(text, `\n`, "\n"), begin)
	if !found {
		return Keys{}, errors.New("assertion: there is no key in PEM: is the environment variable set? " + makeOne)
	}
	var faults []error
	if strings.TrimSpace(before) != "" {
		faults = append(faults, errors.New("assertion: there is text before the first key: remove it"))
	}
	blocks := strings.Split(rest, begin)
	if len(blocks) > maxKeys {
		faults = append(faults, fmt.Errorf("assertion: there are %d keys, and at most %d are allowed: a change of the key needs the old and the new one", len(blocks), maxKeys))
	}
	var keys []jose.JSONWebKey
	for i, block := range blocks {
		key, err := parseKey(begin + block)
		if slices.ContainsFunc(keys, func(k jose.JSONWebKey) bool { return k.KeyID == key.KeyID }) {
			err = errors.New("it is the same as an earlier key: remove one of the two")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("assertion: key %d of %d: %w", i+1, len(blocks), err))
			continue
		}
		keys = append(keys, key)
	}
	if len(faults) > 0 {
		return Keys{}, errors.Join(faults...)
	}
	return newKeys(keys)
}

const makeOne = "make one with assertion.GenerateKey, or `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`"

// parseKey reads one block of PEM, with nothing after it.
func parseKey(text string) (jose.JSONWebKey, error) {
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil:
		return jose.JSONWebKey{}, errors.New("it cannot be read as PEM: is it cut off, or indented?")
	case len(bytes.TrimSpace(rest)) > 0:
		return jose.JSONWebKey{}, errors.New("there is text after it: remove it")
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return jose.JSONWebKey{}, errors.New("it is encrypted: `openssl pkey -in key.pem` decrypts it")
	case block.Type == "EC PRIVATE KEY":
		return jose.JSONWebKey{}, errors.New("it is not in PKCS#8: `openssl pkey -in key.pem` converts it, and decrypts it")
	case block.Type != "PRIVATE KEY":
		return jose.JSONWebKey{}, errors.New("it is not a private key: " + makeOne)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return jose.JSONWebKey{}, errors.New("it cannot be read as PKCS#8: " + makeOne) // err may tell of the key
	}
	key := jose.JSONWebKey{Key: parsed, Use: "sig"}
	var secret []byte
	switch private := parsed.(type) {
	case *ecdsa.PrivateKey:
		if private.Curve != elliptic.P256() {
			return jose.JSONWebKey{}, errors.New("it is for another curve than P-256: " + makeOne)
		}
		key.Algorithm = string(jose.ES256)
		secret, _ = private.Bytes() // if it fails, the key is refused as not random
	case ed25519.PrivateKey:
		key.Algorithm = string(jose.EdDSA)
		secret = private.Seed()
	default:
		return jose.JSONWebKey{}, errors.New("it is neither for P-256 nor for Ed25519: " + makeOne)
	}
	if why := weakness(secret); why != "" {
		return jose.JSONWebKey{}, fmt.Errorf("it is %s: %s", why, makeOne)
	}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	key.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return key, nil
}

// weakness says why somebody else may know or guess a private key of 32 bytes, or returns
// "". It cannot prove that a key is random.
func weakness(secret []byte) string {
	// 32 random bytes have fewer than 20 different values in about one of 10^10 keys.
	if len(slices.Compact(slices.Sorted(slices.Values(secret)))) < 20 {
		return "not random"
	}
	if slices.Contains(published, base64.RawURLEncoding.EncodeToString(secret)) {
		return "known to everybody"
	}
	return ""
}

// published has the private keys of specifications and of a well-known debugger.
var published = []string{
	"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI", // RFC 7515, appendix A.3
	"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE", // RFC 7517, appendix A.2
	"ya-p2EW6dRZrXCFXZ7HWk05Qw9s26JsSe4piKxIPZyE", // RFC 6979, appendix A.2.5
	"evZzL1gdAFr88hb2OF_2NxApJCzGCEDdfSp6VQO30hw", // jwt.io, ES256
	"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", // RFC 8037, appendix A.1, and RFC 8032, test 1
}

func newKeys(private []jose.JSONWebKey) (Keys, error) {
	var set jose.JSONWebKeySet
	for _, key := range private {
		set.Keys = append(set.Keys, key.Public())
	}
	jwks, err := json.Marshal(set)
	first := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(private[0].Algorithm), Key: private[0]}
	signer, err2 := jose.NewSigner(first, new(jose.SignerOptions).WithType(Type))
	if err := errors.Join(err, err2); err != nil {
		return Keys{}, fmt.Errorf("assertion: %w", err)
	}
	return Keys{&keySet{signer, jwks}}, nil
}

// fault reports Keys that ParseKeys did not make.
func (k Keys) fault() error {
	if k.set == nil {
		return errors.New("assertion: the keys are empty: make them with ParseKeys")
	}
	return nil
}

const redacted = "[redacted]"

// String returns [redacted].
func (Keys) String() string { return redacted }

// GoString returns [redacted].
func (Keys) GoString() string { return redacted }

// Format prints [redacted], whatever the verb.
func (Keys) Format(f fmt.State, _ rune) { f.Write([]byte(redacted)) }

// MarshalText returns [redacted].
func (Keys) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns [redacted].
func (Keys) LogValue() slog.Value { return slog.StringValue(redacted) }
