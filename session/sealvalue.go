package session

import (
	"errors"
	"fmt"
	"time"
)

// maxSealedValue is the longest value that Seal takes, in bytes: with a name of up to 200
// bytes it fits into a cookie.
const maxSealedValue = 2048

// Seal encrypts a small value of the app's, such as what a login must remember while the user
// is at an identity provider, so that it can be given to a browser in a cookie or a URL. Open
// returns it. Nobody without the keys can read or change it. It can be used any number of
// times until it is too old, by whoever has it.
//
// The purpose names what the value is for, at most 100 bytes: what is sealed for one purpose
// is not opened for another, and is no session. The keys are those of the Manager, and follow
// SetKeys; values of one Config.App are not opened by another. The result needs no escapes in a
// cookie. It is about 16/9 as long as the value, plus 90 bytes. An error says that the purpose or
// the value is empty or too long. Seal is safe for concurrent use.
func (m *Manager) Seal(purpose string, value []byte) (string, error) {
	if purpose == "" || len(purpose) > maxPurposeName {
		return "", fmt.Errorf("session: Seal: the purpose has %d bytes: use 1 to %d", len(purpose), maxPurposeName)
	}
	if len(value) == 0 || len(value) > maxSealedValue {
		return "", fmt.Errorf("session: Seal: the value has %d bytes: use 1 to %d", len(value), maxSealedValue)
	}
	s, err := m.valueSealer(purpose, time.Second)
	if err != nil {
		return "", err
	}
	v := sealedValue(value)
	return s.seal(purpose, &v)
}

// maxPurposeName is in bytes.
const maxPurposeName = 100

// Open returns a value that Seal has sealed for this purpose, at most maxAge ago by this
// node's clock, to the second. It reports false for anything else, without a reason: the text
// may be a stranger's. A maxAge below one second opens nothing. Open is safe for concurrent use.
func (m *Manager) Open(purpose, sealed string, maxAge time.Duration) ([]byte, bool) {
	if purpose == "" || len(purpose) > maxPurposeName || maxAge < time.Second {
		return nil, false
	}
	s, err := m.valueSealer(purpose, maxAge)
	if err != nil {
		return nil, false
	}
	var v sealedValue
	if !s.open(purpose, sealed, &v) {
		return nil, false
	}
	return v, true
}

// valueSealer derives the keys for a purpose. No kind of ticket begins with "value|".
func (m *Manager) valueSealer(purpose string, maxAge time.Duration) (*sealer, error) {
	return newSealer(m.tickets.sealers.Load().keys, m.cfg.App, "value|"+purpose, maxAge, func() {})
}

// sealedValue is the ticket whose content is the app's.
type sealedValue []byte

func (v *sealedValue) appendTo(b []byte) []byte { return append(b, *v...) }

func (v *sealedValue) parse(b []byte) error {
	if len(b) > maxSealedValue {
		return errors.New("the value is too long")
	}
	*v = append(sealedValue{}, b...)
	return nil
}
