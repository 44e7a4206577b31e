package main

import (
	"slices"
	"strings"
	"testing"
)

func TestParseReference_ReadsEveryPart(t *testing.T) {
	entries, err := parseReference("# a comment\n\nmutant one\nfile   a/b.go\nin     T.f\nsample TestA\n-   old {\n- \t}\n+ new {\n+\n\nmutant two\nfile c.go\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 || entries[1].name != "two" || entries[1].sample != "" {
		t.Fatalf("got %+v", entries)
	}
	e := entries[0]
	if e.name != "one" || e.file != "a/b.go" || e.function != "T.f" || e.sample != "TestA" ||
		!slices.Equal(e.removed, []string{"old {", "}"}) || !slices.Equal(e.added, []string{"new {", ""}) {
		t.Errorf("got %+v", e)
	}
}

func TestParseReference_RefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{"file a.go\n", "mutant one\nwhere a.go\n", "mutant one\nmutant one\n", "mutant\n", "mutant one\n  - x\n", "mutant one\nsample\n", "mutant one\nsample TestA TestB\n"} {
		if entries, err := parseReference(text); err == nil {
			t.Errorf("%q: got %+v", text, entries)
		}
	}
}

const twoFunctions = `package p

func (t T) f() int {
	if a {
		return 1
	}
	return 2
}

func f() int {
	if a {
		return 1
	}
	// Three.
	return 3
}
`

func TestEntry_MatchesExactlyOnce(t *testing.T) {
	for _, c := range []struct {
		name, function, removed, added string
		want                           string // the text that is gone from the source, and what stands there
	}{
		{"in a function", "f", "if a {", "if b {", "\tif a {\n>\tif b {\n"},
		{"in a method", "T.f", "return 1", "return 9", "\t\treturn 1\n>\t\treturn 9\n"},
		{"several lines", "f", "if a {|return 1|}", "if b {|return 2|}|return 4", "\tif a {\n\t\treturn 1\n\t}\n>\tif b {\n\t\treturn 2\n\t}\n\treturn 4\n"},
		{"several lines of which one alone would match twice", "", "return 1|}|return 2", "return 2", "\t\treturn 1\n\t}\n\treturn 2\n>\t\treturn 2\n"},
		{"in the file", "", "return 3", "", "\treturn 3\n>"},
		{"the line of the function itself", "f", "func f() int {", "func f() (i int) {", "func f() int {\n>func f() (i int) {\n"},
		{"twice", "", "return 1", "", "2 times"},
		{"only elsewhere", "f", "return 2", "", "0 times"},
		{"a part of a line", "f", "return", "", "0 times"},
		{"another order", "f", "return 1|if a {", "", "0 times"},
		{"no such function", "g", "return 1", "", "no function g"},
		{"nothing", "f", "", "x", "removes no line"},
	} {
		e := entry{function: c.function}
		if c.removed != "" {
			e.removed = strings.Split(c.removed, "|")
		}
		if c.added != "" {
			e.added = strings.Split(c.added, "|")
		}
		got, err := e.find([]byte(twoFunctions))
		if err != nil {
			if !strings.Contains(err.Error(), c.want) || strings.Contains(c.want, "\n") {
				t.Errorf("%s: %v; want %q", c.name, err, c.want)
			}
			continue
		}
		if is := twoFunctions[got.start:got.end] + ">" + got.text; is != c.want {
			t.Errorf("%s: got %q, want %q", c.name, is, c.want)
		}
	}
}

func TestReference_NamesEachMutantThatNoLongerApplies(t *testing.T) {
	_, err := reference(t.TempDir(), []entry{{name: "first", file: "gone.go"}, {name: "second", file: "gone.go"}})
	if err == nil || !strings.Contains(err.Error(), "first") || !strings.Contains(err.Error(), "second") {
		t.Errorf("got %v", err)
	}
}

func TestParseEquivalents(t *testing.T) {
	x, err := parseEquivalents("# a comment\n\na.go:f:negated:01234567#2\n\tNobody reads\n\tthe result.\nname\n    It is so.\n")
	if err != nil || len(x) != 2 || x["a.go:f:negated:01234567#2"] != "Nobody reads the result." || x["name"] != "It is so." {
		t.Errorf("got %q, %v", x, err)
	}
	for _, text := range []string{"\ta reason\n", "name\n", "name\n\ta reason\nname\n\tanother\n", "one\ntwo\n\ta reason\n"} {
		if x, err := parseEquivalents(text); err == nil {
			t.Errorf("%q: got %q", text, x)
		}
	}
}

func TestExcuses_AnUnknownIDIsStale(t *testing.T) {
	x := excuses{"a": "reason", "b": "reason"}
	if err := x.stale(map[string]bool{"a": true, "b": true, "c": true}); err != nil {
		t.Errorf("all are known: %v", err)
	}
	if err := x.stale(map[string]bool{"a": true}); err == nil || !strings.Contains(err.Error(), "b is no mutant") || strings.Contains(err.Error(), "a is no mutant") {
		t.Errorf("b is stale: %v", err)
	}
}
