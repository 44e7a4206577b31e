package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Compiling the tests of a package takes longer than most mutants need to be killed. So one
// binary has many mutants. Each is a copy of its function, which the function calls if the
// environment chooses that mutant.

const (
	// minTogether and maxTogether are how many mutants one binary has. Its tests run once
	// without a mutant, which must pay. A single test for each mutant always pays.
	minTogether = 6
	maxTogether = 24

	// quick is how long the tests may take that run so: those of sqlstore wait for servers
	// for longer than the compiler works.
	quick = time.Minute
)

// chosen is the environment variable that chooses a mutant of a binary, by its number.
// Without it the binary has none.
const chosen = "SESSIONKIT_MUTANT"

// batch is mutants that the same tests are to kill. Those of a batch of more than one can
// be compiled together.
type batch []*job

// batches divides jobs, those that take long first.
func (r *runner) batches(jobs []*job) []batch {
	var large, single []batch
	byTests := map[string]batch{}
	for _, j := range jobs {
		_, ok := choosable(j.mutant, 1)
		for _, dir := range j.dirs {
			ok = ok && r.usual[dir].took < quick
		}
		if !ok {
			single = append(single, batch{j})
			continue
		}
		dirs := strings.Join(j.dirs, " ")
		byTests[dirs] = append(byTests[dirs], j)
	}
	for _, dirs := range slices.Sorted(maps.Keys(byTests)) {
		for b := range slices.Chunk(byTests[dirs], maxTogether) {
			if len(b) >= minTogether || b[0].only != "" && len(b) > 1 {
				large = append(large, b)
				continue
			}
			for _, j := range b {
				single = append(single, batch{j})
			}
		}
	}
	return slices.Concat(large, single)
}

// together returns the files of a batch, by their paths. Its mutants are numbered from 1.
func (b batch) together() map[string][]byte {
	if len(b) == 1 {
		return map[string][]byte{b[0].file: b[0].mutated()}
	}
	files := map[string][]byte{}
	inserts := map[string][]insert{}
	for i, j := range b {
		ins, _ := choosable(j.mutant, i+1)
		files[j.file] = j.source
		inserts[j.file] = append(inserts[j.file], ins...)
		name, _, _ := strings.Cut(strings.TrimPrefix(string(packageClause(j.source)), "package "), "\n")
		files[path.Join(path.Dir(j.file), "mutantchosen.go")] = fmt.Appendf(nil, "package %s\n\nimport (\n\t\"os\"\n\t\"strconv\"\n)\n\nvar mutantChosen, _ = strconv.Atoi(os.Getenv(%q))\n", name, chosen)
	}
	for file, ins := range inserts {
		files[file] = apply(files[file], ins)
	}
	return files
}

// insert is text that is added to a file.
type insert struct {
	at   int
	text string
}

func apply(source []byte, inserts []insert) (out []byte) {
	slices.SortStableFunc(inserts, func(a, b insert) int { return a.at - b.at })
	from := 0
	for _, ins := range inserts {
		out = append(append(out, source[from:ins.at]...), ins.text...)
		from = ins.at
	}
	return append(out, source[from:]...)
}

// choosable returns what makes a file contain its mutant with that number beside the code as
// it is. ok is false if the mutant changes more than the body of a function, or if the
// function cannot be called by the names of its parameters.
func choosable(m mutant, number int) (_ []insert, ok bool) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", m.source, parser.SkipObjectResolution)
	if err != nil {
		return nil, false
	}
	offset := func(p token.Pos) int { return fset.Position(p).Offset }
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil || m.edit.start <= offset(f.Body.Lbrace) || m.edit.end > offset(f.Body.Rbrace) {
			continue
		}
		call, ok := callOf(f, number)
		if !ok {
			return nil, false
		}
		if f.Type.Results == nil {
			call += "; return"
		} else {
			call = "return " + call
		}
		text := string(m.source[offset(f.Pos()):offset(f.Name.Pos())]) + copyName(f, number) +
			string(m.source[offset(f.Name.End()):m.edit.start]) + m.edit.text + string(m.source[m.edit.end:offset(f.End())])
		return []insert{
			{offset(f.Body.Lbrace) + 1, fmt.Sprintf(" if mutantChosen == %d { %s };", number, call)},
			{len(m.source), "\n" + text + "\n"},
		}, true
	}
	return nil, false
}

func copyName(f *ast.FuncDecl, number int) string { return fmt.Sprintf("%s__%d", f.Name.Name, number) }

// callOf returns the call of a function's copy with the function's own arguments.
func callOf(f *ast.FuncDecl, number int) (call string, ok bool) {
	if f.Type.TypeParams != nil || f.Name.Name == "init" || f.Name.Name == "main" {
		return "", false
	}
	if f.Recv != nil {
		receiver, ok := argumentsOf(f.Recv)
		of := f.Recv.List[0].Type
		if star, isPointer := of.(*ast.StarExpr); isPointer {
			of = star.X
		}
		if _, plain := of.(*ast.Ident); !ok || !plain || len(receiver) != 1 {
			return "", false
		}
		call = receiver[0] + "."
	}
	arguments, ok := argumentsOf(f.Type.Params)
	return call + copyName(f, number) + "(" + strings.Join(arguments, ", ") + ")", ok
}

// argumentsOf returns the names of parameters, as arguments.
func argumentsOf(fields *ast.FieldList) (arguments []string, ok bool) {
	for _, field := range fields.List {
		if len(field.Names) == 0 {
			return nil, false
		}
		for _, name := range field.Names {
			if name.Name == "_" {
				return nil, false
			}
			argument := name.Name
			if _, variadic := field.Type.(*ast.Ellipsis); variadic {
				argument += "..."
			}
			arguments = append(arguments, argument)
		}
	}
	return arguments, true
}

// packageClause returns a file from its package clause on.
func packageClause(source []byte) []byte {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", source, parser.PackageClauseOnly)
	if err != nil {
		return nil
	}
	return source[fset.Position(file.Package).Offset:]
}
