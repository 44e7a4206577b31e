package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// user is a row of the app's own table, without what concerns only the login.
type user struct {
	ID       int64
	Email    string
	Name     string
	Roles    []string
	Disabled bool
}

// SessionUser is the user's id as sessions know it.
func (u user) SessionUser() string { return strconv.FormatInt(u.ID, 10) }

// login is what a login needs of the row. Hash and epoch are read together, in
// one statement: whoever knows the password of that hash gets a session of that
// epoch, and a password change in between ends it before it begins.
type login struct {
	user
	hash  string
	epoch uint64
}

var (
	errNoUser = errors.New("no such user")

	// errPasswordMoved says that the password was changed by somebody else
	// between its check and its replacement.
	errPasswordMoved = errors.New("the password was changed meanwhile")
)

// patience bounds what one request waits for the users table. A database that
// falls silent sends no error.
const patience = 2 * time.Second

// userTable keeps the users. Its errors are the ones above, or the database's
// trouble, which are errUnavailable.
type userTable struct {
	db  *sql.DB
	sql dialect
}

// demoUser is there from the start, for whoever tries the app.
type demoUser struct{ Email, Password, Name, Role, roles string }

var demoUsers = []demoUser{
	{"ada@example.com", "ada-demo-password", "Ada Lovelace", "user", `[]`},
	{"grace@example.com", "grace-demo-password", "Grace Hopper", "admin", `["admin"]`},
}

// prepare makes the table and the demo users. Any number of processes may do so
// at once, and again at every start: what is there is left as it is.
func (t *userTable) prepare(ctx context.Context, passwords *hasher) error {
	if _, err := t.db.ExecContext(ctx, t.sql.createUsers); err != nil {
		return fmt.Errorf("the users table: %w", err)
	}
	for _, demo := range demoUsers {
		if _, err := t.byEmail(ctx, demo.Email); err == nil {
			continue // saves the work of hashing
		}
		hash, err := passwords.hash(ctx, demo.Password)
		if err != nil {
			return err
		}
		if _, err := t.db.ExecContext(ctx, t.sql.insertUser, demo.Email, hash, demo.Name, demo.roles); err != nil {
			// Of processes that start together one may be the victim of a
			// deadlock; then another has written the row.
			if _, missing := t.byEmail(ctx, demo.Email); missing != nil {
				return fmt.Errorf("the demo user %s: %w", demo.Email, err)
			}
		}
	}
	return nil
}

// maxEmail is the length of the longest address there can be, and of the column.
const maxEmail = 254

// normalEmail is the one spelling of an address. False says that it is none.
func normalEmail(text string) (string, bool) {
	email := strings.ToLower(strings.TrimSpace(text))
	ok := email != "" && len(email) <= maxEmail && utf8.ValidString(text) && !strings.ContainsRune(email, 0)
	return email, ok
}

// byEmail returns what a login needs, or errNoUser.
func (t *userTable) byEmail(ctx context.Context, email string) (login, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return t.scan(t.db.QueryRowContext(ctx, selectLogin+` WHERE email = ?`, email))
}

// byID returns the same for a user who is logged in, or errNoUser.
func (t *userTable) byID(ctx context.Context, id string) (login, error) {
	n, err := parseUserID(id)
	if err != nil {
		return login{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return t.scan(t.db.QueryRowContext(ctx, selectLogin+` WHERE id = ?`, n))
}

const selectLogin = `SELECT id, email, name, roles, disabled, password_hash, session_epoch FROM users`

func (t *userTable) scan(row interface{ Scan(...any) error }) (login, error) {
	var l login
	var roles []byte
	err := row.Scan(&l.ID, &l.Email, &l.Name, &roles, &l.Disabled, &l.hash, &l.epoch)
	if errors.Is(err, sql.ErrNoRows) {
		return login{}, errNoUser
	}
	if err != nil {
		return login{}, unavailable(err)
	}
	if err := json.Unmarshal(roles, &l.Roles); err != nil {
		return login{}, fmt.Errorf("users.roles of user %d is no JSON array of strings: %w", l.ID, err)
	}
	return l, nil
}

// list returns the first users, for the admin's page.
func (t *userTable) list(ctx context.Context, limit int) ([]user, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := t.db.QueryContext(ctx, selectLogin+` ORDER BY id LIMIT ?`, limit)
	if err != nil {
		return nil, unavailable(err)
	}
	defer rows.Close()
	var users []user
	for rows.Next() {
		l, err := t.scan(rows)
		if err != nil {
			return nil, err
		}
		users = append(users, l.user)
	}
	if err := rows.Err(); err != nil {
		return nil, unavailable(err)
	}
	return users, nil
}

// setPassword replaces the hash that was checked by a new one, and bumps the
// epoch in the same statement, so that there is no moment with the new password
// and the old sessions. It returns the new epoch, and errPasswordMoved when the
// old hash is not the user's any more.
func (t *userTable) setPassword(ctx context.Context, id int64, oldHash, newHash string) (epoch uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, unavailable(err)
	}
	defer tx.Rollback() // without effect after Commit
	result, err := tx.ExecContext(ctx,
		`UPDATE users SET password_hash = ?, session_epoch = session_epoch + 1 WHERE id = ? AND password_hash = ?`,
		newHash, id, oldHash)
	if err != nil {
		return 0, unavailable(err)
	}
	if n, err := result.RowsAffected(); err != nil {
		return 0, unavailable(err)
	} else if n == 0 {
		return 0, errPasswordMoved
	}
	if err := tx.QueryRowContext(ctx, `SELECT session_epoch FROM users WHERE id = ?`, id).Scan(&epoch); err != nil {
		return 0, unavailable(err)
	}
	if err := tx.Commit(); err != nil {
		return 0, unavailable(err)
	}
	return epoch, nil
}

// setDisabled bans a user, or lifts the ban. Setting what is set is no error.
func (t *userTable) setDisabled(ctx context.Context, id string, disabled bool) error {
	n, err := parseUserID(id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := t.db.ExecContext(ctx, `UPDATE users SET disabled = ? WHERE id = ?`, disabled, n); err != nil {
		return unavailable(err)
	}
	return nil
}

// The roles that a user can be given here. Everybody is a user: that is no word
// in the row.
const (
	roleUser  = "user"
	roleAdmin = "admin"
)

// setRole makes a user an administrator, or a user like all others. Setting what
// is set is no error.
func (t *userTable) setRole(ctx context.Context, id, role string) error {
	n, err := parseUserID(id)
	if err != nil {
		return err
	}
	roles := []byte(`[]`)
	if role != roleUser {
		if roles, err = json.Marshal([]string{role}); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := t.db.ExecContext(ctx, `UPDATE users SET roles = ? WHERE id = ?`, string(roles), n); err != nil {
		return unavailable(err)
	}
	return nil
}

// parseUserID reads what SessionUser wrote, and nothing else: MySQL would take
// the text '7 or so' for 7.
func parseUserID(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != text {
		return 0, errNoUser
	}
	return n, nil
}
