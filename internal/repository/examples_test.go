package repository_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/doc"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// documented are the packages whose functions and methods each appear in an Example.
var documented = []string{module + "/session", module + "/session/token", module + "/middleware/nethttp", module + "/session/sessiontest"}

// withoutExample holds what needs no Example, with the reason: at most ten entries. An
// entry that an Example uses is a fault, too.
var withoutExample = map[string]string{
	"nethttp.Core.RunsApart": "only guards for frameworks that use their contexts again call it, and an Example would need one: see the guards for echo and gin",
}

// standard are interfaces whose methods an app does not call by name: the standard library
// does, and the Manager does for store.Store and what a store may be besides. A method that only implements one of them
// needs no Example.
var standard = [][2]string{
	{"", "error"}, {"fmt", "Stringer"}, {"fmt", "GoStringer"}, {"fmt", "Formatter"}, {"encoding", "TextMarshaler"},
	{"log/slog", "LogValuer"}, {"net/http", "CookieJar"}, {module + "/session/store", "Store"}, {module + "/session/store", "OneStep"}, {module + "/session/store", "DeviceLogins"}, {module + "/session/store", "ClientForgetter"},
}

// runnable is how many Examples with an output the repository has at least.
const runnable = 35

// A reader of the documentation finds each function and method in an Example. Methods of
// the same name are told apart: Guard.Issue, Core.Issue and Manager.Issue each need one.
func TestExamples_ShowEachExportedFunctionAndMethod(t *testing.T) {
	if len(withoutExample) > 10 {
		t.Errorf("%d exceptions; want at most 10", len(withoutExample))
	}
	listing := list(t)
	declared := listing.declared(t)
	used := map[string]bool{}
	for _, p := range listing.tests {
		maps.Copy(used, listing.usedIn(t, p))
	}

	shown := 0
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		reason, excepted := withoutExample[name]
		switch {
		case used[name] && excepted:
			t.Errorf("an Example shows %s: remove it from withoutExample", name)
		case used[name]:
			shown++
		case !excepted:
			t.Errorf("no Example uses %s: write one, or give the reason in withoutExample", name)
		case reason == "":
			t.Errorf("withoutExample has no reason for %s", name)
		}
	}
	for name := range withoutExample {
		if !declared[name] {
			t.Errorf("withoutExample names %s, which does not exist, or needs no exception", name)
		}
	}
	t.Logf("%d of %d exported functions and methods appear in an Example", shown, len(declared))
}

func TestExamples_AreManyThatRun(t *testing.T) {
	count := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, example := range doc.Examples(file) {
			if example.Output != "" || example.EmptyOutput {
				count++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if count < runnable {
		t.Errorf("%d Examples have an output that go test checks; want at least %d", count, runnable)
	}
	t.Logf("%d Examples have an output that go test checks", count)
}

// goListing is what go list says of this module.
type goListing struct {
	fset    *token.FileSet
	exports map[string]string // the file with the export data of each package
	tests   []listedPackage   // the packages that have tests, with the tests
}

type listedPackage struct {
	ImportPath, Dir, Export, ForTest string
	GoFiles                          []string
	ImportMap                        map[string]string
}

func list(t *testing.T) *goListing {
	t.Helper()
	l := &goListing{fset: token.NewFileSet(), exports: map[string]string{}}
	output := goIn(t, root, "list", "-export", "-deps", "-test", "-json=ImportPath,Dir,Export,ForTest,GoFiles,ImportMap", "./...")
	for d := json.NewDecoder(bytes.NewReader(output)); ; {
		var p listedPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return l
		} else if err != nil {
			t.Fatal(err)
		}
		l.exports[p.ImportPath] = p.Export
		if p.ForTest != "" && slices.ContainsFunc(p.GoFiles, func(name string) bool { return strings.HasSuffix(name, "_test.go") }) {
			l.tests = append(l.tests, p)
		}
	}
}

// importer returns an importer for a package whose imports stand for others.
func (l *goListing) importer(imports map[string]string) types.Importer {
	return importer.ForCompiler(l.fset, "gc", func(path string) (io.ReadCloser, error) {
		if instead, ok := imports[path]; ok {
			path = instead
		}
		return os.Open(l.exports[path])
	})
}

// declared returns the exported functions and methods of the documented packages, except
// for methods that only implement one of the standard interfaces.
func (l *goListing) declared(t *testing.T) map[string]bool {
	t.Helper()
	imports := l.importer(nil)
	scopeOf := func(path string) *types.Scope {
		if path == "" {
			return types.Universe
		}
		pkg, err := imports.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		return pkg.Scope()
	}
	unwrap := types.NewFunc(token.NoPos, nil, "Unwrap", types.NewSignatureType(nil, nil, nil, nil,
		types.NewTuple(types.NewVar(token.NoPos, nil, "", types.Universe.Lookup("error").Type())), false))
	interfaces := []*types.Interface{types.NewInterfaceType([]*types.Func{unwrap}, nil).Complete()} // of package errors
	for _, name := range standard {
		interfaces = append(interfaces, scopeOf(name[0]).Lookup(name[1]).Type().Underlying().(*types.Interface))
	}

	needed := make([]bool, len(interfaces))
	declared := map[string]bool{}
	for _, path := range documented {
		scope := scopeOf(path)
		for _, name := range scope.Names() {
			object := scope.Lookup(name)
			if !object.Exported() {
				continue
			}
			if f, ok := object.(*types.Func); ok {
				declared[nameOf(f)] = true
			}
			named, ok := object.Type().(*types.Named)
			if _, isType := object.(*types.TypeName); !isType || !ok {
				continue
			}
			for method := range named.Methods() {
				if !method.Exported() {
					continue
				}
				i := slices.IndexFunc(interfaces, func(of *types.Interface) bool {
					its, _, _ := types.LookupFieldOrMethod(of, false, method.Pkg(), method.Name())
					return its != nil && types.Implements(types.NewPointer(named), of)
				})
				if i < 0 {
					declared[nameOf(method)] = true
				} else {
					needed[i] = true
				}
			}
		}
	}
	for i, isNeeded := range needed {
		if !isNeeded {
			t.Errorf("no documented type implements %v: is it still to be named in standard?", interfaces[i])
		}
	}
	return declared
}

// nameOf returns a name as people write it: session.Manager.Issue.
func nameOf(f *types.Func) string {
	pkg := f.Pkg().Name() + "."
	if receiver := f.Signature().Recv(); receiver != nil {
		of := receiver.Type()
		if pointer, ok := of.(*types.Pointer); ok {
			of = pointer.Elem()
		}
		if named, ok := of.(*types.Named); ok {
			return pkg + named.Obj().Name() + "." + f.Name()
		}
	}
	return pkg + f.Name()
}

// usedIn returns the names of the functions and methods that the Examples of a package use.
func (l *goListing) usedIn(t *testing.T, p listedPackage) map[string]bool {
	t.Helper()
	var files []*ast.File
	hasExamples := false
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(l.fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		hasExamples = hasExamples || len(examplesOf(file)) > 0
	}
	if !hasExamples {
		return nil
	}
	path, _, _ := strings.Cut(p.ImportPath, " ")
	return usedByExamples(t, l.fset, path, files, l.importer(p.ImportMap))
}

// examplesOf returns the Examples of a file.
func examplesOf(file *ast.File) (examples []ast.Decl) {
	for _, declaration := range file.Decls {
		if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Example") {
			examples = append(examples, f)
		}
	}
	return examples
}

// usedByExamples returns the names of the functions and methods that the Examples of a
// package use: in their bodies, or in what they use of the same file. Other tests, and
// helpers that only these use, do not count.
func usedByExamples(t *testing.T, fset *token.FileSet, path string, files []*ast.File, imports types.Importer) map[string]bool {
	t.Helper()
	info := types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: imports}
	if _, err := conf.Check(path, fset, files, &info); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, file := range files {
		declarations := declarationsOf(file, &info)
		seen := map[ast.Node]bool{}
		var visit func(ast.Node)
		visit = func(n ast.Node) {
			if seen[n] {
				return
			}
			seen[n] = true
			ast.Inspect(n, func(n ast.Node) bool {
				name, ok := n.(*ast.Ident)
				if !ok {
					return true
				}
				object := info.Uses[name]
				if f, ok := object.(*types.Func); ok && f.Pkg() != nil {
					used[nameOf(f)] = true
				}
				for _, declaration := range declarations[object] {
					visit(declaration)
				}
				return true
			})
		}
		for _, example := range examplesOf(file) {
			visit(example)
		}
	}
	return used
}

// declarationsOf returns the declarations of a file by what they declare. A type has its
// methods, too: an interface may call them.
func declarationsOf(file *ast.File, info *types.Info) map[types.Object][]ast.Node {
	declarations := map[types.Object][]ast.Node{}
	add := func(name *ast.Ident, n ast.Node) {
		if object := info.Defs[name]; object != nil {
			declarations[object] = append(declarations[object], n)
		}
	}
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			add(d.Name, d)
			f, ok := info.Defs[d.Name].(*types.Func)
			if !ok || f.Signature().Recv() == nil {
				continue
			}
			of := f.Signature().Recv().Type()
			if pointer, ok := of.(*types.Pointer); ok {
				of = pointer.Elem()
			}
			if named, ok := of.(*types.Named); ok {
				declarations[named.Obj()] = append(declarations[named.Obj()], d)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					add(s.Name, s)
				case *ast.ValueSpec:
					for _, name := range s.Names {
						add(name, s)
					}
				}
			}
		}
	}
	return declarations
}

// The search for uses tells methods of one name apart, and follows helpers of the same file.
func TestExamples_UsesAreFoundByType(t *testing.T) {
	const api = `package api
type A struct{}
func (A) Do() {}
func (*A) Other() {}
type B struct{}
func (B) Do() {}
func ByHelper() {}
func ByMethod() {}
func ByVariable() {}
func ByType() {}
func Elsewhere() {}
func ByTest() {}
`
	const examples = `package api
type handler struct{}
func (handler) serve() { ByMethod() }
type server interface{ serve() }
var page = func() { ByVariable() }
func helper() server { ByHelper(); page(); return handler{} }
func other() { ByTest() }
func ExampleA() { A{}.Do(); helper().serve(); elsewhere() }
func TestB() { B{}.Do(); other() }
`
	const more = `package api
func elsewhere() { Elsewhere() }
`
	fset := token.NewFileSet()
	var files []*ast.File
	for _, source := range []string{api, examples, more} {
		file, err := parser.ParseFile(fset, "", source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	used := usedByExamples(t, fset, "api", files, nil)
	for name, want := range map[string]bool{
		"api.A.Do": true, "api.ByHelper": true, "api.ByMethod": true, "api.ByVariable": true,
		"api.B.Do": false, "api.A.Other": false, "api.ByTest": false, "api.Elsewhere": false,
	} {
		if used[name] != want {
			t.Errorf("%s is used by an Example: %v; want %v", name, used[name], want)
		}
	}
}
