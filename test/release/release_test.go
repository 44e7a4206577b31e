package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/test/internal/moduleproxy"
)

const version = "v0.1.0"

var unreleased = regexp.MustCompile(`(?m)^## Unreleased$`)

// The checkout, with what is not committed, can be released as it is, once its changelog
// has the heading.
func TestRelease_OfTheCheckout(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := moduleproxy.Snapshot(t.Context(), "../..", root); err != nil {
		t.Fatal(err)
	}
	changelog := read(t, root, "CHANGELOG.md")
	if !hasHeading(changelog, version) {
		write(t, root, "CHANGELOG.md", unreleased.ReplaceAllString(changelog, "## 0.1.0 - 2026-12-01"))
		commitAll(t, root)
	}
	before := git(t, root, "rev-parse", "HEAD")

	dir := t.TempDir()
	published, err := prepare(t.Context(), root, version, dir, filepath.Join(dir, "clone"))
	if err != nil {
		t.Fatal(err)
	}
	nested, err := moduleproxy.Nested(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(published) != 1+len(nested) || published[0].Dir != "" {
		t.Errorf("released %v; want the core first, then %v", published, nested)
	}
	if after := git(t, root, "rev-parse", "HEAD") + git(t, root, "tag") + git(t, root, "status", "--porcelain"); after != before {
		t.Errorf("the checkout itself has changed: %s", after)
	}
}

// fixture makes a repository of a core, and of one nested module that uses it.
func fixture(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{
		"CHANGELOG.md":              "# Changelog\n\n## [0.1.0] - 2026-12-01\n\nAll of it.\n",
		"LICENSE":                   "MIT\n",
		"go.mod":                    "module " + moduleproxy.Core + "\n\ngo 1.26.0\n",
		"session/session.go":        "package session\n\nfunc New() {}\n",
		"internal/hidden/hidden.go": "package hidden\n",
		"middleware/gin/go.mod": "module " + moduleproxy.Core + "/middleware/gin\n\ngo 1.26.0\n\n" +
			"require " + moduleproxy.Core + " v0.0.0\n\nreplace " + moduleproxy.Core + " => ../..\n",
		"middleware/gin/gin.go":    "package gin\n\nimport _ \"" + moduleproxy.Core + "/session\"\n",
		"cmd/sessionkit/go.mod":    "module " + moduleproxy.Core + "/cmd/sessionkit\n\ngo 1.26.0\n\nrequire " + moduleproxy.Core + " v0.0.0\n\nreplace " + moduleproxy.Core + " => ../..\n",
		"cmd/sessionkit/main.go":   "package main\n\nimport _ \"" + moduleproxy.Core + "/session\"\n\nfunc main() {}\n",
		"example/go.mod":           "module " + moduleproxy.Core + "/example\n\ngo 1.26.0\n\nreplace " + moduleproxy.Core + " => ../\n",
		"example/main.go":          "package main\n\nfunc main() {}\n",
		"test/internal/x/go.mod":   "module example.com/x\n",
		"middleware/middleware.go": "package middleware\n",
	} {
		write(t, root, name, text)
	}
	if err := moduleproxy.Commit(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestRelease_TagsTheCoreFirstAndLetsTheOthersRequireIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	clone := filepath.Join(dir, "clone")
	published, err := prepare(t.Context(), fixture(t), version, dir, clone)
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, m := range published {
		tags = append(tags, m.Tag(version))
	}
	if got, want := strings.Join(tags, " "), "v0.1.0 middleware/gin/v0.1.0 cmd/sessionkit/v0.1.0"; got != want {
		t.Errorf("the tags are %s; want %s", got, want)
	}
	goMod := git(t, clone, "show", "middleware/gin/v0.1.0:middleware/gin/go.mod")
	if strings.Contains(goMod, "replace") || !strings.Contains(goMod, moduleproxy.Core+" v0.1.0") {
		t.Errorf("the nested module's go.mod at its tag:\n%s", goMod)
	}
	if sums := git(t, clone, "show", "middleware/gin/v0.1.0:middleware/gin/go.sum"); !strings.Contains(sums, moduleproxy.Core+" v0.1.0 h1:") {
		t.Errorf("the nested module's go.sum at its tag lacks the core:\n%s", sums)
	}
}

// Each fault of a checkout is refused before anything is tagged.
func TestRelease_RefusesACheckout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		version string
		spoil   func(t *testing.T, root string)
		want    string
	}{
		"without a version":        {version: "", want: "is not a version"},
		"with half a version":      {version: "v0.1", want: "is not a version"},
		"with a version without v": {version: "0.1.0", want: "is not a version"},
		"with build metadata":      {version: "v0.1.0+linux", want: "is not a version"},
		"with a version of /v2":    {version: "v2.0.0", want: "would have to end in /v2"},
		"whose tree is not clean":  {spoil: func(t *testing.T, root string) { write(t, root, "session/new.go", "package session\n") }, want: "session/new.go"},
		"without a heading":        {version: "v0.2.0", want: "no heading for v0.2.0"},
		"whose heading is longer":  {spoil: committed("CHANGELOG.md", "## [0.1.0]", "## [0.1.01]"), want: "no heading for v0.1.0"},
		"whose core replaces":      {spoil: committed("go.mod", "go 1.26.0\n", "go 1.26.0\n\nreplace example.com/x => ./test/internal/x\n"), want: "go.mod replaces example.com/x"},
		"whose skin replaces more": {spoil: committed("middleware/gin/go.mod", "=> ../..\n", "=> ../..\n\nreplace example.com/x => ../../test/internal/x\n"), want: "middleware/gin/go.mod replaces example.com/x"},
		"whose skin has a typo":    {spoil: committed("middleware/gin/go.mod", "/middleware/gin", "/middleware/gim"), want: "middleware/gin/go.mod names another module"},
		"whose core has moved":     {spoil: committed("go.mod", moduleproxy.Core, moduleproxy.Core+"2"), want: "go.mod names another module"},
		"that has the tag":         {spoil: func(t *testing.T, root string) { git(t, root, "tag", "v0.1.0") }, want: "the tag v0.1.0 exists"},
		"that has the tag of a skin": {
			spoil: func(t *testing.T, root string) { git(t, root, "tag", "middleware/gin/v0.1.0") },
			want:  "the tag middleware/gin/v0.1.0 exists",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := fixture(t)
			if c.spoil != nil {
				c.spoil(t, root)
				c.version = version
			}
			before := git(t, root, "tag")
			dir := t.TempDir()
			_, err := prepare(t.Context(), root, c.version, dir, filepath.Join(dir, "clone"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v; want one that says %q", err, c.want)
			}
			if after := git(t, root, "tag"); after != before {
				t.Errorf("the tags are now %q; they were %q", after, before)
			}
		})
	}
}

func TestHasHeading_TakesTheVersionAndNoOther(t *testing.T) {
	t.Parallel()
	for heading, want := range map[string]bool{
		"## 0.1.0": true, "## v0.1.0": true, "## [0.1.0]": true, "## [v0.1.0] - 2026-12-01": true, "## 0.1.0 - 2026-12-01": true,
		"## 0.1.01": false, "## 0.1.0-rc.1": false, "## 10.1.0": false, "## [0.1.0": false, "### 0.1.0": false, "## 0x1.0": false, "See ## 0.1.0": false,
	} {
		if got := hasHeading("# Changelog\n\n"+heading+"\n\nText.\n", version); got != want {
			t.Errorf("%q is a heading of %s: %v; want %v", heading, version, got, want)
		}
	}
}

// The tags are judged by themselves, whoever has made them.
func TestVerify_RefusesTags(t *testing.T) {
	t.Parallel()
	const skin, goMod = "middleware/gin/v0.1.0", "middleware/gin/go.mod"
	for name, c := range map[string]struct {
		spoil func(t *testing.T, repo string)
		want  string
	}{
		"without that of the core": {func(t *testing.T, repo string) { git(t, repo, "tag", "-d", "v0.1.0") }, "v0.1.0 is not tagged: the core is tagged first"},
		"without that of a skin":   {func(t *testing.T, repo string) { git(t, repo, "tag", "-d", skin) }, skin + ": is not tagged"},
		"that leave a replace":     {retag(skin, goMod, "go 1.26.0", "go 1.26.0\n\nreplace "+moduleproxy.Core+" => ../..\n"), "go.mod replaces " + moduleproxy.Core},
		"that require a core without a tag": {
			retag(skin, goMod, moduleproxy.Core+" v0.1.0", moduleproxy.Core+" v0.0.0"),
			"requires " + moduleproxy.Core + " v0.0.0, which has no tag: the core is tagged first",
		},
		"that require another core": {func(t *testing.T, repo string) {
			git(t, repo, "tag", "v0.0.9", "v0.1.0")
			retag(skin, goMod, moduleproxy.Core+" v0.1.0", moduleproxy.Core+" v0.0.9")(t, repo)
		}, "v0.0.9; want v0.1.0"},
		"that require no core":     {retag(skin, goMod, "require "+moduleproxy.Core+" v0.1.0", ""), "none, which has no tag"},
		"of another path":          {retag(skin, goMod, "module "+moduleproxy.Core+"/middleware/gin", "module "+moduleproxy.Core+"/gin"), "the module path is not"},
		"that change more":         {retag(skin, "session/session.go", "func New() {}", "func New() {} // changed"), "its commit changes session/session.go"},
		"whose go.sum is not tidy": {retag(skin, "middleware/gin/go.sum", moduleproxy.Core, "example.com/other"), "not tidy"},
		"with a wrong checksum":    {retag(skin, "middleware/gin/go.sum", "v0.1.0 h1:", "v0.1.0 h1:AAAA"), "not tidy"},
		"that do not follow the core": {func(t *testing.T, repo string) {
			git(t, repo, "checkout", "-q", "--orphan", "alone", skin)
			git(t, repo, "commit", "-q", "-m", "alone")
			git(t, repo, "tag", "-f", skin)
		}, "does not follow that of v0.1.0"},
		"without a heading in the changelog": {func(t *testing.T, repo string) {
			retag("v0.1.0", "CHANGELOG.md", "0.1.0", "0.0.9")(t, repo)
		}, "CHANGELOG.md has no heading"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := fixture(t)
			proxy, err := moduleproxy.New(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := proxy.Tag(t.Context(), repo, version); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, repo)
			if err := verify(t.Context(), proxy, repo, version); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v; want one that says %q", err, c.want)
			}
		})
	}
}

// A module that its users cannot build is not released.
func TestProve_RefusesWhatDoesNotBuildForUsers(t *testing.T) {
	t.Parallel()
	root := fixture(t)
	write(t, root, "middleware/gin/gin.go", "package gin\n\nimport _ \""+moduleproxy.Core+"/internal/missing\"\n")
	commitAll(t, root)
	dir := t.TempDir()
	_, err := prepare(t.Context(), root, version, dir, filepath.Join(dir, "clone"))
	if err == nil || !strings.Contains(err.Error(), "internal/missing") {
		t.Errorf("the error is %v; want one that names the missing package", err)
	}
}

// A program that builds and then does not run is of no use to who installs it.
func TestProve_RefusesAProgramThatDoesNotRun(t *testing.T) {
	t.Parallel()
	root := fixture(t)
	committed("cmd/sessionkit/main.go", "func main() {}", `func main() { panic("nothing works") }`)(t, root)
	dir := t.TempDir()
	_, err := prepare(t.Context(), root, version, dir, filepath.Join(dir, "clone"))
	if err == nil || !strings.Contains(err.Error(), "a user cannot get") || !strings.Contains(err.Error(), "nothing works") {
		t.Errorf("the error is %v; want one with what the program says", err)
	}
}

// committed returns a function that changes a file of a repository, and commits it.
func committed(name, old, changed string) func(t *testing.T, root string) {
	return func(t *testing.T, root string) {
		t.Helper()
		replace(t, root, name, old, changed)
		commitAll(t, root)
	}
}

// retag returns a function that moves a tag to a commit after it, with a changed file.
func retag(tag, name, old, changed string) func(t *testing.T, repo string) {
	return func(t *testing.T, repo string) {
		t.Helper()
		git(t, repo, "checkout", "-q", "--detach", tag)
		replace(t, repo, name, old, changed)
		commitAll(t, repo)
		git(t, repo, "tag", "-f", tag)
	}
}

func replace(t *testing.T, root, name, old, changed string) {
	t.Helper()
	text := read(t, root, name)
	if !strings.Contains(text, old) {
		t.Fatalf("%s does not contain %q:\n%s", name, old, text)
	}
	write(t, root, name, strings.ReplaceAll(text, old, changed))
}

func commitAll(t *testing.T, root string) {
	t.Helper()
	git(t, root, "add", "--all")
	git(t, root, "commit", "-q", "-m", "a change")
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := moduleproxy.Git(context.WithoutCancel(t.Context()), dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, root, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	name = filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
