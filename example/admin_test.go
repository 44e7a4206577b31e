package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var banButton = regexp.MustCompile(`action="/admin/ban"><input type="hidden" name="user" value="(\d+)">.*?Ban (.*?)<`)

func TestAdmin(t *testing.T) {
	_, server := testServer(t)
	user, admin := newBrowser(t, server), newBrowser(t, server)
	user.login(ada, adaPassword)
	admin.login(grace, gracePassword)

	user.get("/admin").shows(t, 403, "You may not do this.")
	user.post("/admin/ban", "user", "2").shows(t, 403)
	page := admin.get("/admin")
	page.shows(t, 200, ada, grace, "active")
	ban := banButton.FindStringSubmatch(page.body)
	if ban == nil || ban[2] != "Ada Lovelace" {
		t.Fatalf("no button bans Ada:\n%s", page.body)
	}

	admin.post("/admin/ban", "user", ban[1]).leadsTo(t, "/admin?done=banned")
	user.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	user.post("/login", "email", ada, "password", adaPassword).shows(t, 403, "This account is disabled")
	user.post("/login", "email", ada, "password", "nope").shows(t, 401)
	admin.get("/admin").shows(t, 200, "banned")
	admin.post("/admin/unban", "user", ban[1]).leadsTo(t, "/admin?done=unbanned")
	user.login(ada, adaPassword)

	admin.post("/admin/revoke", "user", ban[1]).leadsTo(t, "/admin?done=revoked")
	user.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	admin.post("/admin/ban", "user", "1 or so").shows(t, 404, "There is no such user.")
	admin.post("/admin/ban", "user", "2").shows(t, 409, "You cannot do this to yourself")

	user.login(ada, adaPassword)
	admin.post("/admin/revoke-all").leadsTo(t, "/?done=everybody")
	admin.get("/?done=everybody").shows(t, 200, "Everybody is logged out", `href="/login"`)
	user.get("/devices").leadsTo(t, "/login?next=%2Fdevices")
	user.login(ada, adaPassword)
}

func TestAChangedRoleCountsAtTheNextRequest(t *testing.T) {
	_, server := testServer(t)
	laptop, phone, admin := newBrowser(t, server), newBrowser(t, server), newBrowser(t, server)
	laptop.login(ada, adaPassword)
	phone.login(ada, adaPassword)
	admin.login(grace, gracePassword)
	admin.get("/admin").shows(t, 200, "Make admin: Ada Lovelace")
	laptop.get("/admin").shows(t, 403)

	admin.post("/admin/role", "user", "1", "role", "admin").leadsTo(t, "/admin?done=role")
	admin.get("/admin?done=role").shows(t, 200, "from the user&#39;s next request", "Remove admin: Ada Lovelace")
	laptop.get("/admin").shows(t, 200)
	phone.get("/admin").shows(t, 200)

	admin.post("/admin/role", "user", "1", "role", "user").leadsTo(t, "/admin?done=role")
	for _, b := range []*browser{laptop, phone} {
		b.get("/admin").shows(t, 403)
		b.post("/admin/role", "user", "1", "role", "admin").shows(t, 403)
		b.get("/devices").shows(t, 200) // a changed role logs nobody out
	}
}

func TestRolesAreChangedWithinLimits(t *testing.T) {
	a, server := testServer(t)
	admin := newBrowser(t, server)
	admin.login(grace, gracePassword)
	admin.post("/admin/role", "user", "2", "role", "user").shows(t, 409, "You cannot do this to yourself")
	admin.post("/admin/role", "user", "1 or so", "role", "admin").shows(t, 404)
	for _, role := range []string{"", "root", `admin","root`} {
		admin.post("/admin/role", "user", "1", "role", role).shows(t, 400)
	}
	if u, err := a.users.byID(t.Context(), "1"); err != nil || len(u.Roles) != 0 {
		t.Errorf("Ada has the roles %q, error %v; want none", u.Roles, err)
	}
}

// A ban that only the app's own SQL has written reaches an access cookie when that
// expires. The most dangerous actions do not wait so long.
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

	a.db.Close()
	admin.post("/admin/ban", "user", "1").shows(t, 503, "Nobody is logged out by this.")
}
