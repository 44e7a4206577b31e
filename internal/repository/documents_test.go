package repository_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// quickstart is the one document with whole programs. They are compiled elsewhere.
const quickstart = "docs/quickstart.md"

// documents returns the paths of the documents that users read.
func documents(t *testing.T) []string {
	t.Helper()
	paths := []string{"README.md"}
	for _, folder := range []string{"docs", ".github"} {
		found, err := fs.Glob(os.DirFS(root), folder+"/*.md")
		if err != nil || len(found) == 0 {
			t.Fatalf("the documents in %s: %v, %v", folder, found, err)
		}
		paths = append(paths, found...)
	}
	return paths
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(os.DirFS(root), name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each block of Go stands in a file that is compiled, so no document shows code that does not
// exist.
func TestDocuments_CodeIsCompiled(t *testing.T) {
	blocks := 0
	for _, document := range documents(t) {
		_, codes, open := split(readFile(t, document))
		if open {
			t.Errorf("%s: the last code block has no end", document)
		}
		for _, block := range codes {
			if !block.isGo() {
				continue
			}
			blocks++
			if isWholeProgram(document, block) {
				continue
			}
			if err := checkBlock(os.DirFS(root), block); err != nil {
				t.Errorf("%s:%d: %v", document, block.line, err)
			}
		}
	}
	if blocks == 0 {
		t.Error("no document has a block of Go")
	}
	t.Logf("%d blocks of Go", blocks)
}

func isWholeProgram(document string, block codeBlock) bool {
	return document == quickstart && strings.HasPrefix(block.before, "<!-- whole program: ")
}

// codeBlock is a fenced block of a document.
type codeBlock struct {
	line     int    // of the opening fence
	language string // what the fence names
	before   string // the last line before the fence that is not blank
	lines    []string
}

func (b codeBlock) isGo() bool {
	return strings.EqualFold(b.language, "go") || strings.EqualFold(b.language, "golang")
}

// split returns the lines of a document outside of its fenced blocks, and the blocks. open says
// that the last block has no end.
func split(text string) (prose []string, blocks []codeBlock, open bool) {
	before := ""
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		language, isFence := strings.CutPrefix(trimmed, "```")
		switch {
		case isFence && !open:
			blocks = append(blocks, codeBlock{line: i + 1, language: strings.TrimSpace(language), before: before})
			open = true
		case isFence:
			open, before = false, ""
		case open:
			last := &blocks[len(blocks)-1]
			last.lines = append(last.lines, line)
		default:
			prose = append(prose, line)
			if trimmed != "" {
				before = trimmed
			}
		}
	}
	return prose, blocks, open
}

var sourceComment = regexp.MustCompile(`^<!-- (\S+\.go) -->$`)

// checkBlock returns an error unless the code of a block stands in the file that the comment
// before it names. A line "// ..." separates parts that need not follow each other at once.
func checkBlock(files fs.FS, block codeBlock) error {
	match := sourceComment.FindStringSubmatch(block.before)
	if match == nil {
		return fmt.Errorf("the block needs a comment before it that names its source, such as <!-- session/example_test.go -->; there is %q", block.before)
	}
	source, err := fs.ReadFile(files, match[1])
	if err != nil {
		return err
	}
	rest, empty := codeLines(strings.Split(string(source), "\n")), true
	for _, part := range parts(block.lines) {
		empty = false
		at := indexOf(rest, part)
		if at < 0 {
			return fmt.Errorf("not in %s, or not in this order:\n%s", match[1], strings.Join(part, "\n"))
		}
		rest = rest[at+len(part):]
	}
	if empty {
		return fmt.Errorf("the block has no code")
	}
	return nil
}

// parts returns the code between the lines "// ...".
func parts(lines []string) (parts [][]string) {
	var part []string
	for _, line := range append(slices.Clone(lines), "// ...") {
		if strings.TrimSpace(line) != "// ..." {
			part = append(part, line)
			continue
		}
		if code := codeLines(part); len(code) > 0 {
			parts = append(parts, code)
		}
		part = nil
	}
	return parts
}

// codeLines returns the lines with code in a form that does not depend on gofmt's indentation
// and alignment. Blank lines and comments are left out.
func codeLines(lines []string) (code []string) {
	for _, line := range lines {
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && !strings.HasPrefix(line, "//") {
			code = append(code, line)
		}
	}
	return code
}

// indexOf returns where part begins in lines, or -1.
func indexOf(lines, part []string) int {
	for i := range len(lines) - len(part) + 1 {
		if slices.Equal(lines[i:i+len(part)], part) {
			return i
		}
	}
	return -1
}

// Each link to a file of the repository leads to a file that exists, and to a heading of it.
func TestDocuments_LinksLeadSomewhere(t *testing.T) {
	links := 0
	for _, document := range documents(t) {
		for _, link := range linksOf(readFile(t, document)) {
			links++
			if err := checkLink(os.DirFS(root), document, link); err != nil {
				t.Errorf("%s: %v", document, err)
			}
		}
	}
	if links == 0 {
		t.Error("no document has a link")
	}
	t.Logf("%d links within the repository", links)
}

var link = regexp.MustCompile(`\]\(([^()\s]+)(?: "[^"]*")?\)|^\[[^\]]+\]: (\S+)`)

// linksOf returns the targets of the relative links of a document.
func linksOf(text string) (targets []string) {
	prose, _, _ := split(text)
	for _, line := range prose {
		for _, match := range link.FindAllStringSubmatch(line, -1) {
			target := match[1] + match[2]
			if !strings.Contains(target, "://") && !strings.HasPrefix(target, "mailto:") {
				targets = append(targets, target)
			}
		}
	}
	return targets
}

// checkLink returns an error unless the target of a link in a document exists.
func checkLink(files fs.FS, document, target string) error {
	file, heading, hasHeading := strings.Cut(target, "#")
	name := document
	if file != "" {
		name = path.Join(path.Dir(document), file)
	}
	if _, err := fs.Stat(files, name); err != nil {
		return fmt.Errorf("the link to %s: %w", target, err)
	}
	if !hasHeading || !strings.HasSuffix(name, ".md") {
		return nil
	}
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	prose, _, _ := split(string(text))
	for _, line := range prose {
		if strings.HasPrefix(line, "#") && anchor(line) == heading {
			return nil
		}
	}
	return fmt.Errorf("the link to %s: %s has no such heading", target, name)
}

var notInAnchors = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

// anchor returns the name that GitHub gives to a heading.
func anchor(heading string) string {
	text := strings.TrimSpace(strings.TrimLeft(heading, "#"))
	return strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
}

const exampleSource = `package p

func Example() {
	keys := parse() // from the environment
	// A comment.
	sessions := manage(keys)

	if sessions == nil {
		return
	}
	cfg := config{
		A:    1,
		Long: 2,
	}
	serve(sessions, cfg)
}
`

func TestCheckBlock_FindsCodeThatIsNotInTheSource(t *testing.T) {
	files := fstest.MapFS{"p/example_test.go": {Data: []byte(exampleSource)}, "p/page.md": {Data: []byte("serve()")}}
	const source = "<!-- p/example_test.go -->\n"
	for _, c := range []struct{ name, document, err string }{
		{"one line", source + "```go\nsessions := manage(keys)\n```", ""},
		{"a blank line between", source + "\n```go\nserve(sessions, cfg)\n```", ""},
		{"in a list", source + "   ```go\n   serve(sessions, cfg)\n   ```", ""},
		{"comments and indentation differ", source + "```go\n// Other words.\nkeys := parse() // from the environment\n\n\t\tsessions := manage(keys)\n```", ""},
		{"alignment differs", source + "```go\nA: 1,\nLong: 2,\n```", ""},
		{"two parts", source + "```go\nkeys := parse() // from the environment\n// ...\nserve(sessions, cfg)\n```", ""},
		{"lines left out in silence", source + "```go\nkeys := parse() // from the environment\nserve(sessions, cfg)\n```", "not in p/example_test.go"},
		{"parts in another order", source + "```go\nserve(sessions, cfg)\n// ...\nkeys := parse() // from the environment\n```", "not in p/example_test.go"},
		{"one line twice", source + "```go\nserve(sessions, cfg)\n// ...\nserve(sessions, cfg)\n```", "not in p/example_test.go"},
		{"half a line", source + "```go\nmanage(keys)\n```", "not in p/example_test.go"},
		{"only a comment", source + "```go\n// A comment.\n```", "no code"},
		{"no source", "Some text.\n```go\nserve(sessions, cfg)\n```", "needs a comment"},
		{"the source of the block before", source + "```go\nserve(sessions, cfg)\n```\n```go\nserve(sessions, cfg)\n```", "needs a comment"},
		{"another name of the language", "```golang\nserve(sessions, cfg)\n```", "needs a comment"},
		{"a source that is no code", "<!-- p/page.md -->\n```go\nserve()\n```", "needs a comment"},
		{"a source that does not exist", "<!-- p/x.go -->\n```go\nserve()\n```", "not exist"},
		{"a source outside of the repository", "<!-- ../p/x.go -->\n```go\nserve()\n```", "not exist"},
		{"a whole program", "<!-- whole program: go.mod -->\n```go\nserve()\n```", "needs a comment"},
		{"another language", "```sh\nserve\n```", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got error
			_, blocks, open := split(c.document)
			for _, block := range blocks {
				if block.isGo() && got == nil {
					got = checkBlock(files, block)
				}
			}
			if open || len(blocks) == 0 || (got == nil) != (c.err == "") || got != nil && !strings.Contains(got.Error(), c.err) {
				t.Errorf("%d blocks, open %v: %v; want %q", len(blocks), open, got, c.err)
			}
		})
	}
}

func TestIsWholeProgram_OnlyInTheQuickstart(t *testing.T) {
	whole, part := codeBlock{before: "<!-- whole program: go.mod -->"}, codeBlock{before: "<!-- session/example_test.go -->"}
	if !isWholeProgram("docs/quickstart.md", whole) || isWholeProgram("docs/quickstart.md", part) || isWholeProgram("docs/testing.md", whole) {
		t.Error("whole programs are blocks of docs/quickstart.md that say so, and no others")
	}
}

func TestCheckLink_FindsLinksThatLeadNowhere(t *testing.T) {
	files := fstest.MapFS{
		"README.md":    {Data: []byte("# Name\n")},
		"docs/a.md":    {Data: []byte("## What it costs, `x`\n```\n## In a block\n```\n")},
		"docs/b.md":    {Data: []byte("")},
		"session/s.go": {Data: []byte("")},
	}
	for _, c := range []struct {
		target string
		leads  bool
	}{
		{"a.md", true}, {"../README.md", true}, {"../session", true}, {"../session/s.go#L10", true}, {"../README.md#name", true},
		{"a.md#what-it-costs-x", true}, {"#name", false}, {"a.md#in-a-block", false}, {"a.md#what-it-costs", false},
		{"docs/a.md", false}, {"c.md", false}, {"../../README.md", false}, {"/README.md", false},
	} {
		found := linksOf("See [a page](" + c.target + ") and [another](https://example.com/x.md).\n```\n[c](c.md)\n```\n")
		if !slices.Equal(found, []string{c.target}) {
			t.Errorf("found the links %q; want %q", found, c.target)
		}
		if err := checkLink(files, "docs/b.md", c.target); (err == nil) != c.leads {
			t.Errorf("%s leads somewhere: %v; got the error %v", c.target, c.leads, err)
		}
	}
	if got := linksOf("[a]: docs/a.md\n"); !slices.Equal(got, []string{"docs/a.md"}) {
		t.Errorf("found the links %q in a reference", got)
	}
}
