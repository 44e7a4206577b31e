package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session"
)

func TestAChangedRoleCountsAtTheNextRequest(t *testing.T) {
	_, server := testServer(t)
	laptop, phone, admin := newBrowser(t, server), newBrowser(t, server), newBrowser(t, server)
	laptop.login(ada, adaPassword)
	phone.login(ada, adaPassword)
	admin.login(grace, gracePassword)
	admin.get("/admin").shows(t, 200, "Make admin: Ada Lovelace")
	laptop.get("/admin").shows(t, 403)

	admin.post("/admin/role", "user", "1", "role", "admin").leadsTo(t, "/admin?done=role-admin")
	admin.get("/admin?done=role-admin").shows(t, 200, "from the next request on", "Remove admin: Ada Lovelace")
	laptop.get("/admin").shows(t, 200)
	phone.get("/admin").shows(t, 200)

	admin.post("/admin/role", "user", "1", "role", "user").leadsTo(t, "/admin?done=role-user")
	for _, b := range []*browser{laptop, phone} {
		b.get("/admin").shows(t, 403)
		b.post("/admin/role", "user", "1", "role", "admin").shows(t, 403)
		b.get("/devices").shows(t, 200) // nobody is logged out by it
	}
}

func TestRolesAreChangedWithinLimits(t *testing.T) {
	a, server := testServer(t)
	admin := newBrowser(t, server)
	admin.login(grace, gracePassword)
	admin.post("/admin/role", "user", "2", "role", "user").leadsTo(t, "/admin?done=not-self-role")
	admin.get("/admin?done=not-self-role").shows(t, 200, "cannot change your own role")
	admin.post("/admin/role", "user", "1 or so", "role", "admin").leadsTo(t, "/admin?done=no-user")
	for _, role := range []string{"", "root", `admin","root`} {
		admin.post("/admin/role", "user", "1", "role", role).shows(t, 400)
	}
	if u, err := a.users.byID(t.Context(), "1"); err != nil || len(u.Roles) != 0 {
		t.Errorf("Ada has the roles %q, error %v; want none", u.Roles, err)
	}
}

// A ban that the app's own SQL has written reaches an access cookie when that
// runs out. What matters most does not wait so long.
func TestWhatMattersMostAsksTheStore(t *testing.T) {
	a, server := testServer(t)
	admin := newBrowser(t, server)
	admin.login(grace, gracePassword)
	if err := a.users.setDisabled(t.Context(), "2", true); err != nil {
		t.Fatal(err)
	}
	admin.get("/admin").shows(t, 200)
	for _, path := range []string{"/admin/ban", "/admin/role", "/admin/revoke-all"} {
		if got := admin.post(path, "user", "1", "role", "admin"); got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.Header.Get("Location"), "/login") {
			t.Errorf("%s by a banned admin: %d to %q; want the login", path, got.StatusCode, got.Header.Get("Location"))
		}
	}
	if u, err := a.users.byID(t.Context(), "1"); err != nil || u.Disabled || len(u.Roles) != 0 {
		t.Errorf("it was done all the same: %+v, error %v", u, err)
	}

	a.db.sessions.Close()
	admin.post("/admin/ban", "user", "1").shows(t, 503, "We will be right back")
}

func TestTheCountersAreInWords(t *testing.T) {
	a, server := testServer(t)
	usual, unusual := tell(map[session.EventKind]uint64{session.EventIssued: 7, session.EventReuse: 2})
	if usual[0].Count != 7 || unusual[0].Count != 2 || usual[1].Count != 0 {
		t.Errorf("got %v and %v", usual, unusual)
	}
	words := map[session.EventKind]bool{}
	for _, list := range [][]eventWords{usualEvents, unusualEvents} {
		for _, e := range list {
			words[e.kind] = true
		}
	}
	for kind := range a.sessions.Stats() {
		if !words[kind] {
			t.Errorf("events of kind %q are counted, and not shown", kind)
		}
	}

	user, admin := newBrowser(t, server), newBrowser(t, server)
	user.login(ada, adaPassword)
	admin.login(grace, gracePassword)
	admin.get("/admin").shows(t, 200, "<dt>Logins</dt><dd>2</dd>", "<dt>Copied cookies caught</dt><dd>0</dd>")
}
