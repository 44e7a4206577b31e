package main

import (
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// auditedWorld has an audit log, which migrate has made. Alice runs the commands.
func auditedWorld(t *testing.T) *world {
	t.Helper()
	w := newDatabase(t)
	w.env["SUDO_USER"] = "alice"
	w.env["SESSIONKIT_CONFIG"] = w.writeConfig(t, `{"dialect": "sqlite", "dsn_env": "DATABASE_DSN", "audit": true}`)
	w.run(t, "migrate", "-yes").want(t, exitDone)
	w.run(t, "migrate").want(t, exitDone, "nothing to do")
	w.start(t)
	return w
}

func TestAudit_NamesTheOperator(t *testing.T) {
	t.Parallel()
	w := auditedWorld(t)
	first, _ := w.login(t, session.Login{UserID: "1"}, "Firefox")
	w.login(t, session.Login{UserID: "1"}, "Firefox")
	w.run(t, "audit").want(t, exitDone, "no entry of this time")
	// The log is found by its table, too: nobody forgets it.
	w.env["SESSIONKIT_CONFIG"] = w.writeConfig(t, `{"dialect": "sqlite", "dsn_env": "DATABASE_DSN"}`)
	for _, args := range [][]string{
		{"revoke", first.ID, "-user", "1", "-yes"},
		{"revoke", "-user", "1", "-yes"},
		{"revoke", "-external", "at-the-provider", "-yes"},
		{"revoke-all", "-yes"},
		{"doctor", "-user", "2"},
	} {
		w.run(t, args...).want(t, exitDone)
		time.Sleep(2 * time.Millisecond) // the log is sorted by SQLite's clock, which counts milliseconds
	}
	for file, args := range map[string][]string{
		"audit.txt":      {"audit"},
		"audit.json":     {"audit", "-json"},
		"audit-user.txt": {"audit", "-user", "1", "-actor", "operator alice", "-since", "1h"},
	} {
		a := w.run(t, args...)
		a.want(t, exitDone)
		w.golden(t, file, a.out)
	}
	w.run(t, "audit", "-since", "1ns").want(t, exitDone, "no entry")
	w.run(t, "audit", "-since", "-1h").want(t, exitUsage, "-since")
	w.run(t, "audit", "-user", "' OR ''='").want(t, exitDone, "no entry")
}

// What is done is done. But nobody must believe that the log says so.
func TestAudit_ALogThatCannotBeWrittenIsTold(t *testing.T) {
	t.Parallel()
	w := auditedWorld(t)
	_, b := w.login(t, session.Login{UserID: "1"}, "Firefox")
	w.exec(t, "DROP TABLE sessions_audit")
	a := w.run(t, "revoke", "-user", "1", "-yes")
	a.want(t, exitFailed)
	if !strings.Contains(a.err, "the audit log could not be written") {
		t.Errorf("standard error has: %s", a.err)
	}
	for began := time.Now(); w.isLive(b); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			t.Fatal("the session goes on")
		}
	}
	w.run(t, "audit").want(t, exitUnavailable)
	w.run(t, "doctor").want(t, exitFailed)
	w.run(t, "migrate", "-yes").want(t, exitDone)
}

func TestSchema_HasTheAuditLog(t *testing.T) {
	t.Parallel()
	w := newDatabase(t)
	for config, has := range map[string]bool{`, "audit": true`: true, `, "audit": false`: false, ``: false} {
		w.env["SESSIONKIT_CONFIG"] = w.writeConfig(t, `{"dialect": "mysql", "dsn_env": "DATABASE_DSN"`+config+`}`)
		a := w.run(t, "schema")
		a.want(t, exitDone)
		if strings.Contains(a.out, "sessions_audit") != has {
			t.Errorf("%s: the schema has the audit log: %v; want %v", config, !has, has)
		}
	}
	w.env["SESSIONKIT_CONFIG"] = w.writeConfig(t, `{"dialect": "mysql", "dsn_env": "DATABASE_DSN", "audit": "yes"}`)
	w.run(t, "schema").want(t, exitFailed, `"audit" is not true or false`)
}
