package main

import (
	"go/ast"
	"go/token"
	"slices"
)

// statements drops each statement of a list that does something by itself. A
// declaration stays, for nothing would compile without it.
func (c *collector) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt:
			if !locks(s.X) {
				c.drop(s)
			}
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE && !discards(s) {
				c.drop(s)
			}
		case *ast.IncDecStmt:
			c.drop(s)
		}
	}
}

func (c *collector) drop(s ast.Stmt) { c.add("dropped", s.Pos(), s.End(), "") }

// locks reports whether an expression locks or unlocks: without one of the two
// every test hangs or crashes, which says nothing about the tests.
func locks(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"Lock", "Unlock", "RLock", "RUnlock"}, method.Sel.Name)
}

// discards reports whether an assignment is to blanks alone, from something that
// does nothing.
func discards(s *ast.AssignStmt) bool {
	for _, e := range s.Lhs {
		if name, ok := e.(*ast.Ident); !ok || name.Name != "_" {
			return false
		}
	}
	_, calls := s.Rhs[0].(*ast.CallExpr)
	return !calls
}

// swapAssign swaps += and -=.
func (c *collector) swapAssign(s *ast.AssignStmt) {
	switch {
	case s.Tok == token.ADD_ASSIGN && len(s.Lhs) == 1:
		c.add("plus", s.TokPos, s.TokPos+2, "-=")
	case s.Tok == token.SUB_ASSIGN && len(s.Lhs) == 1:
		c.add("minus", s.TokPos, s.TokPos+2, "+=")
	}
}

// swapStep swaps ++ and --.
func (c *collector) swapStep(s *ast.IncDecStmt) {
	if s.Tok == token.INC {
		c.add("plus", s.TokPos, s.TokPos+2, "--")
	} else {
		c.add("minus", s.TokPos, s.TokPos+2, "++")
	}
}

// cases removes each case of a switch, and each value of a case that has several.
func (c *collector) cases(block *ast.BlockStmt) {
	for _, s := range block.List {
		clause, ok := s.(*ast.CaseClause)
		if !ok {
			return // no switch's block
		}
		c.add("case", clause.Pos(), clause.End(), "")
		if len(clause.List) < 2 {
			continue
		}
		for i, e := range clause.List {
			if i == 0 {
				c.add("case", e.Pos(), clause.List[1].Pos(), "")
			} else {
				c.add("case", clause.List[i-1].End(), e.End(), "")
			}
		}
	}
}
