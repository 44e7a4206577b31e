package main

import (
	"testing"

	"github.com/sessionkit/sessionkit/session"
)

const (
	northNote = "The lighthouse needs paint."
	southNote = "The vineyard opens in May."
)

func TestTenant_ASwitchShowsOtherNotes(t *testing.T) {
	_, tour := inProcess(t)
	b := tour.ada()
	b.get("/notes").shows(200, northNote, ">north</span>", "Switch to south").lacks(southNote, "Switch to north")
	b.post("/tenant", "tenant", "south").leadsTo("/notes?done=tenant")
	b.get("/notes?done=tenant").shows(200, "another tenant now", southNote, ">south</span>", "Switch to north").lacks(northNote)
	b.ExpireAccess()
	b.get("/notes").shows(200, southNote).lacks(northNote)

	// The choice is that of one browser, and outlives a login that a page has asked for.
	other := tour.ada()
	other.get("/notes").shows(200, northNote)
	b.post("/login", "email", "ada@example.com", "password", "ada-demo-password", "next", "/notes").leadsTo("/notes")
	b.get("/notes").shows(200, southNote).lacks(northNote)
	b.post("/login", "email", "grace@example.com", "password", "grace-demo-password").leadsTo("/")
	if w := b.who(); w.UserID != "2" || w.Tenant != "south" {
		t.Errorf("Grace's session is %+v", w)
	}
}

func TestTenant_AForeignOneIsRefused(t *testing.T) {
	_, tour := inProcess(t)
	b := tour.grace()
	b.get("/notes").shows(200, southNote).lacks(northNote, "Switch to")
	for _, tenant := range []string{"north", "nowhere", "", "south,north", "South"} {
		b.post("/tenant", "tenant", tenant).shows(403, "You do not belong to this tenant.")
		if w := b.who(); w.Tenant != "south" {
			t.Errorf("the tenant is %q after %q was refused", w.Tenant, tenant)
		}
	}
	b.get("/notes").shows(200, southNote).lacks(northNote)
}

// The tenant of a session is a choice, and no right.
func TestTenant_AUserWhoHasLeftSeesNothing(t *testing.T) {
	a, tour := inProcess(t)
	b := tour.ada()
	b.get("/notes").shows(200, northNote)
	a.exec(t, `INSERT INTO members (user_id, tenant) VALUES (2, 'north')`) // another member changes nothing
	a.exec(t, `DELETE FROM members WHERE user_id = 1 AND tenant = 'north'`)
	b.get("/notes").shows(200, "There is none here.").lacks(northNote)
	b.post("/tenant", "tenant", "north").shows(403)
	b.ExpireAccess()
	b.get("/notes").shows(200, "Switch to south")
	b.post("/login", "email", "ada@example.com", "password", "ada-demo-password").leadsTo("/")
	b.get("/notes").shows(200, southNote, ">south</span>").lacks(northNote, "Switch to")

	a.exec(t, `DELETE FROM members WHERE user_id = 1`)
	tour.ada().get("/notes").shows(200, "There is none here.").lacks(northNote, southNote, `action="/tenant"`)
}

// A session that has begun before the app had tenants has none.
func TestTenant_ASessionWithoutOneChooses(t *testing.T) {
	a, tour := inProcess(t)
	b := tour.browser()
	b.Login(t, a.sessions, session.Login{UserID: "1", Epoch: 1})
	b.get("/notes").shows(200, "There is none here.", "Switch to north", "Switch to south")
	b.post("/tenant", "tenant", "north").leadsTo("/notes?done=tenant")
	b.get("/notes").shows(200, northNote)
}

func TestPages_ADatabaseThatIsDownIsTold(t *testing.T) {
	a, tour := inProcess(t)
	ada, grace := tour.ada(), tour.grace()
	if err := a.users.db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/notes", "/factor", "/factor/new", "/factor/new.png"} {
		ada.get(path).shows(503)
	}
	for _, path := range []string{"/tenant", "/factor", "/factor/new"} {
		ada.post(path, "tenant", "south", "code", "000000").shows(503)
	}
	grace.get("/people").shows(503)
	grace.post("/people/act", "user", "1").shows(503)
}
