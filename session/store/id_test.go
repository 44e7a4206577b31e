package store_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session/store"
)

var canonicalID = regexp.MustCompile(`\A[0-9a-f]{32}\z`)

// Each session has exactly one spelling of its id. An app that compares ids would
// otherwise take two spellings for two devices.
func FuzzParseID_AcceptsOnlyTheCanonicalSpelling(f *testing.F) {
	id := strings.Repeat("0a", 16)
	for _, seed := range []string{"", id, strings.ToUpper(id), id[1:], id + "0", " " + id[1:], id[:31] + "g", "0x" + id[2:], id[:30] + "\xc3\xbc"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := store.ParseID(text)
		if want := canonicalID.MatchString(text); (err == nil) != want {
			t.Fatalf("%q: %v; want an id: %v", text, err, want)
		}
		if err == nil && id.String() != text || err != nil && !id.IsZero() {
			t.Fatalf("%q was read as %v, %v", text, id, err)
		}
	})
}
