package main

import (
	"bytes"
	"errors"
	"log"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session"
)

const banner = "You act as Ada Lovelace; you are Grace Hopper."

// logged returns a function that stops logging, and returns what was logged. The default logger
// of slog writes to that of log.
func logged(t *testing.T) func() string {
	t.Helper()
	var text bytes.Buffer
	log.SetOutput(&text)
	level := slog.SetLogLoggerLevel(slog.LevelDebug)
	stop := func() string {
		log.SetOutput(os.Stderr)
		slog.SetLogLoggerLevel(level)
		return text.String()
	}
	t.Cleanup(func() { stop() })
	return stop
}

func TestPeople_AnAdministratorActsAsAUserAndComesBack(t *testing.T) {
	stop := logged(t)
	_, tour := inProcess(t)
	ada, b := tour.ada(), tour.grace()
	own := b.who()
	b.get("/people").shows(200, "Act as Ada Lovelace").lacks("Act as Grace", banner)
	b.post("/people/act", "user", "1").leadsTo("/notes?done=acting")
	b.get("/notes?done=acting").shows(200, banner, "The log names you", northNote).lacks("/people\"")
	acting := b.who()
	if acting.UserID != "1" || acting.Actor != "2" || acting.SessionID == own.SessionID || len(acting.Methods) > 0 {
		t.Errorf("the impersonation is %+v", acting)
	}
	ada.get("/devices").shows(200, "An administrator")

	// She proves nothing for Ada, sees no page of administrators, and acts for nobody else.
	for _, path := range []string{"/vault", "/tokens", "/factor", "/factor/new", "/factor/new.png", "/people"} {
		b.get(path).shows(403)
	}
	for _, path := range []string{"/tokens", "/factor", "/factor/new", "/people/act"} {
		b.post(path, "name", "x", "code", "000000", "user", "1").shows(403)
	}
	b.get("/login?method=otp&next=%2Fvault&reauth=1").leadsTo("/factor?next=%2Fvault")

	// The banner survives a switch, which replaces all data, and a refresh.
	b.post("/tenant", "tenant", "south").leadsTo("/notes?done=tenant")
	b.ExpireAccess()
	b.get("/notes").shows(200, banner, southNote)

	b.post("/people/stop").leadsTo("/people?done=stopped")
	b.get("/people?done=stopped").shows(200, "You are yourself again.", "Grace Hopper").lacks(banner)
	if back := b.who(); back.UserID != "2" || back.Actor != "" || back.SessionID != own.SessionID || back.Tenant != "south" {
		t.Errorf("her own session is %+v; want %+v", back, own)
	}
	ada.get("/devices").shows(200).lacks("An administrator")
	b.post("/people/stop").leadsTo("/people?done=stopped") // as a second click does

	kinds := map[string]bool{}
	for line := range strings.Lines(stop()) {
		if !strings.Contains(line, "session="+acting.SessionID) {
			continue
		}
		if !strings.Contains(line, "user=1 actor=2") {
			t.Errorf("the log does not name the actor: %s", line)
		}
		_, kind, _ := strings.Cut(line, "kind=")
		kind, _, _ = strings.Cut(kind, " ")
		kinds[kind] = true
	}
	if !kinds["issued"] || !kinds["refreshed"] || !kinds["revoked"] {
		t.Errorf("the log has the events %v of the impersonation", kinds)
	}
}

func TestPeople_NobodyElseActs(t *testing.T) {
	a, tour := inProcess(t)
	a.exec(t, `INSERT INTO users (email, password_hash, name, roles) VALUES ('carol@example.com', '', 'Carol Shaw', '["support", "admin"]')`)
	a.exec(t, `INSERT INTO users (email, password_hash, name, disabled) VALUES ('eve@example.com', '', 'Eve', TRUE)`)

	ada := tour.ada()
	ada.get("/notes").shows(200).lacks(`"/people"`)
	ada.get("/people").shows(403)
	for _, user := range []string{"1", "2", "3"} {
		ada.post("/people/act", "user", user).shows(403)
	}
	if w := ada.who(); w.UserID != "1" || w.Actor != "" {
		t.Errorf("Ada's session is %+v", w)
	}

	grace := tour.grace()
	grace.get("/people").shows(200, "Carol Shaw", "Act as Ada").lacks("Act as Carol")
	own := grace.who()
	for name, user := range map[string]string{"another administrator": "3", "herself": "2", "a user who is disabled": "4", "nobody": "99", "no id": "x", "an empty id": "", "another spelling": "01"} {
		grace.post("/people/act", "user", user).shows(403)
		if w := grace.who(); w.SessionID != own.SessionID || w.UserID != "2" || w.Actor != "" {
			t.Errorf("%s: the session is %+v; want %+v", name, w, own)
		}
	}

	// An access cookie alone may be a copy.
	thief := grace.accessOnly()
	if stolen := thief.post("/people/act", "user", "1"); stolen.StatusCode != 303 || len(stolen.Cookies()) > 0 {
		t.Errorf("an access cookie alone: %d, cookies %v", stolen.StatusCode, stolen.Cookies())
	}

	a.age(t)
	grace.post("/people/act", "user", "1").asksForLogin()

	// Her cookie says admin, and her row does not.
	grace = tour.grace()
	a.exec(t, `UPDATE users SET roles = '[]' WHERE id = 2`)
	grace.get("/people").shows(200)
	grace.post("/people/act", "user", "1").shows(403)
	if w := grace.who(); w.UserID != "2" {
		t.Errorf("without the role she acts: %+v", w)
	}
}

// The routes ask for the role, too. The rule itself must hold without them.
func TestMayImpersonate_IsForAdministratorsOnly(t *testing.T) {
	a, _ := inProcess(t)
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/people/act", nil)
	for _, c := range []struct {
		name  string
		actor session.Session
		user  string
		may   bool
	}{
		{"an administrator", session.Session{UserID: "2", Roles: []string{roleAdmin}}, "1", true},
		{"no role", session.Session{UserID: "2"}, "1", false},
		{"another role", session.Session{UserID: "2", Roles: []string{"support"}}, "1", false},
		{"for an administrator", session.Session{UserID: "5", Roles: []string{roleAdmin}}, "2", false},
		{"for nobody", session.Session{UserID: "2", Roles: []string{roleAdmin}}, "99", false},
	} {
		if err := a.mayImpersonate(r, c.actor, c.user); (err == nil) != c.may || err != nil && !errors.Is(err, session.ErrUserDisabled) {
			t.Errorf("%s: %v; may: %v", c.name, err, c.may)
		}
	}
}
