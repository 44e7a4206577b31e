package repository_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var documentedTarget = regexp.MustCompile(`(?m)^([a-z0-9-]+):.*## \S`)

// make help lists each target with a line about it, and each target runs although a file has
// its name.
func TestMakefile_DocumentsEveryTarget(t *testing.T) {
	text, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), ".PHONY: ")
	list, _, _ = strings.Cut(list, "\n")
	phony := strings.Fields(list)
	var documented []string
	for _, match := range documentedTarget.FindAllSubmatch(text, -1) {
		documented = append(documented, string(match[1]))
	}
	slices.Sort(phony)
	slices.Sort(documented)
	if !slices.Equal(phony, documented) {
		t.Errorf("the phony targets are %q; those with a line for make help are %q", phony, documented)
	}
}

var makeVariable = regexp.MustCompile(`(?m)^([A-Z]+) *:= (.*)$`)

// What make test leaves out of a part, it runs in another part, or another target does.
func TestMakefile_RunsElsewhereWhatAPartLeavesOut(t *testing.T) {
	text, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{}
	for _, match := range makeVariable.FindAllSubmatch(text, -1) {
		variables[string(match[1])] = string(match[2])
	}
	wants := map[string]string{ // by what is left out
		"newcomer": "$(addprefix ./,$(USERS))", "release": "$(addprefix ./,$(USERS))", "drill": "$(PLAIN) ./drill",
		"internal/repository": "$(addprefix ./,$(READERS))",
		"nodes":               "$(addprefix ./,$(filter-out drill,$(DRIVERS)))", "mutants": "$(addprefix ./,$(filter-out drill,$(DRIVERS)))",
	}
	for _, tests := range strings.Split(variables["COSTLY"], "|") {
		wants[tests] = "-run=" + tests + " "
	}
	for _, left := range append(strings.Fields(variables["USERS"]+" "+variables["DRIVERS"]+" "+variables["READERS"]), strings.Split(variables["COSTLY"], "|")...) {
		if want := wants[left]; left == "" || want == "" || !strings.Contains(string(text), want) {
			t.Errorf("make test leaves out %q, and the Makefile has no line with %q", left, want)
		}
	}
	run := strings.Fields(variables["PARTS"])
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "$(TOGETHER)") {
			run = append(run, strings.Fields(line)...)
		}
	}
	for _, part := range regexp.MustCompile(`(?m)^([a-z]+@\.[a-z/]*):`).FindAllSubmatch(text, -1) {
		if !slices.Contains(run, string(part[1])) {
			t.Errorf("no target runs %s: it is neither in PARTS nor in a line with TOGETHER", part[1])
		}
	}
}
