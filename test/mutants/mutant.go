package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// mutant is one small change of one source file.
type mutant struct {
	id     string
	file   string // from the root of the repository, with slashes
	source []byte // the file without the change
	edit   edit

	mechanical bool   // made from the syntax tree; else it is in reference.txt
	equivalent bool   // by equivalent.txt
	sample     string // the test that kills it in make test; empty: make test does not run it
}

// edit replaces source[start:end] by text.
type edit struct {
	start, end int
	text       string
}

// mutated returns the file with the change.
func (m mutant) mutated() []byte {
	out := make([]byte, 0, len(m.source)+len(m.edit.text))
	out = append(out, m.source[:m.edit.start]...)
	out = append(out, m.edit.text...)
	return append(out, m.source[m.edit.end:]...)
}

// diff shows the changed lines between two lines of context.
func (m mutant) diff() string {
	const context = 2
	before, after := m.source, m.mutated()
	first := bytes.Count(before[:m.edit.start], []byte("\n"))
	end := m.edit.start + len(m.edit.text)
	oldLines, newLines := strings.Split(string(before), "\n"), strings.Split(string(after), "\n")
	oldLast := bytes.Count(before[:m.edit.end], []byte("\n"))
	newLast := bytes.Count(after[:end], []byte("\n"))
	// Lines at either side of the edit that stay the same are context.
	for first < oldLast && first < newLast && oldLines[first] == newLines[first] {
		first++
	}
	for oldLast >= first && newLast >= first && oldLines[oldLast] == newLines[newLast] {
		oldLast, newLast = oldLast-1, newLast-1
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d\n", m.file, first+1)
	write := func(mark string, lines []string) {
		for _, line := range lines {
			b.WriteString(mark + line + "\n")
		}
	}
	write(" ", oldLines[max(0, first-context):first])
	write("-", oldLines[first:oldLast+1])
	write("+", newLines[first:newLast+1])
	write(" ", oldLines[oldLast+1:min(len(oldLines), oldLast+1+context)])
	return b.String()
}

// functionName returns how reference.txt and the ids call a function: its name,
// with the name of the receiver's type and a dot before it.
func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	of := f.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if generic, ok := of.(*ast.IndexExpr); ok {
		of = generic.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "." + f.Name.Name
	}
	return f.Name.Name
}

// functionRange returns where in the source the function of that name stands.
func functionRange(source []byte, name string) (start, end int, err error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", source, parser.SkipObjectResolution)
	if err != nil {
		return 0, 0, err
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && functionName(f) == name {
			return fset.Position(f.Pos()).Offset, fset.Position(f.End()).Offset, nil
		}
	}
	return 0, 0, fmt.Errorf("there is no function %s", name)
}
