package session_test

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

var devicesPage = template.Must(template.New("devices").Parse(`
{{- range .}}
{{.Name}}{{if .IsThis}} (this device){{end}}
{{- end}}
`))

// The page of a user's devices, with a name for each. A template would also show CreatedAt,
// LastSeenAt and IP, and a form for Revoke with the ID.
func ExampleManager_List() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	guard, mux := exampleApp(sessions)
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, r *http.Request) {
		this, _ := session.FromContext(r.Context())
		devices, err := sessions.List(r.Context(), this.UserID, "") // at most 100: the next page begins after the last ID
		if err != nil {
			guard.WriteError(w, r, err)
			return
		}
		type row struct {
			session.Device
			Name   string
			IsThis bool
		}
		var rows []row
		for _, d := range devices {
			name := nethttp.BrowserFamily(&http.Request{Header: http.Header{"User-Agent": {d.UserAgent}}})
			rows = append(rows, row{d, name, d.ID == this.ID})
		}
		_ = devicesPage.Execute(os.Stdout, rows) // in an app: to w
	})
	app := guard.Protect(mux)

	laptop, phone := sessiontest.NewBrowser(app), sessiontest.NewBrowser(app)
	laptop.UserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
	phone.UserAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1"
	laptop.PostForm("/login", asUser("1"))
	phone.PostForm("/login", asUser("1"))
	laptop.Get("/devices")
	// Unordered output:
	// Safari on iOS
	// Firefox on Linux (this device)
}

// A button beside each device logs it out. Nobody can end another user's session: the answer
// is then a 404.
func ExampleManager_Revoke() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	guard, mux := exampleApp(sessions)
	mux.HandleFunc("POST /devices/revoke", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		if err := sessions.Revoke(r.Context(), s.UserID, r.FormValue("id")); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, "/devices", http.StatusSeeOther)
	})
	app := guard.Protect(mux)

	laptop, phone, stranger := sessiontest.NewBrowser(app), sessiontest.NewBrowser(app), sessiontest.NewBrowser(app)
	phone.PostForm("/login", asUser("1"))
	devices, err := sessions.List(context.Background(), "1", "")
	if err != nil {
		panic(err)
	}
	laptop.PostForm("/login", asUser("1"))
	stranger.PostForm("/login", asUser("2"))

	button := url.Values{"id": {devices[0].ID}}
	fmt.Println("a stranger's click:", stranger.PostForm("/devices/revoke", button).StatusCode)
	fmt.Println("the user's click:", laptop.PostForm("/devices/revoke", button).StatusCode)
	show("the phone", phone, "/account")
	// Output:
	// a stranger's click: 404
	// the user's click: 303
	// the phone: 303 to /login?next=%2Faccount
}

// A button logs the user out on all other devices.
func ExampleManager_RevokeUser() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	guard, mux := exampleApp(sessions)
	mux.HandleFunc("POST /devices/revoke-others", func(w http.ResponseWriter, r *http.Request) {
		this, _ := session.FromContext(r.Context())
		if err := sessions.RevokeUser(r.Context(), this.UserID, this.ID); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, "/devices", http.StatusSeeOther)
	})
	app := guard.Protect(mux)

	laptop, phone := sessiontest.NewBrowser(app), sessiontest.NewBrowser(app)
	laptop.PostForm("/login", asUser("1"))
	phone.PostForm("/login", asUser("1"))
	laptop.PostForm("/devices/revoke-others", url.Values{})
	show("the laptop", laptop, "/account")
	show("the phone", phone, "/account")
	// Output:
	// the laptop: 200
	// the phone: 303 to /login?next=%2Faccount
}

// A ban: first the column, so that nobody logs in any more, then the sessions. To lift it,
// clear the column: the user can log in again.
func ExampleManager_RevokeUser_ban() {
	users := exampleUsers()
	sessions := exampleSessions(users, session.Config{})
	guard, mux := exampleApp(sessions)
	app := guard.Protect(mux)

	user := sessiontest.NewBrowser(app)
	user.PostForm("/login", asUser("1"))
	show("before", user, "/account")

	users.SetUser("1", store.User{Epoch: 1, Disabled: true}) // in an app: UPDATE users SET disabled = TRUE WHERE id = ?
	if err := sessions.RevokeUser(context.Background(), "1"); err != nil {
		panic(err) // in a handler: guard.WriteError
	}
	show("banned", user, "/account")
	fmt.Println("a login:", user.PostForm("/login", asUser("1")).StatusCode)

	users.SetUser("1", store.User{Epoch: 1})
	fmt.Println("a login after the ban:", user.PostForm("/login", asUser("1")).StatusCode)
	// Output:
	// before: 200
	// banned: 303 to /login?next=%2Faccount
	// a login: 403
	// a login after the ban: 200
}

// After an incident: everybody must log in again. It costs one statement.
func ExampleManager_RevokeAll() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	guard, mux := exampleApp(sessions)
	mux.Handle("POST /admin/revoke-all", guard.RequireRole("admin")(guard.RequireLive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.RevokeAll(r.Context()); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	}))))
	app := guard.Protect(mux)

	user, admin := sessiontest.NewBrowser(app), sessiontest.NewBrowser(app)
	user.PostForm("/login", asUser("1"))
	admin.PostForm("/login", asUser("2"))
	fmt.Println("the click:", admin.PostForm("/admin/revoke-all", url.Values{}).StatusCode)
	show("the user", user, "/account")
	show("the admin", admin, "/account")
	// Output:
	// the click: 303
	// the user: 303 to /login?next=%2Faccount
	// the admin: 303 to /login?next=%2Faccount
}

// The identity provider says that its session is over (OpenID Connect Back-Channel Logout).
// Its request has no session, so the route is public; the app verifies the logout token. The
// login has stored the token's sid as Login.ExternalID.
func ExampleManager_RevokeExternal() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	guard, mux := exampleApp(sessions, "POST /backchannel-logout") // public
	mux.HandleFunc("POST /backchannel-logout", func(w http.ResponseWriter, r *http.Request) {
		sid := r.FormValue("logout_token") // in an app: the claim sid of the verified token
		if err := sessions.RevokeExternal(r.Context(), sid, time.Time{}); err != nil {
			guard.WriteError(w, r, err)
		}
	})
	app := guard.Protect(mux)

	laptop, phone, provider := sessiontest.NewBrowser(app), sessiontest.NewBrowser(app), sessiontest.NewBrowser(app)
	laptop.PostForm("/login", url.Values{"user": {"1"}, "sid": {"08a5019c"}})
	phone.PostForm("/login", url.Values{"user": {"1"}, "sid": {"5d1b7e20"}})
	fmt.Println("the provider:", provider.PostForm("/backchannel-logout", url.Values{"logout_token": {"08a5019c"}}).StatusCode)
	show("the laptop", laptop, "/account")
	show("the phone", phone, "/account")
	// Output:
	// the provider: 200
	// the laptop: 303 to /login?next=%2Faccount
	// the phone: 200
}

// A plan allows two devices. A third login ends the session of the oldest.
func ExampleConfig_maxSessions() {
	sessions := exampleSessions(exampleUsers(), session.Config{MaxSessions: 2})
	guard, mux := exampleApp(sessions)
	app := guard.Protect(mux)

	var devices []*sessiontest.Browser
	for range 3 {
		b := sessiontest.NewBrowser(app)
		b.PostForm("/login", asUser("1"))
		devices = append(devices, b)
	}
	live, err := sessions.List(context.Background(), "1", "")
	if err != nil {
		panic(err)
	}
	fmt.Println(len(live), "devices are logged in")
	show("the newest", devices[2], "/account")
	// Output:
	// 2 devices are logged in
	// the newest: 200
}

// An administrator changes a user's roles. ForceRefresh makes them count at the user's next
// request, and logs nobody out. Without it they count within two minutes.
func ExampleManager_ForceRefresh() {
	users := exampleUsers()
	sessions := exampleSessions(users, session.Config{})
	guard, mux := exampleApp(sessions)
	mux.Handle("GET /reports", guard.RequireRole("analyst")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	app := guard.Protect(mux)

	user := sessiontest.NewBrowser(app)
	user.PostForm("/login", asUser("1"))
	show("before", user, "/reports")

	users.SetUser("1", store.User{Epoch: 1, Roles: []string{"analyst"}}) // in an app: an UPDATE
	show("after the change alone", user, "/reports")
	if err := sessions.ForceRefresh(context.Background(), "1"); err != nil {
		panic(err) // in a handler: guard.WriteError
	}
	show("after ForceRefresh", user, "/reports")
	// Output:
	// before: 403
	// after the change alone: 403
	// after ForceRefresh: 200
}
