package main

import (
	"fmt"
	"slices"
	"testing"
)

func numbered(n int) (all []mutant) {
	for i := range n {
		all = append(all, mutant{id: fmt.Sprint("m", i)})
	}
	return all
}

func names(mutants []mutant) (all []string) {
	for _, m := range mutants {
		all = append(all, m.id)
	}
	return all
}

func every(mutant) bool { return true }

func TestDraw_IsDecidedBySeedAndIDs(t *testing.T) {
	all := numbered(1000)
	first := names(draw(all, 7, 50, every))
	if len(first) != 50 {
		t.Fatalf("%d are drawn; want 50", len(first))
	}
	if again := names(draw(all, 7, 50, every)); !slices.Equal(first, again) {
		t.Errorf("the same seed draws %q and then %q", first, again)
	}
	if other := names(draw(all, 8, 50, every)); slices.Equal(first, other) {
		t.Error("another seed draws the same")
	}
	mixed := slices.Clone(all)
	slices.Reverse(mixed)
	again := names(draw(mixed, 7, 50, every))
	slices.Reverse(again)
	if !slices.Equal(first, again) {
		t.Errorf("another order draws %q, not %q", again, first)
	}
}

func TestDraw_ReplacesWhatDoesNotCompileAndKeepsTheRest(t *testing.T) {
	all := numbered(1000)
	first := names(draw(all, 7, 50, every))
	broken := first[10]
	second := names(draw(all, 7, 50, func(m mutant) bool { return m.id != broken }))
	if len(second) != 50 || slices.Contains(second, broken) {
		t.Fatalf("%d are drawn, %s among them: %v", len(second), broken, slices.Contains(second, broken))
	}
	for _, id := range first {
		if id != broken && !slices.Contains(second, id) {
			t.Errorf("%s is no longer drawn", id)
		}
	}
}

func TestDraw_AsksNoMoreThanItNeeds(t *testing.T) {
	asked := 0
	draw(numbered(1000), 7, 50, func(mutant) bool { asked++; return true })
	if asked != 50 {
		t.Errorf("%d mutants were compiled; want 50", asked)
	}
	if got := draw(numbered(3), 7, 50, every); len(got) != 3 {
		t.Errorf("of 3 mutants %d are drawn", len(got))
	}
}

func TestSpread_TakesOneOfEachDirectoryFirst(t *testing.T) {
	var all []mutant
	for _, at := range []string{"a/1", "a/2", "a/3", "b/4", "c/5", "c/6"} {
		all = append(all, mutant{id: at[2:], file: at, sample: map[bool]string{true: "TestA"}[at != "a/1"]})
	}
	for n, want := range map[int][]string{1: {"2"}, 3: {"2", "4", "5"}, 4: {"2", "4", "5", "3"}, 99: {"2", "4", "5", "3", "6"}} {
		if got := names(spread(all, n)); !slices.Equal(got, want) {
			t.Errorf("of %d: got %q, want %q", n, got, want)
		}
	}
}

func TestTreeOf(t *testing.T) {
	for dir, want := range map[string]string{
		"session": "session", "session/store": "session", "session/store/storetest": "", "session/sessiontest": "", "sessions": "",
		"middleware/nethttp": "middleware", "middleware/internal/guardtest": "", "sqlstore": "sqlstore", "example": "", "": "",
	} {
		got, ok := treeOf(dir)
		if got.root != want || ok != (want != "") {
			t.Errorf("%q is in %q, %v; want %q", dir, got.root, ok, want)
		}
	}
}
