package sqlstore_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// lexer is how a database splits SQL into tokens, as far as databases differ.
type lexer struct {
	name        string
	backslashes bool // are escapes in quotes
	dashes      bool // begin a comment, whatever follows them
	brackets    bool // quote names
	dollars     bool // quote texts

	// postgres is what only PostgreSQL does: comments within comments, a tag between the
	// dollars of a quote, E before a text with escapes, ` and # as operators.
	postgres bool
}

// lexersOf are the ways in which a database of a dialect may read a statement. All
// others but PostgreSQL must read it alike.
func lexersOf(d sqlstore.Dialect) []lexer {
	if d == sqlstore.PostgreSQL {
		return []lexer{
			{name: "PostgreSQL", dashes: true, dollars: true, postgres: true},
			{name: "PostgreSQL without standard_conforming_strings", backslashes: true, dashes: true, dollars: true, postgres: true},
		}
	}
	return lexers
}

var lexers = []lexer{
	{name: "MySQL", backslashes: true},
	{name: "MySQL with NO_BACKSLASH_ESCAPES"},
	{name: "MySQL 9", backslashes: true, dollars: true},
	{name: "SQLite", dashes: true, brackets: true},
}

// token is a token of SQL. Its first byte tells its kind: a quote, a letter or a digit of
// a word, or a symbol. Comments are tokens here, so that the test sees them.
type token = string

const unclosed token = "unclosed"

func isWord(c byte) bool {
	return c >= 0x80 || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// tokens splits a statement as the manuals of the databases say.
func (l lexer) tokens(sql string) (all []token) {
	for i := 0; i < len(sql); {
		rest := sql[i:]
		end := 1
		switch c := sql[i]; {
		case c == 0:
			return append(all, unclosed) // where a database written in C may stop reading
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			i++
			continue
		case c == '\'' || c == '"' || c == '`' && !l.postgres:
			escapes := l
			if l.postgres { // E'it\'s'
				escapes.backslashes = c == '\'' && (l.backslashes || strings.HasSuffix(strings.ToLower(last(all)), "e") && i > 0 && isWord(sql[i-1]))
			}
			end = escapes.quoted(rest, c)
		case c == '[' && l.brackets:
			end = strings.IndexByte(rest, ']') + 1
		case c == '$' && l.postgres && dollarQuote.MatchString(rest):
			quote := dollarQuote.FindString(rest)
			if end = strings.Index(rest[len(quote):], quote); end >= 0 {
				end += 2 * len(quote)
			}
		case c == '$' && l.dollars && !l.postgres && strings.HasPrefix(rest, "$$"):
			if end = strings.Index(rest[2:], "$$"); end >= 0 {
				end += 4
			}
		case c == '#' && !l.postgres || strings.HasPrefix(rest, "--") && (l.dashes || len(rest) == 2 || rest[2] <= ' '):
			end = strings.IndexByte(rest, '\n')
		case strings.HasPrefix(rest, "/*"):
			if end = strings.Index(rest, "*/"); end >= 0 {
				end += 2
			}
		case isWord(c):
			for end < len(rest) && isWord(rest[end]) {
				end++
			}
		}
		if end <= 0 {
			return append(all, unclosed)
		}
		all = append(all, rest[:end])
		i += end
	}
	return all
}

var dollarQuote = regexp.MustCompile(`^\$([A-Za-z_\x80-\x{10FFFF}][0-9A-Za-z_\x80-\x{10FFFF}]*)?\$`)

func last(all []token) token {
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// quoted returns the length of the quoted text at the beginning of s; -1: it does not
// end.
func (l lexer) quoted(s string, quote byte) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == 0:
			return -1 // as in tokens
		case s[i] == '\\' && l.backslashes && quote != '`':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return -1
}

// place and placeType stand for an expression and for a type in the SQL of the plain
// Config.
const (
	place     = "7777777"
	placeType = "VARBINARY(777)"
)

// differs compares a statement with the same statement of a plain Config. It may have
// other names, each of them one token in quotes. In place of each place it may have an
// operand in parentheses, and in place of placeType another type. All other tokens must
// be the same.
func (l lexer) differs(got, plain []token, names map[token]token) string {
	for len(plain) > 0 {
		if skip, n := l.replaced(got, plain); skip > 0 {
			if n < 0 {
				return fmt.Sprintf("neither an operand in parentheses nor a type at %q", got[:min(20, len(got))])
			}
			got, plain = got[n:], plain[skip:]
			continue
		}
		want := plain[0]
		if name, ok := names[want]; ok {
			want = name
		}
		if len(got) == 0 || got[0] != want {
			return fmt.Sprintf("%q instead of %q", got[:min(20, len(got))], want)
		}
		got, plain = got[1:], plain[1:]
	}
	if len(got) > 0 {
		return fmt.Sprintf("%q after the end", got)
	}
	return ""
}

// replaced returns how many tokens a place at the beginning of plain has, and how many
// tokens replace it in got; -1: what replaces it is not allowed there.
func (l lexer) replaced(got, plain []token) (skip, n int) {
	switch {
	case len(plain) > 4 && slices.Equal(plain[:5], []token{"(", "(", place, ")", ")"}):
		return 5, l.operand(got)
	case len(plain) > 3 && slices.Equal(plain[:4], []token{"VARBINARY", "(", "777", ")"}):
		return 4, columnType(got)
	}
	return 0, 0
}

// columnType returns how many tokens a type at the beginning has; -1: it is not a type.
func columnType(all []token) int {
	is := func(i int, word string) bool { return i < len(all) && strings.EqualFold(all[i], word) }
	switch {
	case len(all) < 9 || !is(1, "(") || !is(3, ")") || strings.Trim(all[2], "0123456789") != "":
		return -1
	case is(0, "VARBINARY"):
		return 4
	case is(0, "VARCHAR") && is(4, "CHARACTER") && is(5, "SET") && isWord(all[6][0]) && is(7, "COLLATE") && isWord(all[8][0]):
		return 9
	}
	return -1
}

// operand returns how many tokens the pair of parentheses at the beginning has, with
// all between them; -1: it is not closed, or contains what an operand must not.
func (l lexer) operand(all []token) int {
	symbols := ";?@:$[]\\#"
	if l.postgres {
		symbols = ";?$\\`"
	}
	depth := 0
	for i, t := range all {
		switch {
		case t == "(":
			depth++
		case t == ")":
			depth--
		case t == unclosed || strings.HasPrefix(t, "--") || strings.HasPrefix(t, "/*") || strings.Contains(symbols, t[:1]):
			return -1
		}
		if depth == 0 {
			if i == 0 {
				return -1
			}
			return i + 1
		}
	}
	return -1
}

// quotedName is a table's or a column's name as it must be written in a statement.
func quotedName(d sqlstore.Dialect, name string) token {
	if d == sqlstore.PostgreSQL {
		return `"` + name + `"`
	}
	return "`" + name + "`"
}
