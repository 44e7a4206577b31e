package sqlstore_test

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sessionkit/sessionkit/sqlstore"
)

var (
	canonicalInteger = regexp.MustCompile(`\A(0|[1-9][0-9]*)\z`)
	canonicalUUID    = regexp.MustCompile(`\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\z`)
)

// canonical reports whether a user id is spelled as the documentation of IDKind says.
func canonical(kind sqlstore.IDKind, id string, largest uint64) bool {
	switch kind {
	case sqlstore.UUID:
		return canonicalUUID.MatchString(id)
	case sqlstore.Text:
		return id != "" && len(id) <= 255 && utf8.ValidString(id)
	}
	n, ok := new(big.Int).SetString(id, 10)
	return ok && canonicalInteger.MatchString(id) && n.Cmp(new(big.Int).SetUint64(largest)) <= 0
}

// Two spellings of one user would be two users for the app's code and one for its
// database. So each value in the database has one spelling, and every other id names
// no user.
func FuzzIDKind_AcceptsOneSpellingOfEachID(f *testing.F) {
	for _, id := range []string{
		"", "0", "1", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "1e0", "0x1", "1_0", "١", "9223372036854775807", "9223372036854775808",
		"18446744073709551615", "18446744073709551616", "1\x00", "1 OR 1=1",
		"0190b5a8-7c1e-7b1a-8c6f-3d2f1e0a9b8c", "0190B5A8-7c1e-7b1a-8c6f-3d2f1e0a9b8c", "0190b5a87c1e7b1a8c6f3d2f1e0a9b8c",
		"{190b5a8-7c1e-7b1a-8c6f-3d2f1e0a9b8}", "0190b5a8_7c1e_7b1a_8c6f_3d2f1e0a9b8c", "alice", "älice", "\xff", "alice ",
		strings.Repeat("a", 255), strings.Repeat("a", 256), strings.Repeat("ü", 127) + "a", strings.Repeat("ü", 128),
	} {
		for kind := range 3 {
			f.Add(byte(kind), id)
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, id string) {
		k := sqlstore.IDKind(kind % 3)
		for _, largest := range []uint64{math.MaxInt64, math.MaxUint64} {
			key, ok := k.Key(id, largest)
			if want := canonical(k, id, largest); ok != want {
				t.Fatalf("%v, up to %d: %q was accepted: %v; want %v", k, largest, id, ok, want)
			}
			if !ok {
				continue
			}
			// What the driver sends and the column contains.
			var column []byte
			switch key := key.(type) {
			case []byte:
				column = key
			case string:
				column = []byte(key)
			case int64, uint64:
				column = fmt.Append(nil, key)
			default:
				t.Fatalf("%q becomes a %T in the database", id, key)
			}
			if k == sqlstore.UUID && len(column) != 16 {
				t.Fatalf("%q becomes the bytes %x", id, column)
			}
			if text, err := k.Text(column); err != nil || text != id {
				t.Fatalf("%q came back as %q, %v", id, text, err)
			}
		}
	})
}
