package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// mailbox keeps what users get.
type mailbox struct {
	mu      sync.Mutex // guards letters
	letters []string
}

func (m *mailbox) mail(to, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letters = append(m.letters, to+": "+text)
}

func (m *mailbox) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	letters := m.letters
	m.letters = nil
	return letters
}

// audited is a tour whose log and mails a test reads. Run works in the background.
func audited(t *testing.T, opts options) (*app, tour, *mailbox) {
	t.Helper()
	a, tour := inProcessWith(t, opts)
	box := &mailbox{}
	a.audit.mail = box.mail
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { a.sessions.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return a, tour, box
}

// story reads the table alone, and says who did what, in its order. The names of sessions are
// letters in the order in which they appear. Times must rise, and be those of the test.
func (a *app) story(t *testing.T, since time.Time) (lines []string) {
	t.Helper()
	entries, err := a.audit.Entries(t.Context(), sqlstore.AuditQuery{Since: since})
	if err != nil {
		t.Fatal(err)
	}
	var sessions []store.ID
	letter := func(id store.ID) string {
		if !slices.Contains(sessions, id) {
			sessions = append(sessions, id)
		}
		return string(rune('A' + slices.Index(sessions, id)))
	}
	last := since
	for _, e := range entries {
		if e.At.Before(last) || e.At.After(time.Now()) {
			t.Errorf("%s at %s comes after %s, and the test ends at %s", e.Action, e.At, last, time.Now())
		}
		last = e.At
		line := string(e.Action)
		if e.UserID != "" {
			line += ", user " + e.UserID
		}
		if !e.SessionID.IsZero() {
			line += ", session " + letter(e.SessionID)
		}
		if e.Actor != "" {
			line += ", by " + e.Actor
		}
		if !e.ActorSession.IsZero() {
			line += " in " + letter(e.ActorSession)
		}
		if e.IP != "" {
			line += ", from " + e.IP + " with " + e.UserAgent
		}
		if e.Detail != "" {
			line += ": " + e.Detail
		}
		lines = append(lines, line)
	}
	return lines
}

func (a *app) wantStory(t *testing.T, since time.Time, want ...string) {
	t.Helper()
	if got := a.story(t, since); !slices.Equal(got, want) {
		t.Errorf("the table tells\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// The clocks of the database and of the node may differ by some milliseconds.
func now() time.Time { time.Sleep(10 * time.Millisecond); return time.Now() }

const local = ", from 127.0.0.1 with Test browser"

func TestAudit_TellsATheft(t *testing.T) {
	a, tour, box := audited(t, options{accessTTL: time.Second})
	since := now()
	ada := tour.ada()
	thief := ada.clone()
	thief.UserAgent = "Thief"
	for range 3 {
		time.Sleep(time.Second)
		ada.get("/notes").shows(200)
	}
	thief.get("/notes").leadsTo("/login?next=%2Fnotes&reason=reuse")
	time.Sleep(time.Second)
	ada.get("/notes").leadsTo("/login?next=%2Fnotes&reason=reuse")
	a.wantStory(t, since,
		"login, user 1, session A"+local+": by pwd",
		"theft, user 1, session A, from 127.0.0.1 with Thief")
	if got := box.take(); len(got) != 1 || !strings.HasPrefix(got[0], "ada@example.com: Somebody has used a copy of your login, from 127.0.0.1.") {
		t.Errorf("mails %q; want one to Ada", got)
	}
}

func TestAudit_TellsABan(t *testing.T) {
	a, tour, _ := audited(t, options{})
	ada, grace := tour.ada(), tour.grace()
	since := now()
	grace.post("/people/ban", "user", "1").leadsTo("/people?done=banned")
	ada.get("/notes").leadsTo("/login?next=%2Fnotes")
	tour.browser().post("/login", "email", "ada@example.com", "password", "ada-demo-password").shows(403)
	grace.post("/people/ban", "user", "2").shows(403)
	grace.post("/people/ban", "user", "99").leadsTo("/people?done=nobody")
	grace.get("/people?done=banned").shows(200, "is logged out everywhere")
	a.wantStory(t, since,
		"user-ended, user 1, by 2 in A",
		"login-refused, user 1"+local+": sqlstore: creating a session: session: the user may not log in: the user is disabled")
	grace.get("/audit").shows(200, "user-ended", "login-refused", "127.0.0.1")
	tour.browser().get("/audit").leadsTo("/login?next=%2Faudit")
}

func TestAudit_TellsAnOutage(t *testing.T) {
	a, tour, _ := audited(t, options{})
	ada := tour.ada()
	since := now()
	tables := []string{"sessions", "sessions_audit"}
	for _, table := range tables {
		a.exec(t, "ALTER TABLE "+table+" RENAME TO "+table+"_gone")
	}
	ada.post("/logout")
	for began := time.Now(); !a.sessions.State().StoreDown; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("the outage is not noticed")
		}
	}
	for _, table := range tables {
		a.exec(t, "ALTER TABLE "+table+"_gone RENAME TO "+table)
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if s := a.sessions.State(); !s.StoreDown && s.PendingRevocations == 0 && s.PendingAudit == 0 {
			break
		} else if time.Since(began) > 20*time.Second {
			t.Fatalf("%+v; want that all has been repeated", s)
		}
	}
	got := a.story(t, since)
	for i, line := range got {
		got[i], _, _ = strings.Cut(line, "sessions:") // what the driver says
	}
	if len(got) > 1 && strings.HasPrefix(got[0], "store-down") { // the probe may end before the logout does
		got[0], got[1] = got[1], got[0]
	}
	if want := []string{
		"session-ended, user 1, session A" + local + ": logout, on this node: the store does not answer, and is told later",
		"store-down: ", "store-back", "session-ended, session A: logout",
	}; len(got) != len(want) || got[0] != want[0] || !strings.HasPrefix(got[1], want[1]) || !slices.Equal(got[2:], want[2:]) {
		t.Errorf("the table tells\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestAudit_TellsAKeyRotation(t *testing.T) {
	a, tour, _ := audited(t, options{})
	since := now()
	ada := tour.ada()
	old, fresh := session.GenerateKey(), session.GenerateKey()
	var want []string
	for _, texts := range []string{old, old + "," + fresh, fresh + "," + old, fresh} {
		keys, err := session.ParseKeys(texts)
		if err == nil {
			err = a.sessions.SetKeys(keys)
		}
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, "keys-set: "+strings.Join(keys.Names(), ", "))
		time.Sleep(10 * time.Millisecond)
	}
	for began := time.Now(); a.sessions.State().PendingAudit > 0 && time.Since(began) < 10*time.Second; {
		time.Sleep(10 * time.Millisecond)
	}
	a.wantStory(t, since, append([]string{"login, user 1, session A" + local + ": by pwd"}, want...)...)
	ada.get("/").shows(200)
	for _, secret := range []string{old, fresh} {
		if strings.Contains(fmt.Sprint(a.story(t, since)), secret[:8]) {
			t.Error("the log has a part of a key")
		}
	}
}

func TestAudit_NewDevicesAreMailed(t *testing.T) {
	_, tour, box := audited(t, options{})
	login := func(agent, email, password string) {
		t.Helper()
		b := tour.browser()
		b.UserAgent = agent
		b.post("/login", "email", email, "password", password).leadsTo("/")
	}
	const firefox, update, chrome = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	for _, c := range []struct {
		name, agent string
		mails       int
	}{
		{"the first login", firefox, 0}, {"the same browser", firefox, 0}, {"its update", update, 0}, {"another browser", chrome, 1}, {"that one again", chrome, 0},
	} {
		login(c.agent, "ada@example.com", "ada-demo-password")
		if got := box.take(); len(got) != c.mails || c.mails > 0 && !strings.HasPrefix(got[0], "ada@example.com: You have logged in with a new device, from 127.0.0.1: Mozilla") {
			t.Errorf("%s: %q; want %d", c.name, got, c.mails)
		}
	}
	login(chrome, "grace@example.com", "grace-demo-password")
	if got := box.take(); got != nil {
		t.Errorf("Grace's first login: %q; the browsers of others are nothing to her", got)
	}
}
