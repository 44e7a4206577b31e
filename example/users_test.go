package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/alexedwards/argon2id"
)

// quickParams make hashes that protect nothing, for tests.
var quickParams = &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

func testDatabases(t *testing.T) *databases {
	t.Helper()
	db, err := openDatabases(t.Context(), options{db: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func testUsers(t *testing.T) (*userTable, *hasher) {
	t.Helper()
	db := testDatabases(t)
	users, passwords := &userTable{db: db.app, sql: db.dialect}, newHasher(quickParams)
	if err := users.prepare(t.Context(), passwords); err != nil {
		t.Fatal(err)
	}
	return users, passwords
}

func TestPreparingAgainLeavesUsersAsTheyAre(t *testing.T) {
	users, passwords := testUsers(t)
	before, err := users.byEmail(t.Context(), "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := users.setDisabled(t.Context(), before.SessionUser(), true); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	for range 8 {
		go func() { failed <- users.prepare(context.Background(), passwords) }()
	}
	for range 8 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	after, err := users.byEmail(t.Context(), "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if after.hash != before.hash || !after.Disabled || after.ID != before.ID {
		t.Errorf("after preparing again: %+v; before: %+v", after, before)
	}
	list, err := users.list(t.Context(), 10)
	if err != nil || len(list) != 2 {
		t.Errorf("%d users, error %v; want the two demo users", len(list), err)
	}
}

func TestManyProcessesMakeTheUsersAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	failed := make(chan error)
	const processes = 4
	for range processes {
		go func() {
			db, err := openDatabases(context.Background(), options{db: file})
			if err == nil {
				users := &userTable{db: db.app, sql: db.dialect}
				err = errors.Join(users.prepare(context.Background(), newHasher(quickParams)), db.Close())
			}
			failed <- err
		}()
	}
	for range processes {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

func TestPasswordChangeBumpsTheEpoch(t *testing.T) {
	users, _ := testUsers(t)
	before, err := users.byEmail(t.Context(), "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if before.epoch == 0 {
		t.Fatal("the epoch begins at 0, which session.Login takes for unchecked")
	}
	epoch, err := users.setPassword(t.Context(), before.ID, before.hash, "new hash")
	if err != nil {
		t.Fatal(err)
	}
	after, err := users.byID(t.Context(), before.SessionUser())
	if err != nil {
		t.Fatal(err)
	}
	if epoch != before.epoch+1 || after.epoch != epoch || after.hash != "new hash" {
		t.Errorf("epoch %d, row %d with hash %q; want %d in both and the new hash", epoch, after.epoch, after.hash, before.epoch+1)
	}

	// Who checked the old password a moment ago must not replace the new one.
	if _, err := users.setPassword(t.Context(), before.ID, before.hash, "a thief's"); !errors.Is(err, errPasswordMoved) {
		t.Errorf("with the old hash: error %v; want errPasswordMoved", err)
	}
	if last, err := users.byID(t.Context(), before.SessionUser()); err != nil || last.epoch != epoch || last.hash != "new hash" {
		t.Errorf("a refused change left %+v, error %v", last, err)
	}
}

func TestUserIDsAreReadStrictly(t *testing.T) {
	users, _ := testUsers(t)
	for _, id := range []string{"", "0", "-1", "01", "+1", " 1", "1 ", "1 or so", "99", "9223372036854775808", "٣"} {
		if _, err := users.byID(t.Context(), id); !errors.Is(err, errNoUser) {
			t.Errorf("byID(%q): error %v; want errNoUser", id, err)
		}
	}
}

func TestNormalEmail(t *testing.T) {
	if email, ok := normalEmail(" ADA@Example.com\n"); !ok || email != "ada@example.com" {
		t.Errorf("got %q, %t", email, ok)
	}
	for _, text := range []string{"", "   ", "a\x00@example.com", "\xff@example.com", string(make([]byte, 255))} {
		if email, ok := normalEmail(text); ok {
			t.Errorf("normalEmail(%q) = %q, true; want false", text, email)
		}
	}
}

func TestADatabaseThatDoesNotAnswerIsNoVerdict(t *testing.T) {
	users, _ := testUsers(t)
	users.db.Close()
	if _, err := users.byEmail(t.Context(), "ada@example.com"); !errors.Is(err, errUnavailable) {
		t.Errorf("error %v; want errUnavailable", err)
	}
}
