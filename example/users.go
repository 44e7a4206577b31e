package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
)

// user is a row of the app's own table.
type user struct {
	ID       string // as sessions know it
	Email    string
	Name     string
	Roles    []string
	Disabled bool

	// hash and epoch are read in one statement. A login with the password of this hash
	// begins a session of this epoch. If the password is changed in between, the epoch
	// is higher and the login is refused.
	hash  string
	epoch uint64
}

const roleAdmin = "admin"

var (
	errNoUser = errors.New("no such user")

	// errUnavailable says that there is no answer: the database does not respond, or
	// too many logins wait. The client gets a 503. It is not a verdict about a user.
	errUnavailable = errors.New("not available at the moment")
)

// userTable reads and writes the users.
type userTable struct{ db database }

// statementTimeout ends the wait for a database that hangs. Such a database sends no error.
const statementTimeout = 5 * time.Second

// demoUser exists from the start on a loopback address. Its password is public, so
// passwords.check refuses it on any other address.
type demoUser struct{ Email, Password, Name, Role, roles string }

var demoUsers = []demoUser{
	{"ada@example.com", "ada-demo-password", "Ada Lovelace", "user", `[]`},
	{"grace@example.com", "grace-demo-password", "Grace Hopper", roleAdmin, `["admin"]`},
}

// prepare creates the table and, if demo is set, the demo users. It leaves existing
// rows as they are. Several processes may call it at once.
func (t *userTable) prepare(ctx context.Context, demo bool) error {
	if _, err := t.db.ExecContext(ctx, t.db.usersTable); err != nil {
		return err
	}
	for _, d := range demoUsers {
		if _, err := t.byEmail(ctx, d.Email); err == nil || !demo {
			continue
		}
		hash, err := argon2id.CreateHash(d.Password, hashParams)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO users (email, password_hash, name, roles) VALUES (?, ?, ?, ?)`, d.Email, hash, d.Name, d.roles)
		if _, missing := t.byEmail(ctx, d.Email); missing != nil { // else another process was faster
			return errors.Join(err, missing)
		}
	}
	return nil
}

const maxEmail = 254 // bytes: the longest address, and the size of the column

// normalEmail returns the one spelling of an address. ok is false if it is none.
func normalEmail(text string) (email string, ok bool) {
	email = strings.ToLower(strings.TrimSpace(text))
	return email, email != "" && len(email) <= maxEmail && utf8.ValidString(text) && !strings.ContainsRune(email, 0)
}

func (t *userTable) byEmail(ctx context.Context, email string) (user, error) {
	return t.one(ctx, `WHERE email = ?`, email)
}

func (t *userTable) byID(ctx context.Context, id string) (user, error) {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return user{}, errNoUser
	}
	u, err := t.one(ctx, `WHERE id = ?`, number)
	if err == nil && u.ID != id { // it was +7 or 07
		err = errNoUser
	}
	return u, err
}

func (t *userTable) one(ctx context.Context, where string, arg any) (user, error) {
	found, err := t.find(ctx, where, arg)
	if err == nil && len(found) == 0 {
		err = errNoUser
	}
	if err != nil {
		return user{}, err
	}
	return found[0], nil
}

func (t *userTable) find(ctx context.Context, where string, args ...any) (found []user, err error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	const columns = `SELECT id, email, name, roles, disabled, password_hash, session_epoch FROM users `
	rows, err := t.db.QueryContext(ctx, t.db.Bind(columns+where), args...)
	if err != nil {
		return nil, unavailable(err)
	}
	defer rows.Close()
	for rows.Next() {
		var u user
		var roles []byte
		if err := rows.Scan(&u.ID, &u.Email, &u.Name, &roles, &u.Disabled, &u.hash, &u.epoch); err != nil {
			return nil, unavailable(err)
		}
		if err := json.Unmarshal(roles, &u.Roles); err != nil {
			return nil, fmt.Errorf("users.roles of user %s: %w", u.ID, err)
		}
		found = append(found, u)
	}
	return found, unavailable(rows.Err())
}

// setPassword stores a new password and raises the epoch in the same statement, so that
// no session of the old password outlives it. It returns the new epoch. If the password
// has changed since u was read, it returns errWrongPassword.
func (t *userTable) setPassword(ctx context.Context, u user, password string) (epoch uint64, err error) {
	hash, err := argon2id.CreateHash(password, hashParams)
	if err != nil {
		return 0, err
	}
	epoch = u.epoch + 1
	changed, err := t.exec(ctx, `UPDATE users SET password_hash = ?, session_epoch = ? WHERE id = ? AND session_epoch = ?`,
		hash, epoch, u.ID, u.epoch)
	if err == nil && !changed {
		err = errWrongPassword
	}
	return epoch, err
}

func (t *userTable) setDisabled(ctx context.Context, id string, disabled bool) error {
	_, err := t.exec(ctx, `UPDATE users SET disabled = ? WHERE id = ?`, disabled, id)
	return err
}

// setRoles stores roles, a JSON array of strings.
func (t *userTable) setRoles(ctx context.Context, id, roles string) error {
	_, err := t.exec(ctx, `UPDATE users SET roles = ? WHERE id = ?`, roles, id)
	return err
}

func (t *userTable) exec(ctx context.Context, query string, args ...any) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	result, err := t.db.ExecContext(ctx, t.db.Bind(query), args...)
	if err != nil {
		return false, unavailable(err)
	}
	n, err := result.RowsAffected()
	return n > 0, unavailable(err)
}

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errUnavailable, err)
}
