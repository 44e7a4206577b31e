package repository_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the api.txt of each module")

// Each published module has its exported API in api.txt, one thing a line. A commit that
// changes the API changes the file, too, so that a reviewer sees what users will see.
func TestAPI_IsTheCommittedOne(t *testing.T) {
	for _, folder := range publishedModules(t) {
		t.Run(strings.TrimPrefix(folder, root+"/"), func(t *testing.T) {
			lines := exportedAPI(t, folder)
			if len(lines) == 0 {
				return // the module has programs only
			}
			name := filepath.Join(folder, "api.txt")
			text := strings.Join(lines, "\n") + "\n"
			if *update {
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			committed, err := os.ReadFile(name)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if string(committed) == text {
				return
			}
			t.Errorf("the API is not that of %s. If that is meant, commit what this writes:\n\n    go test ./internal/repository -run API -update\n\n%s",
				name, difference(strings.Split(strings.TrimSpace(string(committed)), "\n"), lines))
		})
	}
}

// difference returns the lines that are in one of two lists only.
func difference(before, after []string) string {
	var text strings.Builder
	for _, line := range before {
		if line != "" && !slices.Contains(after, line) {
			fmt.Fprintln(&text, "-", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			fmt.Fprintln(&text, "+", line)
		}
	}
	if text.Len() == 0 {
		return "The lines are the same, in another order."
	}
	return text.String()
}

// publishedModules returns the folders of the modules that users get: the core, assertion,
// oidc, and what is below metrics, middleware and cmd.
func publishedModules(t *testing.T) (folders []string) {
	t.Helper()
	for _, folder := range modules(t) {
		below, err := filepath.Rel(root, folder)
		if err != nil {
			t.Fatal(err)
		}
		tree, _, _ := strings.Cut(filepath.ToSlash(below), "/")
		if slices.Contains([]string{".", "assertion", "oidc", "metrics", "middleware", "cmd"}, tree) {
			folders = append(folders, folder)
		}
	}
	if !slices.Contains(folders, root) {
		t.Fatalf("the core is not among the modules: %q", folders)
	}
	return folders
}

// exportedAPI returns the sorted lines of all packages of a module that users can import.
func exportedAPI(t *testing.T, folder string) []string {
	t.Helper()
	exports := map[string]string{}
	var public []string
	out := goIn(t, folder, "list", "-export", "-deps", "-json=ImportPath,Name,Export,DepOnly", "./...")
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Name, Export string
			DepOnly                  bool
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly && p.Name != "main" && !strings.Contains(p.ImportPath+"/", "/internal/") {
			public = append(public, p.ImportPath)
		}
	}
	imports := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	var lines []string
	for _, path := range public {
		pkg, err := imports.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, packageAPI(pkg)...)
	}
	slices.Sort(lines)
	return lines
}

func TestAPI_HasALineForEachThingThatAProgramCanName(t *testing.T) {
	const source = `package session

import "io"

const Limit, hidden = 20, 1

var Err error

type (
	Reason uint8
	Alias = *Reason
	Config struct {
		Name string
		F    func(name string, r io.Reader) (n int, err error)
		part
		Manager
		secret int
	}
	part    struct{ Inherited bool }
	Manager struct{ f func() }
	Store   interface {
		io.Closer
		Find(id string) error
	}
	Sealed interface{ seal() }
	Number interface{ ~int | ~uint }
	List[T Number] []T
)

func (Reason) String() string                { return "" }
func (*Manager) Run(of ...string) <-chan int { return nil }
func (*part) Promoted()                      {}
func (Manager) secret()                      {}
func New[T Number](first T) *List[T]         { return nil }
func Open(name, dsn string) (m *Manager)     { return nil }
`
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, "session.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	pkg, err := conf.Check(module+"/session", fset, []*ast.File{syntax}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := packageAPI(pkg)
	slices.Sort(got)
	if want := []string{
		"session: const Limit untyped int = 20",
		"session: func New[T Number](first T) *List[T]",
		"session: func Open(string, string) *Manager",
		"session: method (*Config) Promoted()",
		"session: method (*Config) Run(...string) <-chan int",
		"session: method (*Manager) Run(...string) <-chan int",
		"session: method (Reason) String() string",
		"session: type Alias = *Reason",
		"session: type Config struct, not comparable",
		"session: type Config, embedded Manager",
		"session: type Config, field F func(string, io.Reader) (int, error)",
		"session: type Config, field Inherited bool",
		"session: type Config, field Name string",
		"session: type List[T Number] []T, not comparable",
		"session: type Manager struct, not comparable",
		"session: type Number interface{~int | ~uint}",
		"session: type Reason uint8",
		"session: type Sealed interface that other packages cannot implement",
		"session: type Store interface",
		"session: type Store, method Close() error",
		"session: type Store, method Find(string) error",
		"session: var Err error",
	}; !slices.Equal(got, want) {
		t.Errorf("got\n%s\nthe difference is\n%s", strings.Join(got, "\n"), difference(want, got))
	}
}

// packageAPI returns one line for each exported object of a package, and for each exported
// field and method of its types.
func packageAPI(pkg *types.Package) (lines []string) {
	a := api{pkg: pkg, name: strings.TrimPrefix(pkg.Path(), module+"/")}
	for _, name := range pkg.Scope().Names() {
		object := pkg.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		switch o := object.(type) {
		case *types.Const:
			a.add("const %s %s = %s", name, a.typeOf(o.Type()), o.Val().ExactString())
		case *types.Var:
			a.add("var %s %s", name, a.typeOf(o.Type()))
		case *types.Func:
			a.add("func %s%s", name, strings.TrimPrefix(a.typeOf(o.Type()), "func"))
		case *types.TypeName:
			a.typeName(o)
		}
	}
	return a.lines
}

// api collects the lines of a package.
type api struct {
	pkg   *types.Package
	name  string // the path below the core's
	lines []string
}

func (a *api) add(format string, args ...any) {
	a.lines = append(a.lines, a.name+": "+fmt.Sprintf(format, args...))
}

// typeOf writes a type without the names of parameters: a program does not depend on them.
func (a *api) typeOf(t types.Type) string {
	return types.TypeString(unnamed(t), func(p *types.Package) string {
		if p == a.pkg {
			return ""
		}
		return strings.TrimPrefix(p.Path(), module+"/")
	})
}

func (a *api) typeName(o *types.TypeName) {
	if o.IsAlias() {
		a.add("type %s = %s", o.Name(), a.typeOf(types.Unalias(o.Type())))
		return
	}
	named := o.Type().(*types.Named)
	kind := "struct"
	switch underlying := named.Underlying().(type) {
	case *types.Struct:
		a.fields(o.Name(), underlying)
	case *types.Interface:
		kind = "interface"
		for method := range underlying.Methods() { // those of embedded interfaces, too
			if !method.Exported() {
				kind = "interface that other packages cannot implement"
				continue
			}
			a.add("type %s, method %s%s", o.Name(), method.Name(), strings.TrimPrefix(a.typeOf(method.Type()), "func"))
		}
		if !underlying.IsMethodSet() {
			kind = a.typeOf(underlying) // a constraint
		}
	default:
		kind = a.typeOf(underlying)
	}
	if !types.Comparable(named) {
		kind += ", not comparable"
	}
	a.add("type %s%s %s", o.Name(), a.typeParameters(named), kind)
	if types.IsInterface(named) {
		return
	}
	// Methods that come from embedded fields count as well.
	values := types.NewMethodSet(named)
	for selection := range types.NewMethodSet(types.NewPointer(named)).Methods() {
		method := selection.Obj()
		if !method.Exported() {
			continue
		}
		receiver := "*" + o.Name()
		if values.Lookup(a.pkg, method.Name()) != nil {
			receiver = o.Name()
		}
		a.add("method (%s) %s%s", receiver, method.Name(), strings.TrimPrefix(a.typeOf(selection.Type()), "func"))
	}
}

// fields adds the fields that a program can name, also those of embedded structs whose type
// it cannot.
func (a *api) fields(typeName string, s *types.Struct) {
	for field := range s.Fields() {
		switch embedded, isStruct := field.Type().Underlying().(*types.Struct); {
		case field.Exported() && field.Embedded():
			a.add("type %s, embedded %s", typeName, a.typeOf(field.Type()))
		case field.Exported():
			a.add("type %s, field %s %s", typeName, field.Name(), a.typeOf(field.Type()))
		case field.Embedded() && isStruct:
			a.fields(typeName, embedded)
		}
	}
}

func (a *api) typeParameters(named *types.Named) string {
	var list []string
	for p := range named.TypeParams().TypeParams() {
		list = append(list, p.Obj().Name()+" "+a.typeOf(p.Constraint()))
	}
	if len(list) == 0 {
		return ""
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// unnamed returns the type with functions whose parameters and results have no names.
func unnamed(t types.Type) types.Type {
	switch t := t.(type) {
	case *types.Signature:
		if t.TypeParams().Len() > 0 {
			return t // its parameters belong to one signature only
		}
		return types.NewSignatureType(nil, nil, nil, unnamedTuple(t.Params()), unnamedTuple(t.Results()), t.Variadic())
	case *types.Pointer:
		return types.NewPointer(unnamed(t.Elem()))
	case *types.Slice:
		return types.NewSlice(unnamed(t.Elem()))
	case *types.Array:
		return types.NewArray(unnamed(t.Elem()), t.Len())
	case *types.Chan:
		return types.NewChan(t.Dir(), unnamed(t.Elem()))
	case *types.Map:
		return types.NewMap(unnamed(t.Key()), unnamed(t.Elem()))
	}
	return t
}

func unnamedTuple(tuple *types.Tuple) *types.Tuple {
	var variables []*types.Var
	for v := range tuple.Variables() {
		variables = append(variables, types.NewParam(token.NoPos, nil, "", unnamed(v.Type())))
	}
	return types.NewTuple(variables...)
}
