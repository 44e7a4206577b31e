package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// keyFile writes keys into a file whose last change was some time ago.
func (w *world) keyFile(t *testing.T, age time.Duration, keys ...string) string {
	t.Helper()
	name := filepath.Join(w.folder, "keys")
	if err := os.WriteFile(name, []byte(strings.Join(keys, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	changed := time.Now().Add(-age)
	if err := os.Chtimes(name, changed, changed); err != nil {
		t.Fatal(err)
	}
	return name
}

func readKeys(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

func TestKeyNew_PrintsAGoodKey(t *testing.T) {
	t.Parallel()
	w := &world{}
	first, second := w.run(t, "key", "new").out, w.run(t, "key", "new").out
	if _, err := session.ParseKeys(first + second); err != nil {
		t.Error(err)
	}
	var key map[string]string
	w.run(t, "key", "new", "-json").decode(t, &key)
	if _, err := session.ParseKeys(key["key"]); err != nil {
		t.Error(err)
	}
}

func TestKeyCheck_SaysWhetherKeysAreGoodAndPrintsNone(t *testing.T) {
	t.Parallel()
	w := newDatabase(t)
	a, b := session.GenerateKey(), session.GenerateKey()
	const weak = "dGhpcyBpcyBub3QgYSBzZWNyZXQ="
	for _, c := range []struct {
		name, in, env, file string
		code                int
		text                string
	}{
		{"standard input", a + "\n", "", "", exitDone, "the standard input: 1 key, good"},
		{"environment", weak, a + "," + b, "", exitDone, "SESSION_KEYS: 2 keys, good"},
		{"file", weak, weak, a + "\n" + b + "\n", exitDone, "2 keys, good"},
		{"nothing", "", "", "", exitFailed, "there is no key"},
		{"weak", weak, "", "", exitFailed, "key 1 of 1"},
		{"twice the same", a + " " + a, "", "", exitFailed, "the same as an earlier key"},
		{"too many", strings.Join([]string{a, b, session.GenerateKey(), session.GenerateKey()}, " "), "", "", exitFailed, "at most 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"key", "check"}
			if c.file != "" {
				args = append(args, "-file", w.keyFile(t, 0, c.file))
			}
			w.env["SESSION_KEYS"] = c.env
			got := w.runWith(t, c.in, args...)
			got.want(t, c.code, c.text)
			for _, secret := range []string{a, b, weak} {
				if strings.Contains(got.out+got.err, secret) {
					t.Errorf("it prints a key: %s%s", got.out, got.err)
				}
			}
		})
	}
	w.env["SESSION_KEYS"] = a + "," + b
	var checked checkedKeys
	w.run(t, "key", "check", "-json").decode(t, &checked)
	keys, err := session.ParseKeys(a + "," + b)
	if err != nil || checked.Keys != 2 || !slices.Equal(checked.Names, keys.Names()) {
		t.Errorf("it prints %+v, %v", checked, err)
	}
	w.run(t, "key", "check", "-file", filepath.Join(w.folder, "none")).want(t, exitFailed, "no such file")
}

// The three steps of session.Manager.SetKeys log nobody out.
func TestKeyRotate_KeepsSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := session.GenerateKey()
	name := w.keyFile(t, 0, old)
	load := func() {
		t.Helper()
		keys, err := session.ParseKeys(strings.Join(readKeys(t, name), ","))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.app.SetKeys(keys); err != nil {
			t.Fatal(err)
		}
	}
	load()
	_, before := w.login(t, session.Login{UserID: "1"}, "")
	w.run(t, "key", "rotate", "-file", name, "-step", "add", "-yes").want(t, exitDone, "now has 2 keys", "next: ", "-step use")
	keys := readKeys(t, name)
	if len(keys) != 2 || keys[0] != old || keys[1] == old {
		t.Fatal("add does not add a key last")
	}
	load()
	w.run(t, "key", "rotate", "-file", name, "-step", "use", "-yes").want(t, exitDone, "now has 2 keys", "-step drop")
	if got := readKeys(t, name); !slices.Equal(got, []string{keys[1], old}) {
		t.Fatal("use does not move the last key first")
	}
	load()
	_, after := w.login(t, session.Login{UserID: "1"}, "")
	if !w.isLive(before) || !w.isLive(after) {
		t.Fatal("a session is lost")
	}
	w.run(t, "key", "rotate", "-file", name, "-step", "drop", "-yes").want(t, exitFailed, "pass -unused")
	w.run(t, "key", "rotate", "-file", name, "-step", "drop", "-unused", "-yes").want(t, exitDone, "now has 1 key")
	if got := readKeys(t, name); !slices.Equal(got, keys[1:]) {
		t.Fatal("drop does not drop the old key")
	}
	load()
	if !w.isLive(after) {
		t.Error("the session of the new key is lost")
	}
}

func TestKeyRotate_RefusesStepsThatLogPeopleOut(t *testing.T) {
	t.Parallel()
	w := newDatabase(t)
	a, b, c := session.GenerateKey(), session.GenerateKey(), session.GenerateKey()
	for _, test := range []struct {
		name, err string
		step      string
		age       time.Duration
		keys      []string
	}{
		{"the only key", "there is one key only", "drop", 31 * 24 * time.Hour, []string{a}},
		{"nothing to use", "there is one key only", "use", 0, []string{a}},
		{"too early", "pass -unused", "drop", 29 * 24 * time.Hour, []string{a, b}},
		{"too many", "no more are allowed", "add", 0, []string{a, b, c}},
		{"a faulty file", "neither base64 nor hexadecimal", "add", 0, []string{"not-a-key!"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := w.keyFile(t, test.age, test.keys...)
			got := w.run(t, "key", "rotate", "-file", name, "-step", test.step, "-yes")
			got.want(t, exitFailed, test.err)
			if !slices.Equal(readKeys(t, name), test.keys) {
				t.Error("the file has changed")
			}
			if _, err := os.Stat(name + ".new"); err == nil {
				t.Error("the temporary file is left")
			}
			for _, key := range test.keys {
				if strings.Contains(got.out+got.err, key) {
					t.Error("it prints a key")
				}
			}
		})
	}
	name := w.keyFile(t, 31*24*time.Hour, a, b)
	w.run(t, "key", "rotate", "-file", name, "-step", "drop", "-yes").want(t, exitDone, "now has 1 key")
	if !slices.Equal(readKeys(t, name), []string{a}) {
		t.Error("drop does not drop the last key")
	}
}

func TestKeyRotate_KeepsTheFileSafe(t *testing.T) {
	t.Parallel()
	w := newDatabase(t)
	name := w.keyFile(t, 0, session.GenerateKey())
	link := filepath.Join(w.folder, "link")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o600, 0o640, 0o644} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		w.keyFile(t, 0, session.GenerateKey())
		a := w.run(t, "key", "rotate", "-file", link, "-step", "add", "-yes")
		a.want(t, exitDone)
		if warns := strings.Contains(a.err, "chmod 600"); warns != (mode == 0o644) {
			t.Errorf("with the mode %v it warns: %v", mode, warns)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode || len(readKeys(t, name)) != 2 {
			t.Errorf("the mode is %v; want %v, and 2 keys", info.Mode().Perm(), mode)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("the link is gone: %v", err)
		}
	}
	// Another rotation is running.
	if err := os.WriteFile(name+".new", []byte("of the other one"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run(t, "key", "rotate", "-file", name, "-step", "add", "-yes").want(t, exitFailed, "another rotation is running")
	if text, err := os.ReadFile(name + ".new"); err != nil || string(text) != "of the other one" {
		t.Errorf("the file of the other rotation is %q: %v", text, err)
	}
}
