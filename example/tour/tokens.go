package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sessionkit/sessionkit/session"
)

const maxName = 60 // characters

// tokensForm is what the page of tokens shows.
type tokensForm struct {
	Name, Error string
	Grant       *session.Grant // nil: none was made
	Commands    []shown
}

// shown is a command line, and what it does.
type shown struct{ Does, Command string }

func (a *app) tokensPage(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusOK, "tokens", "Tokens", tokensForm{})
}

// mint begins a session for a program of the user's, and shows its tokens. Nothing can show them
// again: the database has only digests. All such programs are one client, whose name is part of
// the protocol; the name that the user gives is a fact of the session.
func (a *app) mint(w http.ResponseWriter, r *http.Request) error {
	form := tokensForm{Name: strings.TrimSpace(r.FormValue("name"))}
	if n := utf8.RuneCountInString(form.Name); n == 0 || n > maxName || !utf8.ValidString(form.Name) || strings.ContainsFunc(form.Name, unicode.IsControl) {
		form.Error = fmt.Sprintf("Give it a name of at most %d characters.", maxName)
		return render(w, r, http.StatusUnprocessableEntity, "tokens", "Tokens", form)
	}
	browser := current(r)
	u, err := a.users.byID(r.Context(), browser.UserID)
	if err != nil {
		return err
	}
	g, err := a.tokens.Issue(r, session.Login{UserID: u.id, Epoch: u.epoch, AuthTime: browser.AuthTime, Client: commandLine, Data: map[string]string{"name": form.Name}})
	if err != nil {
		return err
	}
	form.Grant, form.Commands = &g, a.commands(g)
	return render(w, r, http.StatusOK, "tokens", "Your new token", form)
}

// commands returns what a program does with its tokens. Revoking is the last.
func (a *app) commands(g session.Grant) []shown {
	client, access, refresh := field("client_id", commandLine), field("token", g.AccessToken), field("token", g.RefreshToken)
	return []shown{
		{"Use the token", command("curl", "-sS", "-H", "Authorization: Bearer "+g.AccessToken, a.url+"/api/session")},
		{"Get a new one when it has expired", command("curl", "-sS", "-d", client, "-d", "grant_type=refresh_token", "-d", field("refresh_token", g.RefreshToken), a.url+"/oauth/token")},
		{"Another service asks what it is worth", `curl -sS -u "billing:$` + secretVariable + `" ` + command("-d", access, a.url+"/oauth/introspect")},
		{"Log the program out", command("curl", "-sS", "-i", "-d", client, "-d", refresh, a.url+"/oauth/revoke")},
	}
}

// field returns a parameter of a form.
func field(name, value string) string { return name + "=" + url.QueryEscape(value) }

// plain is what no shell reads as anything else.
var plain = regexp.MustCompile(`^[A-Za-z0-9_:/.%-][A-Za-z0-9_:/.%=-]*$`)

// command returns a line for a shell, in which each argument stands for itself.
func command(args ...string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		if quoted[i] = arg; !plain.MatchString(arg) {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// listed is a row of the list of devices.
type listed struct {
	session.Device
	Kind string // "Browser", the name of the client, or who acts as the user
}

// devices lists the user's sessions: browsers, devices and programs.
func (a *app) devices(w http.ResponseWriter, r *http.Request) error {
	found, err := a.sessions.List(r.Context(), current(r).UserID, "")
	if err != nil {
		return err
	}
	rows := make([]listed, len(found))
	for i, d := range found {
		rows[i] = listed{d, "Browser"}
		switch {
		case d.Client != "":
			rows[i].Kind = a.clients[d.Client].name
		case d.Actor != "":
			rows[i].Kind = "An administrator"
		}
	}
	return render(w, r, http.StatusOK, "devices", "Devices", rows)
}

// revokeDevice ends one session, if it is the user's own.
func (a *app) revokeDevice(w http.ResponseWriter, r *http.Request) error {
	err := a.sessions.Revoke(r.Context(), current(r).UserID, r.FormValue("id"))
	if errors.Is(err, session.ErrNotFound) {
		return redirect(w, r, "/devices", "device-gone")
	}
	if err != nil {
		return err
	}
	return redirect(w, r, "/devices", "device")
}
