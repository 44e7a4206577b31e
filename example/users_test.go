package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

func TestPreparingAgainLeavesUsersAsTheyAre(t *testing.T) {
	users := testUsers(t)
	before, err := users.byEmail(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	if err := users.setDisabled(t.Context(), before.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := users.prepare(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	after, err := users.byEmail(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	if after.hash != before.hash || !after.Disabled || after.ID != before.ID {
		t.Errorf("after preparing again: %+v; before: %+v", after, before)
	}
	list, err := users.find(t.Context(), "")
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
			db, err := openDatabase(context.Background(), options{db: file})
			if err == nil {
				err = errors.Join((&userTable{db}).prepare(context.Background(), true), db.Close())
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

// The passwords of the demo users are public. On a network nobody can log in with one,
// not even if a process on a loopback address has added the user to the same database.
func TestDemoUsers_ExistOnlyOnLoopback(t *testing.T) {
	db := testDatabase(t)
	users := &userTable{db}
	if err := users.prepare(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if list, err := users.find(t.Context(), ""); err != nil || len(list) != 0 {
		t.Errorf("on a network: %d users, error %v; want none", len(list), err)
	}
	if err := users.prepare(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for demo, want := range map[bool]error{true: nil, false: errWrongPassword} {
		p, err := newPasswords(users, demo)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.check(t.Context(), grace, gracePassword, "192.0.2.1"); err != want {
			t.Errorf("demo %t: the public password of an existing demo user: error %v; want %v", demo, err, want)
		}
	}
	u, err := users.byEmail(t.Context(), grace)
	if err != nil {
		t.Fatal(err)
	}
	const private = "correct horse battery staple"
	if _, err := users.setPassword(t.Context(), u, private); err != nil {
		t.Fatal(err)
	}
	p, err := newPasswords(users, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.check(t.Context(), grace, private, "192.0.2.1"); err != nil {
		t.Errorf("with a password that is not public: %v", err)
	}
}

func TestPasswordChangeBumpsTheEpoch(t *testing.T) {
	users := testUsers(t)
	before, err := users.byEmail(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	if before.epoch == 0 {
		t.Fatal("the epoch begins at 0, which means 'not checked' to session.Login")
	}
	epoch, err := users.setPassword(t.Context(), before, "a new password")
	if err != nil {
		t.Fatal(err)
	}
	after, err := users.byID(t.Context(), before.ID)
	if err != nil {
		t.Fatal(err)
	}
	if epoch != before.epoch+1 || after.epoch != epoch || after.hash == before.hash {
		t.Errorf("epoch %d, in the row %d; want %d in both, and a new hash", epoch, after.epoch, before.epoch+1)
	}

	// A change that checked the old password a moment ago must not replace the new one.
	if _, err := users.setPassword(t.Context(), before, "another password"); !errors.Is(err, errWrongPassword) {
		t.Errorf("with the old row: error %v; want errWrongPassword", err)
	}
	if last, err := users.byID(t.Context(), before.ID); err != nil || last.epoch != epoch || last.hash != after.hash {
		t.Errorf("a refused change left %+v, error %v", last, err)
	}
}

func TestUserIDsAreReadStrictly(t *testing.T) {
	users := testUsers(t)
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
	users := testUsers(t)
	users.db.Close()
	if _, err := users.byEmail(t.Context(), "ada@example.com"); !errors.Is(err, errUnavailable) {
		t.Errorf("error %v; want errUnavailable", err)
	}
}
