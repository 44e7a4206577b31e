package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/sessionkit/sessionkit/session"
)

//go:embed pages/*.html
var pageFiles embed.FS

// pages holds the templates by name, each with the layout around it.
var pages = func() map[string]*template.Template {
	parsed := map[string]*template.Template{}
	for _, name := range []string{"home", "login", "device", "tokens", "devices", "factor", "vault", "people", "audit", "notes"} {
		parsed[name] = template.Must(template.ParseFS(pageFiles, "pages/layout.html", "pages/"+name+".html"))
	}
	return parsed
}()

// notices are the texts for ?done=. Nothing that a URL contains is shown.
var notices = map[string]string{
	"acting":      "You act as this user. The log names you, and the user sees you in the list of devices.",
	"approved":    "The device is connected. It gets its tokens within a few seconds, and is in the list of your devices.",
	"banned":      "This user is logged out everywhere, and cannot log in any more.",
	"denied":      "The device is refused.",
	"device":      "That device is logged out.",
	"device-gone": "That device was already logged out.",
	"logged-out":  "You are logged out.",
	"nobody":      "There is no such user.",
	"stopped":     "You are yourself again.",
	"tenant":      "You work for another tenant now, in this browser.",
}

// render answers with a page. On an error nothing has been written.
func render(w http.ResponseWriter, r *http.Request, status int, page, title string, body any) error {
	s, ok := session.FromContext(r.Context())
	var html bytes.Buffer
	err := pages[page].Execute(&html, map[string]any{
		"Title": title, "Path": r.URL.Path, "Session": s, "LoggedIn": ok, "Notice": notices[r.URL.Query().Get("done")], "Body": body,
		"Tenants": strings.FieldsFunc(s.Attrs["tenants"], func(c rune) bool { return c == ',' }),
	})
	if err != nil {
		return fmt.Errorf("page %s: %w", page, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store") // a page shows who is logged in, or a token
	w.WriteHeader(status)
	_, _ = w.Write(html.Bytes()) // the browser is gone
	return nil
}

func redirect(w http.ResponseWriter, r *http.Request, page, notice string) error {
	http.Redirect(w, r, page+"?done="+notice, http.StatusSeeOther)
	return nil
}

// home is public. While the database does not answer, nobody knows who is a visitor.
func (a *app) home(w http.ResponseWriter, r *http.Request) error {
	if err := a.guard.Err(r); errors.Is(err, session.ErrStoreUnavailable) {
		return err
	}
	client := field("client_id", commandLine)
	return render(w, r, http.StatusOK, "home", "Tour", []string{
		command("curl", "-sS", "-d", client, a.url+"/oauth/device"),
		command("curl", "-sS", "-d", client, "-d", field("grant_type", "urn:ietf:params:oauth:grant-type:device_code")) + ` -d "device_code=$CODE" ` + command(a.url+"/oauth/token"),
	})
}

// loginForm is what the login page shows.
type loginForm struct{ Email, Next, Provider, Error string }

// loginPage sends on who is logged in and lacks the second factor only.
func (a *app) loginPage(w http.ResponseWriter, r *http.Request) error {
	if wantsFactor(r) {
		http.Redirect(w, r, "/factor?"+field("next", a.guard.ReturnTo(r, "/")), http.StatusSeeOther)
		return nil
	}
	return render(w, r, http.StatusOK, "login", "Log in", loginForm{current(r).Attrs["email"], r.FormValue("next"), a.providerLink(r), ""})
}

func (a *app) login(w http.ResponseWriter, r *http.Request) error {
	form := loginForm{r.FormValue("email"), r.FormValue("next"), a.providerLink(r), "The e-mail address or the password is wrong."}
	u, err := a.users.byPassword(r.Context(), form.Email, r.FormValue("password"))
	if errors.Is(err, errWrongPassword) {
		return render(w, r, http.StatusUnauthorized, "login", "Log in", form)
	}
	if err != nil {
		return err
	}
	return a.begin(w, r, u, "pwd")
}

// begin begins the session of a user who has proved who they are by a method. Who logs in again
// goes on with the same tenant.
func (a *app) begin(w http.ResponseWriter, r *http.Request, u user, method string) error {
	wanted := ""
	if s := current(r); s.UserID == u.id {
		wanted = s.Data["tenant"]
	}
	tenant, err := a.tenants.choose(r.Context(), u.id, wanted)
	if err != nil {
		return err
	}
	login := session.Login{UserID: u.id, Epoch: u.epoch, Methods: []string{method}, Data: map[string]string{"tenant": tenant}}
	if err := a.guard.Issue(w, r, login); err != nil {
		return err
	}
	http.Redirect(w, r, a.guard.ReturnTo(r, "/"), http.StatusSeeOther)
	return nil
}

// apiSession tells programs and scripts who they are.
func apiSession(w http.ResponseWriter, r *http.Request) {
	s := current(r)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{ // the client is gone
		"user_id":    s.UserID,
		"session_id": s.ID,
		"actor":      s.Actor,  // "": the user acts
		"client":     s.Client, // "": a browser
		"name":       s.Data["name"],
		"tenant":     s.Data["tenant"],
		"roles":      append([]string{}, s.Roles...), // [] in JSON, never null
		"methods":    append([]string{}, s.Methods...),
		"auth_time":  s.AuthTime,
		"expires_at": s.ExpiresAt,
	})
}
