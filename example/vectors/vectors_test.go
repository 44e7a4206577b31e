package vectors

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
)

type octets []byte

func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.AppendDecode(nil, text)
	return err
}

type vector struct {
	ID                   int `json:"tcId"`
	Key, Msg, Tag        octets
	IKM, Salt, Info, OKM octets
	Size                 int
	Result               string
}

func forEach(t *testing.T, file string, check func(t *testing.T, tagBits int, v vector)) {
	text, err := fs.ReadFile(wycheproof.TestVectors, file)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		NumberOfTests int
		TestGroups    []struct {
			TagSize int
			Tests   []vector
		}
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, group := range all.TestGroups {
		for _, v := range group.Tests {
			check(t, group.TagSize, v)
			n++
		}
	}
	if n == 0 || n != all.NumberOfTests {
		t.Errorf("%d vectors in %s; it names %d", n, file, all.NumberOfTests)
	}
	t.Logf("%s: %d vectors", file, n)
}

func TestHMACComputesWhatIsPublished(t *testing.T) {
	forEach(t, "hmac_sha256_test.json", func(t *testing.T, tagBits int, v vector) {
		mac := hmac.New(sha256.New, v.Key)
		mac.Write(v.Msg)
		if got := hmac.Equal(mac.Sum(nil)[:tagBits/8], v.Tag); got != (v.Result == "valid") {
			t.Errorf("vector %d is %s; the MACs are equal: %v", v.ID, v.Result, got)
		}
	})
}

func TestHKDFComputesWhatIsPublished(t *testing.T) {
	forEach(t, "hkdf_sha256_test.json", func(t *testing.T, _ int, v vector) {
		key, err := hkdf.Key(sha256.New, v.IKM, v.Salt, string(v.Info), v.Size)
		if got := err == nil && bytes.Equal(key, v.OKM); got != (v.Result == "valid") {
			t.Errorf("vector %d is %s; got %x, %v", v.ID, v.Result, key, err)
		}
	})
}
