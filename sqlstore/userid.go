package sqlstore

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// IDKind says how the app's user ids are written, in the database and in
// session.Login.UserID. There is one spelling for each user; any other names
// nobody.
type IDKind int

const (
	// Integer is a number of any width, signed or not, but not negative.
	// Written in decimal: "0", "42", no sign, no leading zeros.
	Integer IDKind = iota

	// UUID is 16 bytes: BINARY(16) in MySQL, BLOB in SQLite. Written in lower
	// case: "0190b5a8-7c1e-7b1a-8c6f-3d2f1e0a9b8c". For a UUID in a text column
	// take Text. MariaDB's own type UUID needs a text column beside it, which
	// Migrate spells out.
	UUID

	// Text is a string of at most 255 bytes. It is compared byte for byte,
	// whatever the collation of the app's column; give that column a binary one
	// (utf8mb4_bin, ascii_bin), so that the app's own queries agree.
	Text
)

// String returns the name of the constant.
func (k IDKind) String() string {
	switch k {
	case Integer:
		return "Integer"
	case UUID:
		return "UUID"
	case Text:
		return "Text"
	default:
		return fmt.Sprintf("IDKind(%d)", int(k))
	}
}

const maxTextID = 255

// key returns what id is in the database. False: id names no user.
func (k IDKind) key(id string, largest uint64) (any, bool) {
	switch k {
	case UUID:
		return parseUUID(id)
	case Text:
		return id, id != "" && len(id) <= maxTextID && utf8.ValidString(id)
	default:
		n, err := strconv.ParseUint(id, 10, 64)
		if err != nil || n > largest || strconv.FormatUint(n, 10) != id {
			return nil, false
		}
		if n <= math.MaxInt64 {
			return int64(n), true
		}
		return n, true
	}
}

// text is the opposite of key, from a column's bytes.
func (k IDKind) text(column []byte) (string, error) {
	if k != UUID {
		return string(column), nil
	}
	if len(column) != 16 {
		return "", fmt.Errorf("sqlstore: a user_id has %d bytes where a UUID has 16", len(column))
	}
	return formatUUID(column), nil
}

func formatUUID(b []byte) string {
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func parseUUID(id string) (any, bool) {
	if len(id) != 36 {
		return nil, false
	}
	b, err := hex.DecodeString(id[:8] + id[9:13] + id[14:18] + id[19:23] + id[24:])
	if err != nil || formatUUID(b) != id {
		return nil, false
	}
	return b, true
}
