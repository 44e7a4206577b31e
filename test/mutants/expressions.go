package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
)

// boundaries moves a comparison by one, negations turns it round.
var (
	boundaries = map[token.Token]token.Token{token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR}
	negations  = map[token.Token]token.Token{
		token.EQL: token.NEQ, token.NEQ: token.EQL,
		token.LSS: token.GEQ, token.GEQ: token.LSS, token.GTR: token.LEQ, token.LEQ: token.GTR,
	}
)

func isComparison(e ast.Expr) bool {
	b, ok := ast.Unparen(e).(*ast.BinaryExpr)
	return ok && negations[b.Op] != 0
}

func (c *collector) comparison(b *ast.BinaryExpr) {
	if to := boundaries[b.Op]; to != 0 {
		c.operator("boundary", b, to)
	}
	if to := negations[b.Op]; to != 0 {
		c.operator("negated", b, to)
	}
}

// operator replaces the operator of a binary expression.
func (c *collector) operator(name string, b *ast.BinaryExpr, to token.Token) {
	c.add(name, b.OpPos, b.OpPos+token.Pos(len(b.Op.String())), to.String())
}

// operands drops either side of && and ||. In a chain that drops each element once.
func (c *collector) operands(b *ast.BinaryExpr) {
	if b.Op != token.LAND && b.Op != token.LOR {
		return
	}
	c.add("operand", b.Pos(), b.Y.Pos(), "")
	c.add("operand", b.X.End(), b.End(), "")
}

// arithmetic swaps + and - of numbers.
func (c *collector) arithmetic(b *ast.BinaryExpr) {
	if !c.isBasic(b, types.IsNumeric) {
		return
	}
	switch b.Op {
	case token.ADD:
		c.operator("plus", b, token.SUB)
	case token.SUB:
		c.operator("minus", b, token.ADD)
	}
}

// condition makes an if always, never, or the other way round. What the condition
// reads stays read, so that no variable becomes unused.
func (c *collector) condition(e ast.Expr) {
	c.add("always", e.Pos(), e.End(), "true || "+c.inParens(e))
	c.add("never", e.Pos(), e.End(), "false && "+c.inParens(e))
	if !isComparison(e) { // else comparison has done it
		c.negate(e)
	}
}

func (c *collector) inParens(e ast.Expr) string { return "(" + c.text(e) + ")" }

func (c *collector) negate(e ast.Expr) {
	if not, ok := e.(*ast.UnaryExpr); ok && not.Op == token.NOT {
		c.add("negated", not.Pos(), not.X.Pos(), "")
		return
	}
	c.add("negated", e.Pos(), e.End(), "!"+c.inParens(e))
}

// number changes an integer: a small one by one, a larger one by half, so that the
// change is one that somebody could notice.
func (c *collector) number(lit *ast.BasicLit) {
	n, err := strconv.ParseInt(lit.Value, 0, 64)
	if lit.Kind != token.INT || err != nil {
		return
	}
	others := []int64{n - 1, n + 1}
	switch {
	case n == 0:
		others = []int64{1}
	case n >= 10:
		others = []int64{n / 2, n + n/2}
	}
	for _, other := range others {
		c.add("number", lit.Pos(), lit.End(), strconv.FormatInt(other, 10))
	}
}

// boolean turns true and false round, but for the results of a return, which
// results does.
func (c *collector) boolean(name *ast.Ident, stack []ast.Node) {
	_, returned := stack[max(0, len(stack)-1)].(*ast.ReturnStmt)
	if value, ok := c.constant(name); ok && !returned {
		c.add("boolean", name.Pos(), name.End(), strconv.FormatBool(!value))
	}
}

// constant returns the value of the predeclared true and false.
func (c *collector) constant(e ast.Expr) (value, ok bool) {
	name, isName := e.(*ast.Ident)
	if !isName || !slices.Contains([]string{"true", "false"}, name.Name) || !c.isBasic(e, types.IsBoolean) {
		return false, false
	}
	return name.Name == "true", true
}

// results turns a returned truth value round and makes a returned error nil.
func (c *collector) results(r *ast.ReturnStmt) {
	for _, e := range r.Results {
		if value, ok := c.constant(e); ok {
			c.add("result", e.Pos(), e.End(), strconv.FormatBool(!value))
		} else if c.isBasic(e, types.IsBoolean) && !isComparison(e) {
			c.negate(e)
		} else if t := c.typeOf(e); t != nil && types.Identical(t, types.Universe.Lookup("error").Type()) {
			c.add("result", e.Pos(), e.End(), "nil")
		}
	}
}
