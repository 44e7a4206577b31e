package main

import (
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
)

// packageOf type-checks one file, which imports nothing.
func packageOf(t *testing.T, source string) *pkg {
	t.Helper()
	p, err := newPkg(token.NewFileSet(), "p", map[string][]byte{"p/p.go": []byte(source)}, noImports{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) { panic("an import of " + path) }

// changes returns what the mutants of a function body make of it, each as its
// operator and its changed lines. Mutants that do not compile are left out.
func changes(t *testing.T, body string) (all []string) {
	t.Helper()
	const head = "package p\n\ntype mutex struct{}\n\nfunc (mutex) Lock() {}\n\nfunc call() bool { return 1 == 2 }\n\nfunc f(a, b int, s string, c, d, e bool, err error) (bool, error) {\n"
	p := packageOf(t, head+body+"\n}\n")
	for _, m := range candidates(p) {
		if strings.Contains(m.id, ":call:") || !p.compiles(m) {
			continue
		}
		before := strings.Split(strings.TrimSuffix(string(m.source), "\n}\n"), "\n")
		after := strings.Split(strings.TrimSuffix(string(m.mutated()), "\n}\n"), "\n")
		var lines []string
		for i, line := range after {
			if len(after) != len(before) || line != before[i] {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		if len(after) != len(before) { // lines were removed: show what is left of the body
			lines = lines[strings.Count(head, "\n"):]
		}
		all = append(all, strings.Split(m.id, ":")[2]+": "+strings.Join(lines, " | "))
	}
	return all
}

func TestCandidates_EachOperator(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       []string
	}{
		{"comparison", "return a <= b, nil", []string{"boundary: return a < b, nil", "negated: return a > b, nil"}},
		{"equality has no boundary", "return a == b, nil", []string{"negated: return a != b, nil"}},
		{"operands of a chain", "return c && d && e, nil", []string{
			"negated: return !(c && d && e), nil",
			"operand: return e, nil", "operand: return c && d, nil",
			"operand: return d && e, nil", "operand: return c && e, nil",
		}},
		{"or", "return c || d, nil", []string{"negated: return !(c || d), nil", "operand: return d, nil", "operand: return c, nil"}},
		{"condition", "if c {\n}\nreturn d, nil", []string{
			"always: if true || (c) {", "never: if false && (c) {", "negated: if !(c) {", "negated: return !(d), nil",
		}},
		{"condition with not", "if x := c; !x {\n}\nreturn d, nil", []string{
			"always: if x := c; true || (!x) {", "never: if x := c; false && (!x) {", "negated: if x := c; x {", "negated: return !(d), nil",
		}},
		{"condition with a comparison is negated once", "if a == b {\n}\nreturn d, nil", []string{
			"always: if true || (a == b) {", "never: if false && (a == b) {", "negated: if a != b {", "negated: return !(d), nil",
		}},
		{"results", "return true, err", []string{"result: return false, err", "result: return true, nil"}},
		{"booleans elsewhere", "c = true\nreturn c, nil", []string{"dropped: ", "boolean: c = false", "negated: return !(c), nil"}},
		{"statements", "call()\na = b\nvar x mutex\nx.Lock()\n_ = x\ndefer call()\nreturn a == b, nil", []string{
			"dropped: ", "dropped: ", "negated: return a != b, nil",
		}},
		{"what does not compile is left out: x would be unused", "x := b\na += x\nreturn c, nil", []string{"plus: a -= x", "negated: return !(c), nil"}},
		{"steps", "a++\nb--\na += b\na -= b\nreturn a == b, nil", []string{
			"dropped: ", "dropped: ", "dropped: ", "dropped: ",
			"plus: a--", "minus: b++", "plus: a -= b", "minus: a += b",
			"negated: return a != b, nil",
		}},
		{"plus and minus of numbers only", "s = s + s\na = a + b - a\nreturn c, nil", []string{
			"dropped: ", "dropped: ", "minus: a = a + b + a", "plus: a = a - b - a", "negated: return !(c), nil",
		}},
		{"numbers", "var x [3]int\na = len(x) + 0x10 + 0\nb = 4\nreturn c, nil", []string{
			"dropped: ",
			"plus: a = len(x) + 0x10 - 0", "plus: a = len(x) - 0x10 + 0",
			"number: a = len(x) + 8 + 0", "number: a = len(x) + 24 + 0", "number: a = len(x) + 0x10 + 1",
			"number: b = 3", "number: b = 5", "negated: return !(c), nil",
		}},
		{"cases", "switch a {\ncase b, 10:\ncall()\ndefault:\n}\nreturn c, nil", []string{
			"case: switch a { |  | default: | } | return c, nil",
			"case: case 10:", "case: case b:",
			"case: ",
			"dropped: ",
			"number: case b, 5:", "number: case b, 15:",
			"negated: return !(c), nil",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, want := changes(t, c.body), slices.Sorted(slices.Values(c.want))
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
			}
		})
	}
}

const small = `package p

type t struct{ n int }

func (x *t) Less(y int) bool {
	if y == 0 {
		return false
	}
	if y == 1 {
		return false
	}
	return x.n < y
}
`

func ids(t *testing.T, source string) (all []string) {
	t.Helper()
	for _, m := range candidates(packageOf(t, source)) {
		all = append(all, m.id)
	}
	return all
}

func TestCandidates_IDsAreDistinctAndReadable(t *testing.T) {
	got := ids(t, small)
	if sorted := slices.Compact(slices.Sorted(slices.Values(got))); len(sorted) != len(got) || len(got) == 0 {
		t.Errorf("%d mutants have %d ids", len(got), len(sorted))
	}
	if first := got[0]; !strings.HasPrefix(first, "p/p.go:t.Less:") {
		t.Errorf("the first id is %q", first)
	}
	for _, id := range got {
		if strings.Contains(id, "#") {
			t.Errorf("%s is told from another by its place alone", id)
		}
	}
}

func TestCandidates_IDsOfEqualLinesNameNoOtherAfterAChange(t *testing.T) {
	old := ids(t, small)
	more := strings.Replace(small, "\tif y == 0", "\tif y == 9 {\n\t\treturn false\n\t}\n\tif y == 0", 1)
	p := packageOf(t, more)
	for _, m := range candidates(p) {
		if slices.Contains(old, m.id) && strings.Contains(string(m.mutated()), "if y == 9 {\n\t\treturn true") {
			t.Errorf("%s now names a mutant of the new line", m.id)
		}
	}
}

func TestCandidates_IDsOutliveMovedLines(t *testing.T) {
	moved := strings.Replace(small, "type t", "// More is said.\n\nfunc before() {}\n\ntype t", 1)
	moved = strings.ReplaceAll(moved, "\t\treturn false", "\t\t\t\treturn false")
	if before, after := ids(t, small), ids(t, moved); !slices.Equal(before, after) {
		t.Errorf("the ids were\n\t%q\nand are\n\t%q", before, after)
	}
	changed := strings.Replace(small, "x.n < y", "x.n < y+y", 1)
	lost := 0
	for _, id := range ids(t, small) {
		if !slices.Contains(ids(t, changed), id) {
			lost++
		}
	}
	if lost != 2 { // the boundary and the negation of that line
		t.Errorf("a changed line changes %d ids; want 2", lost)
	}
}

func TestMutant_DiffShowsTheChangedLines(t *testing.T) {
	source := "one\ntwo\nthree\nfour\nfive\n"
	for _, c := range []struct {
		edit edit
		want string
	}{
		{edit{8, 13, "3"}, "a.go:3\n one\n two\n-three\n+3\n four\n five\n"},
		{edit{8, 14, ""}, "a.go:3\n one\n two\n-three\n four\n five\n"},
		{edit{0, 8, "one\nzwei\n"}, "a.go:2\n one\n-two\n+zwei\n three\n four\n"},
	} {
		if got := (mutant{file: "a.go", source: []byte(source), edit: c.edit}).diff(); got != c.want {
			t.Errorf("%v: got\n%s\nwant\n%s", c.edit, got, c.want)
		}
	}
}
