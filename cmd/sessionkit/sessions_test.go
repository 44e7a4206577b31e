package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// The outputs are part of what scripts and people rely on.
func TestCommands_PrintTheGoldenFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, _ := w.login(t, session.Login{UserID: "1", IP: "192.0.2.1", Methods: []string{"pwd", "otp"}, ExternalID: "at-the-provider", Data: map[string]string{"tenant": "7"}}, "Mozilla/5.0 \x1b[31mred\u202e")
	time.Sleep(2 * time.Millisecond) // SQLite's clock counts milliseconds, and the list is sorted by it
	second := w.ofClient(t, session.Login{UserID: "1", IP: "192.0.2.2", Client: "notes-cli"})
	for _, c := range []struct {
		file string
		code int
		args []string
	}{
		{"list.txt", exitDone, []string{"list", "-user", "1"}},
		{"list.json", exitDone, []string{"list", "-user", "1", "-json"}},
		{"list-none.txt", exitDone, []string{"list", "-user", "3"}},
		{"list-none.json", exitDone, []string{"list", "-user", "3", "-json"}},
		{"show.txt", exitDone, []string{"show", first.ID}},
		{"show.json", exitDone, []string{"show", "-json", first.ID}},
		{"stats.txt", exitDone, []string{"stats"}},
		{"stats.json", exitDone, []string{"stats", "-json"}},
		{"schema.txt", exitDone, []string{"schema"}},
		{"migrate.txt", exitDone, []string{"migrate"}},
		{"doctor.txt", exitDone, []string{"doctor"}},
		{"doctor-user.json", exitDone, []string{"doctor", "-json", "-user", "2"}},
		{"revoke-session.txt", exitDone, []string{"revoke", second.ID, "-user", "1", "-yes"}},
		{"show-revoked.txt", exitDone, []string{"show", second.ID}},
		{"revoke-user.txt", exitDone, []string{"revoke", "-user", "1", "-except", first.ID, "-yes"}},
		{"revoke-user.json", exitDone, []string{"revoke", "-user", "1", "-yes", "-json"}},
		{"revoke-external.json", exitDone, []string{"revoke", "-external", "at-the-provider", "-yes", "-json"}},
		{"revoke-all.txt", exitDone, []string{"revoke-all", "-yes"}},
		{"help.txt", exitDone, []string{"-h"}},
		{"help-revoke.txt", exitDone, []string{"revoke", "-h"}},
		{"completion.bash", exitDone, []string{"completion", "bash"}},
		{"completion.zsh", exitDone, []string{"completion", "zsh"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			a := w.run(t, c.args...)
			a.want(t, c.code)
			if a.err != "" {
				t.Errorf("standard error has: %s", a.err)
			}
			w.golden(t, c.file, a.out)
		})
	}
}

// Whoever ends the sessions of a stolen account must notice that the id is that of nobody.
func TestRevoke_WarnsIfTheUserHasNoSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, _ := w.login(t, session.Login{UserID: "1"}, "Firefox")
	for _, c := range []struct {
		warns bool
		args  []string
	}{
		{true, []string{"-user", "2"}},
		{true, []string{"-user", "99"}},
		{true, []string{"-user", "ada"}},
		{false, []string{"-user", "1", "-except", s.ID}},
		{false, []string{"-user", "1"}},
		{true, []string{"-user", "1", "-json"}},
	} {
		a := w.run(t, append([]string{"revoke", "-yes"}, c.args...)...)
		a.want(t, exitDone)
		if got := strings.Contains(a.err, "is the id right?"); got != c.warns {
			t.Errorf("%q warns: %v; want %v\n%s", c.args, got, c.warns, a.err)
		}
		if strings.Contains(a.out, "warning") {
			t.Errorf("the warning is on the standard output: %s", a.out)
		}
	}
}

// What an operator ends, ends in the app, on a node that the command does not know, and nothing else does.
func TestRevoke_EndsSessionsInTheApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		name string
		ends []bool // of the sessions of user 1, of user 1 with an external id, of user 2
		args func(ids []string) []string
	}{
		{"one session", []bool{true, false, false}, func(ids []string) []string { return []string{"revoke", ids[0], "-user", "1"} }},
		{"an external id", []bool{false, true, false}, func([]string) []string { return []string{"revoke", "-external", "elsewhere"} }},
		{"all of a user but one", []bool{false, true, false}, func(ids []string) []string { return []string{"revoke", "-user", "1", "-except", ids[0]} }},
		{"all of a user", []bool{true, true, false}, func([]string) []string { return []string{"revoke", "-user", "1"} }},
		{"all", []bool{true, true, true}, func([]string) []string { return []string{"revoke-all"} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ids []string
			var live []func() bool
			for _, l := range []session.Login{{UserID: "1"}, {UserID: "1", ExternalID: "elsewhere"}, {UserID: "2"}} {
				s, b := w.login(t, l, "a browser")
				ids, live = append(ids, s.ID), append(live, func() bool { return w.isLive(b) })
			}
			began := time.Now()
			w.run(t, append(c.args(ids), "-yes")...).want(t, exitDone, "done")
			for n, ends := range c.ends {
				for ends && live[n]() {
					if time.Since(began) > 5*time.Second { // 1.5 s on a machine that does nothing else
						t.Fatalf("session %d goes on after 5 s", n)
					}
					time.Sleep(10 * time.Millisecond)
				}
			}
			t.Logf("the app has seen it after %v", time.Since(began).Round(time.Millisecond))
			for n, ends := range c.ends {
				if live[n]() == ends {
					t.Errorf("session %d ends: %v; want %v", n, !ends, ends)
				}
			}
		})
	}
}

func TestRevoke_EndsNoSessionOfAnotherUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, b := w.login(t, session.Login{UserID: "1"}, "")
	w.run(t, "revoke", s.ID, "-user", "2", "-yes").want(t, exitNotFound, "no such session")
	if !w.isLive(b) {
		t.Error("the session has ended")
	}
	w.run(t, "show", s.ID, "-json").want(t, exitDone, `"state": "live"`)
}

// slowStore never gets to the end of a user's sessions.
type slowStore struct{ store.Store }

// RevokeUser implements store.Store.
func (slowStore) RevokeUser(_ context.Context, r store.UserRevocation) (int, error) {
	time.Sleep(100 * time.Millisecond)
	return r.Limit, nil
}

// brokenStore does not answer.
type brokenStore struct{ store.Store }

// List implements store.Store.
func (brokenStore) List(context.Context, string, store.ID, int) ([]store.Record, error) {
	return nil, errors.New("the disk is gone")
}

func TestExitCodes_SayWhetherToTryAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.wrap = func(s store.Store) store.Store { return slowStore{s} }
	a := w.run(t, "revoke", "-user", "1", "-yes")
	a.want(t, exitUnfinished, "run the same command again")
	if a.out != "" || strings.Contains(a.err, "Run goes on") {
		t.Errorf("it says %q and %q", a.out, a.err)
	}
	w.wrap = func(s store.Store) store.Store { return brokenStore{s} }
	w.run(t, "list", "-user", "1").want(t, exitUnavailable, "the disk is gone")
	w.wrap = nil
	w.run(t, "show", strings.Repeat("0", 31)+"1").want(t, exitNotFound, "there is no session")
	w.run(t, "doctor", "-user", "99").want(t, exitNotFound, "there is no user 99")
	w.exec(t, "DROP TABLE sessions")
	for _, args := range [][]string{{"list", "-user", "1"}, {"stats"}, {"revoke", "-user", "1", "-yes"}, {"show", strings.Repeat("1", 32)}} {
		w.run(t, args...).want(t, exitUnavailable, "no such table")
	}
}

func TestUsage_IsRefusedBeforeAnythingHappens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, b := w.login(t, session.Login{UserID: "1", ExternalID: "x"}, "")
	for _, c := range []struct {
		err  string
		args []string
	}{
		{"name a command", nil},
		{`no command "lst"`, []string{"lst"}},
		{`no command "key"`, []string{"key"}},
		{"not defined: -force", []string{"revoke-all", "-force"}},
		{"list takes no arguments", []string{"list", "1"}},
		{"list needs -user", []string{"list"}},
		{"list needs -user", []string{"list", "-user", ""}},
		{"show takes one argument", []string{"show"}},
		{"is no session", []string{"show", "1"}},
		{"is no session", []string{"revoke", "1", "-user", "1", "-yes"}},
		{"is no session", []string{"revoke", "", "-user", "1", "-yes"}},
		{"is no session", []string{"revoke", "-user", "1", "-except", "", "-yes"}},
		{"revoke needs -user", []string{"revoke", "-yes"}},
		{"revoke needs -user", []string{"revoke", s.ID, "-yes"}},
		{"revoke needs -user", []string{"revoke", "-user", "", "-yes"}},
		{"leave -except out", []string{"revoke", s.ID, "-user", "1", "-except", s.ID, "-yes"}},
		{"-external ID takes", []string{"revoke", "-external", "", "-yes"}},
		{"-external ID takes", []string{"revoke", "-external", "x", "-user", "1", "-yes"}},
		{"-external ID takes", []string{"revoke", "-external", "x", s.ID, "-yes"}},
		{"-user is empty", []string{"doctor", "-user", ""}},
		{"takes no arguments", []string{"revoke-all", "-yes", "--", "-json"}},
		{"key rotate needs", []string{"key", "rotate"}},
		{"key rotate needs", []string{"key", "rotate", "-file", "x", "-step", "jump"}},
		{"use bash or zsh", []string{"completion", "fish"}},
		// Nobody can answer a question here.
		{"pass -yes", []string{"revoke", s.ID, "-user", "1"}},
		{"pass -yes", []string{"revoke", "-user", "1"}},
		{"pass -yes", []string{"revoke", "-external", "x"}},
		{"pass -yes", []string{"revoke-all"}},
		{"pass -yes", []string{"key", "rotate", "-file", w.env["SESSIONKIT_CONFIG"], "-step", "add"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			a := w.runWith(t, "yes\n", c.args...)
			a.want(t, exitUsage, c.err)
			if a.out != "" {
				t.Errorf("the standard output has %q", a.out)
			}
		})
	}
	w.run(t, "show", s.ID, "-json").want(t, exitDone, `"state": "live"`)
	if !w.isLive(b) {
		t.Error("a session has ended")
	}
}

func TestConfirm_AsksOnATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.terminal = true
	s, _ := w.login(t, session.Login{UserID: "1"}, "")
	w.runWith(t, "", "revoke", "-user", "1").want(t, exitUsage, "pass -yes") // the end of the input, as of /dev/null
	for _, in := range []string{"\n", "y\n", "YES\n", "no\n", "yes please\n"} {
		w.runWith(t, in, "revoke", "-user", "1").want(t, exitFailed, "This ends all sessions of user 1.", "nothing was done")
	}
	w.run(t, "show", s.ID, "-json").want(t, exitDone, `"state": "live"`)
	w.runWith(t, "yes\n", "revoke", "-user", "1").want(t, exitDone, "done: this ended all sessions of user 1")
	w.run(t, "show", s.ID, "-json").want(t, exitDone, `"state": "revoked"`, `"reason": "revoked"`)
}

func TestShow_SaysWhyASessionIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ state, sql string }{
		{"over: the user is disabled", "UPDATE users SET disabled = 1 WHERE id = 1"},
		{"live", "UPDATE users SET disabled = 0 WHERE id = 1"},
		{"over: the user's session epoch has changed", "UPDATE users SET session_epoch = 2 WHERE id = 1"},
		{"live", "UPDATE users SET session_epoch = 1 WHERE id = 1"},
		{"over: its time has ended", "UPDATE sessions SET ends_at = created_at"},
		{"live", "UPDATE sessions SET ends_at = created_at + 3600000000"},
		{"over: the actor's session is over", "UPDATE sessions SET actor = x'78', actor_session = x'00000000000000000000000000000001'"},
		{"live", "UPDATE sessions SET actor = NULL, actor_session = NULL"},
		{"over: the user was deleted", "DELETE FROM users WHERE id = 1"},
		{"over: all sessions were ended", "UPDATE sessions_epoch SET epoch = epoch + 1"},
		{"revoked", "UPDATE sessions SET revoked_at = created_at, revoke_reason = x'6c6f676f7574'"},
	} {
		if w.count(t, "SELECT COUNT(*) FROM sessions") == 0 {
			w.login(t, session.Login{UserID: "1"}, "")
		}
		w.exec(t, c.sql)
		var id string
		if err := w.db.QueryRow("SELECT lower(hex(id)) FROM sessions").Scan(&id); err != nil {
			t.Fatal(err)
		}
		var s shownSession
		w.run(t, "show", id, "-json").decode(t, &s)
		if s.State != c.state {
			t.Errorf("after %s the state is %q; want %q", c.sql, s.State, c.state)
		}
	}
}

func TestList_ReadsAllPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, n := range []int{99, 100, 101, 200} {
		for w.count(t, "SELECT COUNT(*) FROM sessions") < n {
			w.login(t, session.Login{UserID: "1"}, "")
		}
		var all []shownSession
		w.run(t, "list", "-user", "1", "-json").decode(t, &all)
		ids := map[string]bool{}
		for _, s := range all {
			ids[s.ID] = true
		}
		if len(all) != n || len(ids) != n {
			t.Errorf("%d sessions are listed, %d different ones; want %d", len(all), len(ids), n)
		}
	}
}

func TestStats_CountsRows(t *testing.T) {
	t.Parallel()
	w := newDatabase(t)
	w.prepare(t)
	for n := range 6 {
		w.login(t, session.Login{UserID: fmt.Sprint(n%3 + 1)}, "")
	}
	one := func(set string) {
		w.exec(t, "UPDATE sessions SET "+set+" WHERE id = (SELECT id FROM sessions WHERE revoked_at IS NULL AND user_agent <> x'01' LIMIT 1)")
	}
	one("user_agent = x'01', ends_at = created_at")
	one("user_agent = x'01', created_at = created_at - 3700000000")
	one("user_agent = x'01', expires_at = created_at - 3700000000")
	one("revoked_at = created_at")
	var c counts
	w.run(t, "stats", "-json").decode(t, &c)
	if c.Live != 3 || c.Logins != 5 || c.Prunable != 1 || c.Rows != 6 || c.FromStart == "" {
		t.Errorf("the counts are %+v", c)
	}
	w.run(t, "revoke-all", "-yes").want(t, exitDone)
	w.login(t, session.Login{UserID: "1"}, "")
	w.run(t, "stats", "-json").decode(t, &c)
	if c.Live != 1 || c.Rows != 7 {
		t.Errorf("after revoke-all the counts are %+v", c)
	}
}

// A user agent is the client's text. It must not move the cursor of whoever reads a list, or hide a part of it.
func TestOutput_EscapesWhatTerminalsObey(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Mozilla/5.0 (X11)": "Mozilla/5.0 (X11)", "Müller 雪": "Müller 雪", "a\x1b[2Jb": `a\u001b[2Jb`, "a\nb\tc\r": `a\u000ab\u0009c\u000d`,
		"\u009b31m": `\u009b31m`, "a\u202eb": `a\u202eb`, "a\u200bb": `a\u200bb`, "\x7f": `\u007f`, "\U000e0041": `\udb40\udc41`, "a\xffb": "a\ufffdb",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q is printed as %q; want %q", text, got, want)
		}
	}
	w := newWorld(t)
	const agent = "a\x1b[2J\u009b\u202eb"
	w.login(t, session.Login{UserID: "1", Data: map[string]string{"k\u202e": "v\u009b"}}, "")
	if _, err := w.db.Exec("UPDATE sessions SET user_agent = ?", []byte(agent)); err != nil { // the kit itself stores no control characters
		t.Fatal(err)
	}
	var all []shownSession
	a := w.run(t, "list", "-user", "1", "-json")
	a.decode(t, &all)
	if len(all) != 1 || all[0].UserAgent != agent || all[0].Data["k\u202e"] != "v\u009b" {
		t.Errorf("the JSON means %+v", all)
	}
	for _, out := range []string{a.out, w.run(t, "list", "-user", "1").out, w.run(t, "show", all[0].ID).out, w.run(t, "show", all[0].ID, "-json").out} {
		if strings.ContainsAny(out, "\x1b\u009b\u202e") {
			t.Errorf("not escaped: %q", out)
		}
	}
	if a := w.run(t, "list", "-user", "\x1b[2J"); strings.Contains(a.out+a.err, "\x1b") {
		t.Errorf("not escaped: %q", a.out+a.err)
	}
}
