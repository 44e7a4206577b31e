package session

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

const (
	minKeyBytes = 32 // the least that a master secret may hold: 256 bits
	maxKeys     = 3  // the most that open: each costs every forged cookie a MAC
)

// Keys are the master secrets of an app. The first seals, all open. They are
// immutable, and print as [redacted]. The zero Keys hold none, and New refuses
// them.
type Keys struct {
	masters [][]byte
}

// GenerateKey returns a new master secret, in the form that ParseKeys reads.
func GenerateKey() string {
	var key [minKeyBytes]byte
	rand.Read(key[:])
	return base64.StdEncoding.EncodeToString(key[:])
}

// ParseKeys reads one or more master secrets, in base64 or hexadecimal, apart by
// commas or white space: the one that seals first, then those that still open.
// To change the key, add the new one last on every node, then move it first,
// then drop the old one after the longest refresh life.
//
// Each must hold 32 random bytes or more, and three are the most. What is plainly
// not random, or stands in a specification, is refused. All faults are reported at
// once, and none of them quotes a secret.
func ParseKeys(text string) (Keys, error) {
	fields := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r <= ' ' })
	if len(fields) == 0 {
		return Keys{}, errors.New("session: no key was given: make one with session.GenerateKey and pass it as text")
	}
	var keys Keys
	var faults []error
	if len(fields) > maxKeys {
		faults = append(faults, fmt.Errorf("session: %d keys were given: %d are the most, for a change needs the old one and the new, and what nobody can open is tried with each", len(fields), maxKeys))
	}
	for i, field := range fields {
		master, err := parseKey(field)
		if err == nil && containsKey(keys.masters, master) {
			err = errors.New("the same key was given before: remove one of the two")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("session: key %d of %d: %w", i+1, len(fields), err))
			continue
		}
		keys.masters = append(keys.masters, master)
	}
	if len(faults) > 0 {
		return Keys{}, errors.Join(faults...)
	}
	return keys, nil
}

func containsKey(keys [][]byte, key []byte) bool {
	for _, k := range keys {
		if bytes.Equal(k, key) {
			return true
		}
	}
	return false
}

func parseKey(text string) ([]byte, error) {
	master, err := hex.DecodeString(text)
	if err != nil {
		plain := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(text), "=")
		if master, err = base64.RawStdEncoding.DecodeString(plain); err != nil {
			return nil, errors.New("it is neither base64 nor hexadecimal: make one with session.GenerateKey")
		}
	}
	if len(master) < minKeyBytes {
		return nil, fmt.Errorf("it holds %d bytes: %d or more are needed, make one with session.GenerateKey", len(master), minKeyBytes)
	}
	if why := weakness(master); why != "" {
		return nil, fmt.Errorf("it is %s: make one with session.GenerateKey", why)
	}
	return master, nil
}

// fault tells of Keys that ParseKeys did not make.
func (k Keys) fault() error {
	if len(k.masters) == 0 {
		return errors.New("session: no keys were given: make them with ParseKeys")
	}
	return nil
}

// derive makes the key for one purpose. An empty master would yield a key that
// everybody can compute, without an error: that only ParseKeys makes Keys, and
// fault finds empty ones, keeps it out.
func derive(master []byte, app, purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, master, nil, "sessionkit/v1|"+app+"|"+purpose, 32)
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
