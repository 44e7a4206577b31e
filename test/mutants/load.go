package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// pkg is a package whose files are mutated.
type pkg struct {
	path  string // to import it
	fset  *token.FileSet
	files []*file
	info  types.Info
	conf  types.Config
}

// file is one source file of a package.
type file struct {
	name   string // from the root of the repository, with slashes
	source []byte
	syntax *ast.File
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	DepOnly                 bool
}

// load reads and type-checks the packages of all trees, without their tests.
func load(root string) (pkgs []*pkg, err error) {
	core := []string{}
	for _, t := range trees {
		if !t.module {
			core = append(core, "./"+t.root+"/...")
			continue
		}
		more, err := loadModule(root, filepath.Join(root, filepath.FromSlash(t.root)), "./...")
		if err != nil {
			return nil, err
		}
		pkgs = append(pkgs, more...)
	}
	more, err := loadModule(root, root, core...)
	return append(pkgs, more...), err
}

// loadModule reads and type-checks packages of the module in dir.
func loadModule(root, dir string, patterns ...string) (pkgs []*pkg, err error) {
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,DepOnly"}, patterns...)...)
	cmd.Dir = dir
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w\n%s", dir, err, &trouble)
	}
	exports := map[string]string{}
	var mine []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list in %s: %w", dir, err)
		}
		exports[l.ImportPath] = l.Export
		if !l.DepOnly {
			mine = append(mine, l)
		}
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, l := range mine {
		dir, err := filepath.Rel(root, l.Dir)
		if err != nil {
			return nil, err
		}
		if _, ok := treeOf(filepath.ToSlash(dir)); !ok {
			continue
		}
		sources := map[string][]byte{}
		for _, name := range l.GoFiles {
			if sources[filepath.ToSlash(filepath.Join(dir, name))], err = os.ReadFile(filepath.Join(l.Dir, name)); err != nil {
				return nil, err
			}
		}
		p, err := newPkg(fset, l.ImportPath, sources, imports)
		if err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
	return pkgs, nil
}

// newPkg parses and type-checks the sources of one package, by file name.
func newPkg(fset *token.FileSet, path string, sources map[string][]byte, imports types.Importer) (*pkg, error) {
	p := &pkg{
		path: path,
		fset: fset,
		info: types.Info{Types: map[ast.Expr]types.TypeAndValue{}},
		conf: types.Config{Importer: imports},
	}
	var syntax []*ast.File
	for name, source := range sources {
		tree, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.files = append(p.files, &file{name, source, tree})
		syntax = append(syntax, tree)
	}
	slices.SortFunc(p.files, func(a, b *file) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	if _, err := p.conf.Check(path, fset, syntax, &p.info); err != nil {
		return nil, err
	}
	return p, nil
}

// compiles reports whether the package type-checks with a mutant in it.
func (p *pkg) compiles(m mutant) bool {
	fset := token.NewFileSet() // of its own: one for all would grow with every mutant
	syntax := make([]*ast.File, len(p.files))
	for i, f := range p.files {
		source := f.source
		if f.name == m.file {
			source = m.mutated()
		}
		tree, err := parser.ParseFile(fset, f.name, source, parser.SkipObjectResolution)
		if err != nil {
			return false
		}
		syntax[i] = tree
	}
	_, err := p.conf.Check(p.path, fset, syntax, nil)
	return err == nil
}
