package newcomer

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// guide is what the document has for one framework.
type guide struct {
	files    map[string]string // by name
	commands []string
}

// A block follows a comment such as <!-- whole program: chi/main.go -->, or
// <!-- commands: chi -->. The folder * is that of each framework.
var (
	marked   = regexp.MustCompile("(?ms)^<!-- (whole program|commands): (\\S+) -->\n```(go|sh)\n(.*?)^```$")
	programs = regexp.MustCompile(`(?m)^package `)
)

// guides returns the guides of a document by framework.
func guides(text string) (map[string]guide, error) {
	found, shared := map[string]guide{}, map[string]string{}
	of := func(name string) guide {
		if _, ok := found[name]; !ok {
			found[name] = guide{files: map[string]string{}}
		}
		return found[name]
	}
	blocks := marked.FindAllStringSubmatch(text, -1)
	read := 0
	for _, block := range blocks {
		kind, name, language, body := block[1], block[2], block[3], block[4]
		switch dir, file := path.Split(name); {
		case kind == "commands" && language == "sh" && dir == "":
			g := of(name)
			g.commands = strings.Split(strings.TrimSpace(body), "\n")
			found[name] = g
		case kind == "whole program" && language == "go" && dir == "*/":
			shared[file], read = body, read+1
		case kind == "whole program" && language == "go" && dir != "":
			of(strings.TrimSuffix(dir, "/")).files[file], read = body, read+1
		default:
			return nil, fmt.Errorf("the block %q is neither a file in a folder nor the commands of one", name)
		}
	}
	if all := len(programs.FindAllString(text, -1)); read != all {
		return nil, fmt.Errorf("%d of %d programs have a comment with their name before them", read, all)
	}
	for _, g := range found {
		for file, body := range shared {
			g.files[file] = body
		}
	}
	return found, nil
}

func TestGuides_OfTheDocumentAreComplete(t *testing.T) {
	for name, g := range quickstart(t) {
		for _, file := range []string{"main.go", "main_test.go"} {
			if g.files[file] == "" {
				t.Errorf("%s has no %s", name, file)
			}
		}
		if len(g.commands) == 0 || g.commands[len(g.commands)-1] != "go run ." {
			t.Errorf("the commands of %s do not end with go run . : %q", name, g.commands)
		}
		for _, command := range g.commands {
			if !strings.HasPrefix(command, "go ") {
				t.Errorf("a command of %s is not of go: %q", name, command)
			}
		}
	}
}

// A program without its comment would not be tested.
func TestGuides_RefusesProgramsWithoutAName(t *testing.T) {
	const program = "```go\npackage main\n```\n"
	for _, text := range []string{
		program,
		"<!-- whole program: main.go -->\n" + program,
		"<!-- commands: chi -->\n" + program,
		"<!-- whole program: chi/main.go -->\n" + program + program,
	} {
		if found, err := guides(text); err == nil {
			t.Errorf("%q gives %v; want an error", text, found)
		}
	}
}

// frameworks are those that the document must have.
var frameworks = []string{"nethttp", "chi", "gin", "echov5", "echov4"}

func quickstart(t *testing.T) map[string]guide {
	t.Helper()
	text, err := os.ReadFile("../../docs/quickstart.md")
	if err != nil {
		t.Fatal(err)
	}
	found, err := guides(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range frameworks {
		if _, ok := found[name]; !ok {
			t.Fatalf("docs/quickstart.md has nothing for %s", name)
		}
	}
	if len(found) != len(frameworks) {
		t.Fatalf("docs/quickstart.md has %d frameworks; this test knows %v", len(found), frameworks)
	}
	return found
}
