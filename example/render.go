package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

//go:embed pages/*.html
var pageFiles embed.FS

// pages are the templates by name, each with the layout around it. A faulty one
// ends the process at its start.
var pages = func() map[string]*template.Template {
	layout := template.Must(template.New("layout.html").Funcs(template.FuncMap{
		"age":        func(t time.Time) int { return int(time.Since(t).Seconds()) },
		"ago":        ago,
		"asset":      assetURL,
		"clock":      clock,
		"demoUsers":  func() []demoUser { return demoUsers },
		"rfc3339":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"shorten":    shorten,
		"statements": statements,
		"tab":        newTab,
		"utc":        utc,
	}).ParseFS(pageFiles, "pages/layout.html"))
	parsed := make(map[string]*template.Template)
	for _, name := range []string{"welcome", "inspector", "login", "devices", "account", "admin", "error"} {
		clone := template.Must(layout.Clone())
		parsed[name] = template.Must(clone.ParseFS(pageFiles, "pages/"+name+".html"))
	}
	return parsed
}()

// view is what every page gets.
type view struct {
	Title    string
	Path     string
	Session  session.Session
	LoggedIn bool
	Done     string // what the form before this page did
	Body     any
}

// render answers with a page, whole or not at all.
func render(c echo.Context, status int, page, title string, body any) error {
	s, ok := session.FromContext(c.Request().Context())
	var buf bytes.Buffer
	err := pages[page].Execute(&buf, view{
		Title:    title,
		Path:     c.Request().URL.Path,
		Session:  s,
		LoggedIn: ok,
		Done:     doneText[c.QueryParam("done")],
		Body:     body,
	})
	if err != nil {
		return fmt.Errorf("page %s: %w", page, err)
	}
	// The public pages too show who is logged in: none belongs into a cache, nor
	// behind the back button after a logout.
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.HTMLBlob(status, buf.Bytes())
}

// doneText is all that ?done= can say: what a URL contains is never shown.
var doneText = map[string]string{
	"device":      "That device is logged out.",
	"device-gone": "That device was logged out already.",
	"others":      "All your other devices are logged out.",
	"password":    "Your password is changed. All your other devices are logged out.",
	"banned":      "The user is banned, and logged out everywhere.",
	"unbanned":    "The user may log in again.",
	"revoked":     "The user is logged out everywhere.",
	"everybody":   "Everybody is logged out. So are you.",
	"role-admin":  "The user is an administrator from the next request on, on every device.",
	"role-user":   "The user is no administrator from the next request on, on every device.",
	"not-self":    "You cannot ban yourself: nobody could lift it.",
	"no-user":     "There is no such user.",
	"logged-out":  "You are logged out.",

	"not-self-role": "You cannot change your own role: nobody might be left to change it back.",
}

// redirectDone leads from a form to the page that shows what it did, so that
// reloading that page does nothing twice.
func redirectDone(c echo.Context, path, done string) error {
	return c.Redirect(http.StatusSeeOther, path+"?done="+done)
}

// tab is a link of the navigation.
type tab struct {
	Href, Name string
	Here       bool
}

func newTab(href, name, path string) tab { return tab{href, name, href == path} }

func statements(n int64) string {
	if n == 1 {
		return "1 statement"
	}
	return fmt.Sprintf("%d statements", n)
}

// ago writes how long ago a moment was, roughly.
func ago(t time.Time) string {
	d := time.Since(t)
	if d < 10*time.Second {
		return "just now"
	}
	return span(d) + " ago"
}

// span writes a duration in its largest unit.
func span(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := int(d / unit.size); n == 1 {
			return "1 " + unit.name
		} else if n > 1 {
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return "0 seconds"
}

// clock writes seconds as h:mm:ss, or m:ss, like the script that ticks them.
func clock(seconds int) string {
	h, m, s := seconds/3600, seconds/60%60, seconds%60
	if h > 0 {
		return fmt.Sprintf("%d:%02d:%02d", h, m, s)
	}
	return fmt.Sprintf("%d:%02d", m, s)
}

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// shorten cuts text from outside to a length that a table can take.
func shorten(n int, text string) string {
	runes := []rune(strings.TrimSpace(text))
	if len(runes) == 0 {
		return "unknown"
	}
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:n-1]) + "…"
}

// waitText is a span rounded up: "wait 0 seconds" is no help.
func waitText(d time.Duration) string {
	unit := time.Second
	if d > time.Minute {
		unit = time.Minute
	}
	return span((d + unit - 1).Truncate(unit))
}
