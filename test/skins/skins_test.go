package skins

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// skins are the apps that the suite runs on.
var skins = []skin{
	{name: "ServeMux", app: newServeMux},
	{name: "chi", app: newChi, copiesRequests: true},
	{name: "gorilla/mux", app: newGorillaMux, copiesRequests: true},
	{name: "echo v4", app: newEchoV4},
	{name: "echo v5", app: newEchoV5},
	{name: "gin", app: newGin},
}

// skin is one framework.
type skin struct {
	name string
	app  func(sessions *session.Manager, s setup) (http.Handler, error)

	// copiesRequests says that the router gives the handler a copy of the server's request.
	// With or without a guard, the server then does not find the form that the handler has
	// parsed, and leaves the files of an upload on the disk.
	copiesRequests bool
}

// setup is what differs from one app of the suite to another. Each app has these routes.
// The handlers of POST read a form.
//
//	GET, POST /              describe; public
//	GET  /static/…           describe; public
//	GET  /articles/{id}      describe; public
//	POST /articles/{id}      describe
//	GET  /greeting           greeting; public
//	GET  /login              the text "login page"
//	POST /login              Issue of loginOf, then a redirect to ReturnTo, or else /account
//	POST /logout             Logout; other methods, too
//	GET, POST /account       describe
//	GET  /poll               describe; a background poll
//	GET  /admin              describe, behind RequireRole admin or root
//	GET  /password           describe, behind RequireRecentLogin with five minutes
//	POST /password           PasswordChanged with epochOf, then describe
//	GET  /pay                describe, behind RequireRole staff and RequireLive
//	GET  /otp                describe, behind RequireMethod otp
//	POST /code               StepUp with otp, then describe
//	POST /tenant             Update with tenantOf, then describe
//	POST /stop               StopImpersonating, then describe
//	GET  /error              WriteError of errorOf
//	GET  /end                end
//	GET  /stream             stream
//	GET  /hijack             hijack
//	POST /upload             upload
type setup struct {
	prefix        string
	credentials   func(*http.Request) (session.Login, error)
	onLogoutError func(*http.Request, error)
	logoutURL     func(*http.Request) string
	ownPage       bool // Config.Answer answers with ownPage and the status; not to a redirect
	bare          bool // Identify is mounted in place of Protect
}

// recent is the age of a login that /password requires.
const recent = 5 * time.Minute

// ownPage is what Config.Answer says.
const ownPage = "the app's own page"

// describe says what a handler sees of the request: the user, with roles, methods, tenant and
// actor, and the value "text" of a form.
func describe(r *http.Request) string {
	s, ok := session.FromContext(r.Context())
	if !ok {
		return "nobody" + r.PostFormValue("text")
	}
	roles := slices.Sorted(slices.Values(s.Roles))
	return fmt.Sprintf("user=%s roles=%s methods=%s tenant=%s actor=%s text=%s",
		s.UserID, strings.Join(roles, ","), strings.Join(s.Methods, ","), s.Data["tenant"], s.Actor, r.PostFormValue("text"))
}

// greeting is a public page that tells three cases apart.
func greeting(ctx context.Context, err error) string {
	switch s, ok := session.FromContext(ctx); {
	case ok:
		return "hello " + s.UserID
	case errors.Is(err, session.ErrStoreUnavailable):
		return "unknown"
	}
	return "nobody"
}

// loginOf is the login that a form asks for. There is no password.
func loginOf(r *http.Request) session.Login {
	login := session.Login{UserID: r.PostFormValue("user"), Epoch: 1, Methods: []string{"pwd"}, Remember: r.PostFormValue("remember") != ""}
	if s, ok := session.FromContext(r.Context()); ok && r.PostFormValue("impersonate") != "" {
		login.Actor, login.Methods = s.UserID, nil
	}
	return login
}

func epochOf(r *http.Request) uint64 {
	epoch, _ := strconv.ParseUint(r.PostFormValue("epoch"), 10, 64)
	return epoch
}

func tenantOf(r *http.Request) map[string]string {
	return map[string]string{"tenant": r.PostFormValue("tenant")}
}

// errorOf is the error that the query asks for.
func errorOf(r *http.Request) error {
	return cmp.Or(map[string]error{
		"not-found": session.ErrNotFound,
		"down":      session.ErrStoreUnavailable,
		"none":      session.ErrUnauthenticated,
	}[r.FormValue("is")], errors.New("a secret of the database"))
}

// end ends the request's session, so that the cookies which the guard has set must not go
// out, and then answers in the way that the query names.
func end(sessions *session.Manager, w http.ResponseWriter, r *http.Request) error {
	s, _ := session.FromContext(r.Context())
	if err := sessions.Revoke(r.Context(), s.UserID, s.ID); err != nil {
		return err
	}
	switch r.FormValue("how") {
	case "write":
		_, err := io.WriteString(w, "ended")
		return err
	case "status":
		w.WriteHeader(http.StatusAccepted)
		_, err := io.WriteString(w, "ended")
		return err
	case "flush":
		return http.NewResponseController(w).Flush()
	case "copy":
		_, err := io.Copy(w, strings.NewReader("ended"))
		return err
	case "error":
		return errEnded
	case "panic":
		panic(errEnded)
	}
	return nil // an empty answer
}

var errEnded = errors.New("ended")

// stream answers with a line, and with another one when the session has ended.
func stream(sessions *session.Manager, w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/plain")
	if _, err := io.WriteString(w, "begin\n"); err != nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return err
	}
	select {
	case <-sessions.Done(r.Context()):
		_, err := io.WriteString(w, "end\n")
		return err
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

// hijack takes the connection over and answers on it.
func hijack(w http.ResponseWriter, _ *http.Request) error {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nhijacked")
	return err
}

// upload reads a form of which each file goes to the disk, and answers with their size.
func upload(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseMultipartForm(1); err != nil {
		return err
	}
	size := int64(0)
	for _, files := range r.MultipartForm.File {
		for _, file := range files {
			size += file.Size
		}
	}
	_, err := fmt.Fprint(w, size)
	return err
}
