package sqlstore

import (
	"strings"
	"unicode/utf8"
)

// What may stand in an expression outside quotes, besides letters, digits and
// all that is not ASCII. Left out are ends of statements (;), comments (#),
// parameters (? : @ $), quotes that only some databases know ([ ] $) and escapes.
const operators = " \t\r\n_(),.+-*/%<>=!|&^~"

// beyond says what in an expression would reach beyond its parentheses, or
// nothing. Databases differ in what they take for a quote, an escape or a comment,
// and some by their settings: what they read differently is refused.
func beyond(expression string) (fault string) {
	switch {
	case !utf8.ValidString(expression) || strings.Contains(expression, "\x00"):
		return "is not UTF-8, or has a NUL in it"
	case strings.Contains(expression, "?"):
		return "contains a question mark, which would be taken for a parameter: write it another way, CHAR(63)"
	}
	depth, quote := 0, byte(0)
	for i := range len(expression) {
		c, next := expression[i], byte(0)
		if i+1 < len(expression) {
			next = expression[i+1]
		}
		switch {
		case c == '\\' && (next == '\'' || next == '"' || next == '`'):
			return "has a backslash before a quote, which not every database takes for an escape: write the quote twice, or CHAR(92)"
		case quote != 0:
			if c == quote { // a doubled one opens it again
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '-' && next == '-' || c == '/' && next == '*':
			return "contains a comment: take it out"
		case !(c >= utf8.RuneSelf || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(operators, c) >= 0):
			return "contains " + string(c) + " outside quotes, which is no operator"
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return "closes a parenthesis that it has not opened"
			}
		}
	}
	switch {
	case quote != 0:
		return "does not close a quote " + string(quote)
	case depth != 0:
		return "does not close a parenthesis"
	case !strings.HasSuffix(expression, ")"):
		return "does not end with the parenthesis it began with"
	}
	return ""
}
