package session

import (
	"strings"
	"testing"
)

const testKey = "b3Xr1vGmU0n1n0kqYw0m6j5l9g1s5o9yJ8y0kXo0Zkc="

func parseKeys(t testing.TB, texts ...string) Keys {
	t.Helper()
	keys, err := ParseKeys(strings.Join(texts, " "))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
