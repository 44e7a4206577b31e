package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// ID names a session: the first 16 bytes of SHA-256 of the random root inside its
// refresh cookie. An ID may be shown, logged and stored. No cookie can be made from
// it, not even with the keys. The zero ID names no session.
type ID [16]byte

// String returns the ID as 32 hexadecimal digits in lower case.
func (id ID) String() string {
	var text [2 * len(id)]byte
	hex.Encode(text[:], id[:])
	return string(text[:])
}

// IsZero reports whether id names no session.
func (id ID) IsZero() bool { return id == ID{} }

var errMalformedID = errors.New("store: a session id is 32 hexadecimal digits in lower case")

// ParseID reads the text that ID.String returns. It refuses every other spelling,
// so that two texts never name one session.
func ParseID(text string) (ID, error) {
	var id ID
	if len(text) != hex.EncodedLen(len(id)) {
		return ID{}, errMalformedID
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil || id.String() != text {
		return ID{}, errMalformedID
	}
	return id, nil
}

// Digest is SHA-256 of the id inside a refresh ticket. A store keeps digests
// only, so that no cookie can be made from a leaked database. The zero Digest means
// "none".
type Digest [sha256.Size]byte
