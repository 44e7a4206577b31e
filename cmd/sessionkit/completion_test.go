package main

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// complete returns what bash offers for the last word of a line.
func complete(t *testing.T, script string, words ...string) []string {
	t.Helper()
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = "'" + word + "'"
	}
	line := script + "\nCOMP_WORDS=(" + strings.Join(quoted, " ") + ")\nCOMP_CWORD=" + strconv.Itoa(len(words)-1) + "\n_sessionkit\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
	out, err := exec.Command("bash", "--norc", "-c", line).CombinedOutput()
	if err != nil {
		t.Fatalf("bash: %v\n%s", err, out)
	}
	return strings.Fields(string(out))
}

func TestCompletion_OffersWhatTheTableHas(t *testing.T) {
	t.Parallel()
	script := (&world{}).run(t, "completion", "bash").out
	for _, c := range []struct{ words, want []string }{
		{[]string{""}, []string{"key", "schema", "migrate", "doctor", "list", "show", "revoke", "revoke-all", "stats", "audit", "completion"}},
		{[]string{"re"}, []string{"revoke", "revoke-all"}},
		{[]string{"key", ""}, []string{"new", "check", "rotate"}},
		{[]string{"key", "rotate", "-step", ""}, []string{"add", "use", "drop"}},
		{[]string{"key", "rotate", "-"}, []string{"-file", "-step", "-unused", "-yes", "-h"}},
		{[]string{"completion", "b"}, []string{"bash"}},
		{[]string{"list", "-"}, []string{"-config", "-json", "-user", "-h"}},
		{[]string{"none", "-"}, nil},
	} {
		if got := complete(t, script, append([]string{"sessionkit"}, c.words...)...); !slices.Equal(got, c.want) {
			t.Errorf("%q: bash offers %q; want %q", c.words, got, c.want)
		}
	}
	for _, c := range commands() {
		words := append([]string{"sessionkit"}, strings.Fields(c.name)...)
		if got, want := complete(t, script, append(words, "-")...), c.flagNames(); !slices.Equal(got, want) {
			t.Errorf("%s: bash offers %q; want %q", c.name, got, want)
		}
	}
}
