package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
)

type demoUser struct {
	email, password, name, roles string
	tenants                      []string
}

var demoUsers = []demoUser{
	{"ada@example.com", "ada-demo-password", "Ada Lovelace", `[]`, []string{"north", "south"}},
	{"grace@example.com", "grace-demo-password", "Grace Hopper", `["admin"]`, []string{"south"}},
}

// hashParams are the minimum that OWASP recommends for argon2id.
var hashParams = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

var errWrongPassword = errors.New("no user has this e-mail address and this password")

// user is what a login needs of a row.
type user struct {
	id    string
	hash  string
	epoch uint64
}

type userTable struct{ db database }

// prepare adds the demo users.
func (t userTable) prepare(ctx context.Context) error {
	for _, u := range demoUsers {
		hash, err := argon2id.CreateHash(u.password, hashParams)
		if err != nil {
			return err
		}
		err = t.db.add(ctx, "users", "email", `(email, password_hash, name, roles) VALUES (?, ?, ?, ?)`, u.email, hash, u.name, u.roles)
		if err != nil {
			return err
		}
	}
	return nil
}

func (t userTable) byID(ctx context.Context, id string) (user, error) {
	return t.one(ctx, `WHERE id = ?`, number(id))
}

// byPassword returns the user who has this address and this password, or errWrongPassword. It
// counts no failures, and an unknown address is answered sooner: the first example does better.
func (t userTable) byPassword(ctx context.Context, email, password string) (user, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if !utf8.ValidString(email) || strings.ContainsRune(email, 0) { // to PostgreSQL this is an error
		return user{}, errWrongPassword
	}
	u, err := t.one(ctx, `WHERE email = ?`, email)
	if errors.Is(err, sql.ErrNoRows) {
		return user{}, errWrongPassword
	}
	if err != nil {
		return user{}, err
	}
	if ok, err := argon2id.ComparePasswordAndHash(password, u.hash); err != nil || !ok {
		return user{}, errors.Join(errWrongPassword, err)
	}
	return u, nil
}

// one returns a user. The hash and the epoch are of one statement, so that a password that is
// changed during a login stops it.
func (t userTable) one(ctx context.Context, where string, arg any) (u user, err error) {
	err = t.db.one(ctx, `SELECT id, password_hash, session_epoch FROM users `+where, []any{arg}, &u.id, &u.hash, &u.epoch)
	return u, err
}
