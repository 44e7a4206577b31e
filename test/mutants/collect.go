package main

import (
	"go/ast"
	"go/token"
	"go/types"
)

// collector gathers the mutants of one file.
type collector struct {
	pkg      *pkg
	file     *file
	function string // the one that is being read
	mutants  []mutant
}

// candidates returns every mechanical mutant of a package, compiling or not, in the
// order of the source.
func candidates(p *pkg) (all []mutant) {
	for _, f := range p.files {
		c := &collector{pkg: p, file: f}
		for _, decl := range f.syntax.Decls {
			c.function = ""
			if function, ok := decl.(*ast.FuncDecl); ok {
				c.function = functionName(function)
			}
			ast.PreorderStack(decl, nil, func(n ast.Node, stack []ast.Node) bool { return c.visit(n, stack) })
		}
		name(c.mutants)
		all = append(all, c.mutants...)
	}
	return all
}

// visit makes the mutants of one node. False: nothing below it is mutated.
func (c *collector) visit(n ast.Node, stack []ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec, *ast.ArrayType, *ast.StructType, *ast.InterfaceType:
		return false
	case *ast.BinaryExpr:
		c.comparison(n)
		c.operands(n)
		c.arithmetic(n)
	case *ast.IfStmt:
		c.condition(n.Cond)
	case *ast.BlockStmt:
		c.statements(n.List)
		c.cases(n)
	case *ast.CaseClause:
		c.statements(n.Body)
	case *ast.CommClause:
		c.statements(n.Body)
	case *ast.AssignStmt:
		c.swapAssign(n)
	case *ast.IncDecStmt:
		c.swapStep(n)
	case *ast.BasicLit:
		c.number(n)
	case *ast.Ident:
		c.boolean(n, stack)
	case *ast.ReturnStmt:
		c.results(n)
	}
	return true
}

// add makes a mutant that replaces a part of the file.
func (c *collector) add(operator string, from, to token.Pos, text string) {
	function := c.function
	if function == "" {
		function = "-"
	}
	c.mutants = append(c.mutants, mutant{
		id:         c.file.name + ":" + function + ":" + operator + ":", // name adds the rest
		file:       c.file.name,
		source:     c.file.source,
		edit:       edit{c.offset(from), c.offset(to), text},
		mechanical: true,
	})
}

func (c *collector) offset(pos token.Pos) int { return c.pkg.fset.Position(pos).Offset }

// text returns the source of a node.
func (c *collector) text(n ast.Node) string {
	return string(c.file.source[c.offset(n.Pos()):c.offset(n.End())])
}

func (c *collector) typeOf(e ast.Expr) types.Type { return c.pkg.info.TypeOf(e) }

// isBasic reports whether an expression's type is, or stands on, a basic type with
// the given property.
func (c *collector) isBasic(e ast.Expr, property types.BasicInfo) bool {
	t := c.typeOf(e)
	if t == nil {
		return false
	}
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&property != 0
}
