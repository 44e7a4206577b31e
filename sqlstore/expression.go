package sqlstore

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// checkExpression says why an expression could affect more than its own
// parentheses, or returns nothing. Databases, and their settings, differ in what
// they read as a quote, an escape or a comment: whatever any of them reads
// differently is refused. quoteMarks are the quotes that the dialect knows, operators the
// characters that mean something in this dialect only, and no quote, comment or parameter.
func checkExpression(expression, quoteMarks, operators string) (fault string) {
	if !utf8.ValidString(expression) || strings.Contains(expression, "\x00") {
		return "is not UTF-8, or contains a NUL"
	}
	if strings.Contains(expression, "?") {
		return "contains a question mark, which would be a parameter: write it another way, such as CHAR(63)"
	}
	s := scanner{quoteMarks: quoteMarks, plain: plain + operators}
	for i := range len(expression) {
		if fault := s.next(expression[i], expression[i:min(i+2, len(expression))]); fault != "" {
			return fault
		}
	}
	return s.end(expression)
}

// namesUser reports whether each subquery of an expression, which passes checkExpression,
// mentions u, the user's row, and no table within it is called u. A subquery without a mention
// gives each user the same value: in "WHERE r.account_id = account_id" both are columns of r.
func namesUser(expression, quoteMarks string) bool {
	var opened []int
	words := outsideQuotes(expression, quoteMarks)
	for i := range len(words) {
		switch words[i] {
		case '(':
			opened = append(opened, i+1)
		case ')':
			within := words[opened[len(opened)-1]:i]
			opened = opened[:len(opened)-1]
			if subquery.MatchString(within) && (!userColumn.MatchString(within) || otherU.MatchString(within)) {
				return false
			}
		}
	}
	return true
}

// outsideQuotes returns what stands outside of quotes, and the name u if it is quoted.
func outsideQuotes(expression, quoteMarks string) string {
	words, quote := []byte{}, byte(0)
	for i := range len(expression) {
		switch c := expression[i]; {
		case quote == 0 && strings.IndexByte(quoteMarks, c) >= 0:
			quote = c
		case c == quote:
			quote = 0
		case quote == 0:
			words = append(words, c)
		case (c == 'u' || c == 'U') && quote != '\'' && expression[i-1] == quote && expression[i+1] == quote:
			words = append(words, c)
		}
	}
	return string(words)
}

var (
	subquery   = regexp.MustCompile(`(?i)^\s*(select|with|table|values)\b`)
	userColumn = regexp.MustCompile(`(?i)\bu\s*\.`)
	otherU     = regexp.MustCompile(`(?i)(\b(from|join)\b|,)\s*([\w.]+\s+)?(as\s+)?u\b(\s+[^\s.]|\s*[,)]|\s*$)`)
)

const (
	escapedQuote = "has a backslash before a quote, which is an escape in some databases only: write the quote twice, or CHAR(92)"
	comment      = "contains a comment: remove it"
)

// Pairs of characters that are refused, in quotes and outside them, or outside only.
var (
	refusedPairs        = map[string]string{`\'`: escapedQuote, `\"`: escapedQuote, "\\`": escapedQuote}
	refusedOutsidePairs = map[string]string{"--": comment, "/*": comment}
)

// plain are the ASCII characters that need no attention outside quotes in any dialect. The others
// end statements (;), begin comments (#) or parameters (: @ $), are quotes in some
// databases only ([ ] $), or escapes (\).
const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" +
	" \t\r\n_,.+-*/%<>=!|&^~"

// scanner reads an expression byte by byte.
type scanner struct {
	quoteMarks string
	plain      string // the characters that need no attention outside quotes
	quote      byte   // the quote that is open; 0: none
	depth      int    // of parentheses
}

// next reads the byte c. pair is c and the byte after it, if there is one.
func (s *scanner) next(c byte, pair string) (fault string) {
	if fault := refusedPairs[pair]; fault != "" {
		return fault
	}
	if s.quote == 0 {
		return s.outside(c, pair)
	}
	if c == s.quote { // the first of two opens the quote again
		s.quote = 0
	}
	return ""
}

func (s *scanner) outside(c byte, pair string) (fault string) {
	switch {
	case c >= utf8.RuneSelf:
		return ""
	case strings.IndexByte(s.quoteMarks, c) >= 0:
		s.quote = c
		return ""
	case c == '(' || c == ')':
		return s.parenthesis(c)
	case strings.IndexByte(s.plain, c) < 0:
		return "contains " + string(c) + " outside quotes, which is not an operator"
	}
	return refusedOutsidePairs[pair]
}

func (s *scanner) parenthesis(c byte) (fault string) {
	if c == '(' {
		s.depth++
		return ""
	}
	if s.depth--; s.depth < 0 {
		return "closes a parenthesis that it did not open"
	}
	return ""
}

// end judges what is still open after the last byte.
func (s *scanner) end(expression string) (fault string) {
	switch {
	case s.quote != 0:
		return "does not close a quote " + string(s.quote)
	case s.depth != 0:
		return "does not close a parenthesis"
	case !strings.HasSuffix(expression, ")"):
		return "does not end with a closing parenthesis"
	}
	return ""
}
