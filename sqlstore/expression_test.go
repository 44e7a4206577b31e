package sqlstore_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// inEveryField calls check with the result of New for an expression in each field of
// Config that accepts one.
func inEveryField(t *testing.T, expression string, check func(field string, err error)) {
	t.Helper()
	for field, cfg := range map[string]sqlstore.Config{
		"Epoch": {Epoch: expression}, "Disabled": {Disabled: expression}, "Roles": {Roles: expression},
		"Attrs": {Attrs: map[string]string{"a": expression}},
	} {
		_, err := sqlstore.New(new(sql.DB), cfg)
		check(field, err)
	}
}

func TestConfig_RefusesExpressionsThatAffectMoreThanTheirParentheses(t *testing.T) {
	for expression, why := range map[string]string{
		"(u.a) OR u.b":       "does not end with a closing parenthesis",
		"(u.a) ":             "does not end with a closing parenthesis",
		"(u.a), u.b":         "does not end with a closing parenthesis",
		"(f(u.a)) + (1) + 1": "does not end with a closing parenthesis",
		"(u.a":               "does not close a parenthesis",
		"((u.a)":             "does not close a parenthesis",
		"(u.a))":             "closes a parenthesis that it did not open",
		"(u.a)) OR ((u.b)":   "closes a parenthesis that it did not open",
		"(u.a = 'b)":         "does not close a quote '",
		`(u.a = "b)`:         `does not close a quote "`,
		"(u.`a)":             "does not close a quote `",
		"(u.a = ''))":        "closes a parenthesis that it did not open",
		"(u.a = 'b'')":       "does not close a quote '",
		`(u.a = "'"))`:       "closes a parenthesis that it did not open",
		`(u.a = '\')`:        "has a backslash before a quote",
		`(u.a = "\")`:        "has a backslash before a quote",
		"(u.a = `\\`)":       "has a backslash before a quote",
		`(u.a = '\\')`:       "has a backslash before a quote",
		`(u.a = '\"')`:       "has a backslash before a quote",
		"(u.a = '\\`')":      "has a backslash before a quote",
		`(u.\'a)`:            "has a backslash before a quote",
		`(u.a\)`:             `contains \ outside quotes`,
		"(u.a -- )":          "contains a comment",
		"(u.a--1)":           "contains a comment",
		"(u.a /* )":          "contains a comment",
		"(u.a /*! */ )":      "contains a comment",
		"(u.a # )":           "contains # outside quotes",
		"(u.a = ?)":          "contains a question mark",
		"(u.a = '?')":        "contains a question mark",
		"(u.a = 'b\x00')":    "is not UTF-8, or contains a NUL",
		"(u.a = '\xbf')":     "is not UTF-8, or contains a NUL",
		"(u.\xc3)":           "is not UTF-8, or contains a NUL",
	} {
		inEveryField(t, expression, func(field string, err error) {
			if err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), field) {
				t.Errorf("%s = %q: %v; want %q", field, expression, err, why)
			}
		})
	}
}

func TestConfig_AcceptsExpressionsThatStayWithinTheirParentheses(t *testing.T) {
	for _, expression := range []string{
		"(0)", "(NULL)", "(u.a)", "((u.a))", "(u.a) OR (u.b)", "(u.ü = 'ß')", "(u.`order`)", `("a" = 'b')`,
		"(u.a = ')')", "(u.a = '(')", `(u.a = ")")`, "(u.a = '''')", "(u.a = 'it''s')", `(u.a = "it's")`, "(u.a = '\"')",
		`(u.a = 'C:\temp')`, "(u.a = '-- # /* ; @')", "(u.a - 1 / 2 * 3)", "(- - u.a)", "(u.a\n\t= 'b'\r\n)",
		"(u.a->'x')", "(u.a <=> 1 AND u.b != 2 OR NOT u.c)", "(u.a % 2 ^ 3 & 4 | ~5)", "(f(u.a, g(u.b)))",
	} {
		inEveryField(t, expression, func(field string, err error) {
			if err != nil {
				t.Errorf("%s = %q: %v", field, expression, err)
			}
		})
	}
}

// A subquery that does not mention the user's row gives each user the same value: if that is
// the roles, everybody is an administrator.
func TestConfig_RefusesSubqueriesThatAreTheSameForEachUser(t *testing.T) {
	for expression, refused := range map[string]bool{
		"(SELECT JSON_ARRAYAGG(r.role) FROM account_roles r WHERE r.account_id = account_id)":   true,
		"(SELECT JSON_ARRAYAGG(r.role) FROM account_roles r WHERE r.account_id = u.account_id)": false,
		"(select r.role from user_roles r where r.user_id = U.id)":                              false,
		"(SELECT r.role FROM user_roles r WHERE r.user_id = `u`.`id`)":                          false,
		`(SELECT r.role FROM user_roles r WHERE r.user_id = "u"."id")`:                          false,
		"(SELECT r.role FROM user_roles r WHERE r.user_id = u . id)":                            false,
		"(SELECT r.role FROM user_roles r WHERE r.user_id = xu.id)":                             true,
		"(SELECT r.role FROM user_roles r WHERE r.user_id = 'u.id')":                            true,
		"(SELECT r.role FROM user_roles r WHERE r.user_id = `xu`.id)":                           true,
		"(COALESCE(a, (SELECT b FROM c)))":                                                      true,
		"(COALESCE(u.role, (SELECT b FROM c)))":                                                 true,
		"(COALESCE((SELECT b FROM c WHERE c.id = u.id), (SELECT b FROM d)))":                    true,
		"(SELECT b FROM c WHERE c.d IN (SELECT d FROM e WHERE e.f = u.id))":                     false,
		"(SELECT GROUP_CONCAT(u.role) FROM account_roles u WHERE u.account_id = account_id)":    true,
		"(SELECT u.role FROM account_roles AS U WHERE u.account_id = account_id)":               true,
		"(SELECT u.role FROM `account_roles` u)":                                                true,
		"(SELECT u.role FROM account_roles r JOIN app.roles u ON r.id = u.id)":                  true,
		"(SELECT u.role FROM account_roles r, roles u WHERE r.id = u.id)":                       true,
		"(SELECT r.role FROM user_roles r WHERE r.a IN (u.a, u.b))":                             false,
		"(SELECT r.role FROM users WHERE r.id = u.id)":                                          false,
		`(SELECT r.role FROM user_roles r WHERE r.user_id = "U".id)`:                            false,
		"(TABLE admin_roles)": true,
		"(VALUES ROW('[1]'))": true,
		"(WITH a AS (SELECT 1 FROM b WHERE b.c = u.id) SELECT d FROM a)":  false,
		"(NOT EXISTS (SELECT 1 FROM active a WHERE a.user_id = user_id))": true,
		"('SELECT')": false,
		"(selected)": false,
		"(`select`)": false,
	} {
		inEveryField(t, expression, func(field string, err error) {
			if (err != nil) != refused || refused && !strings.Contains(err.Error(), "such as u.id") {
				t.Errorf("%s = %q: %v; want it refused: %v", field, expression, err, refused)
			}
		})
	}
}

func TestConfig_SubqueryOfAllUsersIsRefusedWithTheNameOfTheID(t *testing.T) {
	_, err := sqlstore.Schema(sqlstore.Config{ID: "account_id", Roles: "(SELECT r.role FROM account_roles r WHERE r.account_id = account_id)"})
	if err == nil || !strings.HasSuffix(err.Error(), "such as u.account_id") {
		t.Errorf("got %v; want an error that names u.account_id", err)
	}
}

// Databases differ in the meaning of every other ASCII character.
func TestConfig_AcceptsOnlyLettersDigitsAndOperatorsOutsideQuotes(t *testing.T) {
	const accepted = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_ \t\r\n,.+-*/%<>=!|&^~"
	for c := byte(1); c < 0x80; c++ {
		if strings.IndexByte("()'\"`?", c) >= 0 {
			continue // have a meaning of their own, see the tests above
		}
		want := strings.IndexByte(accepted, c) >= 0
		if _, err := sqlstore.New(new(sql.DB), sqlstore.Config{Disabled: "(u.a " + string(c) + " u.b)"}); (err == nil) != want {
			t.Errorf("%q outside quotes: %v; want it accepted: %v", c, err, want)
		}
		if c == '\\' {
			continue
		}
		if _, err := sqlstore.New(new(sql.DB), sqlstore.Config{Disabled: "(u.a = 'x" + string(c) + "x')"}); err != nil {
			t.Errorf("%q in quotes: %v", c, err)
		}
	}
}
