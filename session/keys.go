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
	minKeyBytes = 32 // of a master secret
	maxKeys     = 3  // a forged cookie costs one MAC for each
)

// Keys are the master secrets of an app. The first one seals cookies, and all of
// them open cookies. Keys are immutable and print as [redacted]. The zero Keys are empty,
// and New refuses them. Make them with ParseKeys.
type Keys struct {
	masters [][]byte
}

// GenerateKey returns a new master secret of 32 random bytes, in base64.
func GenerateKey() string {
	var key [minKeyBytes]byte
	rand.Read(key[:])
	return base64.StdEncoding.EncodeToString(key[:])
}

// ParseKeys reads one to three master secrets in base64 or hexadecimal, separated by
// commas or white space: first the one that seals, then those that only open. See
// Manager.SetKeys for how to change the key.
//
// Each must have 32 random bytes or more. ParseKeys refuses secrets that are not
// random or are published, such as the examples of specifications. The error names
// every fault at once and quotes no secret.
func ParseKeys(text string) (Keys, error) {
	fields := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r <= ' ' })
	if len(fields) == 0 {
		return Keys{}, errors.New("session: there is no key: is the environment variable set? `openssl rand -base64 32` makes a key, as session.GenerateKey does")
	}
	var keys Keys
	var faults []error
	if len(fields) > maxKeys {
		faults = append(faults, fmt.Errorf("session: there are %d keys, and at most %d are allowed: a change of the key needs the old and the new one", len(fields), maxKeys))
	}
	for i, field := range fields {
		master, err := parseKey(field)
		if err == nil && containsKey(keys.masters, master) {
			err = errors.New("it is the same as an earlier key: remove one of the two")
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

// fault reports Keys that ParseKeys did not make.
func (k Keys) fault() error {
	if len(k.masters) == 0 {
		return errors.New("session: the keys are empty: make them with ParseKeys")
	}
	return nil
}

// Names returns a name for each key, in their order. It tells the key from others, in a log, and
// cannot be turned back into it.
func (k Keys) Names() []string {
	names := make([]string, len(k.masters))
	for i, master := range k.masters {
		sum, _ := derive(master, "", "name") // fails for no master that ParseKeys has made
		names[i] = hex.EncodeToString(sum[:4])
	}
	return names
}

// derive makes the key for one purpose (HKDF, RFC 5869). From an empty master it would make
// a key that everybody can compute. ParseKeys and fault keep empty masters out.
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
