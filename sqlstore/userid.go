package sqlstore

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// IDKind is the kind of value that the app's user ids are. It decides how an id is
// written in session.Login.UserID and compared in the database. Every user has
// exactly one spelling. Any other spelling names no user. The zero value is Integer.
type IDKind int

const (
	// Integer is an integer column of any width, signed or not. The id is decimal
	// and not negative: "0", "42"; no sign, no leading zero.
	Integer IDKind = iota

	// UUID is a column of 16 bytes: BINARY(16) in MySQL, BLOB in SQLite, UUID in
	// PostgreSQL. The id is in lower case: "0190b5a8-7c1e-7b1a-8c6f-3d2f1e0a9b8c". The bytes
	// are in the order of the spelling, as UUID_TO_BIN(x) writes them; UUID_TO_BIN(x, 1) of MySQL
	// writes another order, and then each login under the usual spelling is refused as that
	// of an unknown user: give the column with BIN_TO_UUID(x) as the id, or use Text and a
	// generated column. For UUIDs in a text column use Text. MariaDB's type UUID needs a text column beside it, whose
	// statement is in the error of Migrate.
	UUID

	// Text is a text column. The id has 1 to 255 bytes of UTF-8 and is compared byte
	// for byte, whatever the column's collation. Give the column a binary collation
	// such as utf8mb4_bin, so that the app's own queries compare in the same way. The zero
	// bytes that a BINARY column of MySQL appends belong to the id.
	Text
)

// String returns the name of the constant, such as "Integer".
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

// class is what a column of such ids must hold. If a text column were compared with
// a number, MySQL would find "1" and "1a" equal to 1.
func (k IDKind) class() class {
	switch k {
	case UUID:
		return holdsUUID
	case Text:
		return holdsText
	default:
		return holdsInteger
	}
}

// key returns the value of id in the database, given the largest integer that fits.
// False: id names no user.
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

// text is the inverse of key: it returns the id that a column's bytes stand for.
func (k IDKind) text(column []byte) (string, error) {
	if k != UUID {
		return string(column), nil
	}
	if len(column) != 16 {
		return "", fmt.Errorf("a user_id has %d bytes, but a UUID has 16", len(column))
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
