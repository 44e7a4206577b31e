package repository_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var documentedTarget = regexp.MustCompile(`(?m)^([a-z-]+):.*## \S`)

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
