package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

//go:embed pages/*.html
var pageFiles embed.FS

// pages holds the templates by name, each with the layout around it.
var pages = func() map[string]*template.Template {
	parsed := map[string]*template.Template{}
	for _, name := range []string{"welcome", "inspector", "login", "devices", "account", "admin", "error"} {
		parsed[name] = template.Must(template.ParseFS(pageFiles, "pages/layout.html", "pages/"+name+".html"))
	}
	return parsed
}()

// view is what every page gets.
type view struct {
	Title, Path string
	Session     session.Session
	LoggedIn    bool
	Notice      string // what the form before this page did
	Body        any    // the page's own
}

// notices are the texts for ?done=. Nothing that a URL contains is shown.
var notices = map[string]string{
	"device":      "That device is logged out.",
	"device-gone": "That device was already logged out.",
	"others":      "All your other devices are logged out.",
	"password":    "Your password is changed. All your other devices are logged out.",
	"banned":      "The user is banned, and logged out on all devices.",
	"unbanned":    "The user can log in again.",
	"revoked":     "The user is logged out on all devices.",
	"role":        "The role is changed. It counts from the user's next request on every device.",
	"everybody":   "Everybody is logged out, including you.",
	"logged-out":  "You are logged out.",
}

// notice returns the text that a page begins with. The guard adds the first two parameters
// to the URL.
func notice(c echo.Context) string {
	switch {
	case c.QueryParam("logout") == "pending":
		return "You are logged out here, but the database does not answer, so other servers do not know it yet. They will as soon as it does."
	case c.QueryParam("reason") == "reuse":
		return "You were logged out because somebody may have used a copy of your login. Log in again, and look at your devices. If you do not know one of them, log it out and change your password."
	default:
		return notices[c.QueryParam("done")]
	}
}

// render answers with a page. On an error nothing has been written.
func render(c echo.Context, status int, page, title string, body any) error {
	s, ok := session.FromContext(c.Request().Context())
	var html bytes.Buffer
	err := pages[page].Execute(&html, view{title, c.Request().URL.Path, s, ok, notice(c), body})
	if err != nil {
		return fmt.Errorf("page %s: %w", page, err)
	}
	// Public pages also show who is logged in. No cache may keep them, and the back
	// button must not show them after a logout.
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.HTMLBlob(status, html.Bytes())
}

// handleError answers for a handler that returns an error. The client sees only the
// texts below and those of the guard. The error itself is for the log.
func handleError(err error, c echo.Context) {
	answer, ok := errors.AsType[*echo.HTTPError](err)
	switch {
	case ok:
	case errors.Is(err, errUnavailable) || errors.Is(err, session.ErrStoreUnavailable):
		answer = echo.NewHTTPError(http.StatusServiceUnavailable, "The server cannot answer this now. Try again in a few seconds. You stay logged in.")
		c.Response().Header().Set(echo.HeaderRetryAfter, "5")
	case errors.Is(err, errNoUser):
		answer = echo.NewHTTPError(http.StatusNotFound, "There is no such user.")
	default:
		answer = echo.NewHTTPError(http.StatusInternalServerError, "This is an error of the server. It has been logged.")
	}
	if answer.Code >= 500 {
		slog.Error("request failed", "method", c.Request().Method, "route", c.Path(), "status", answer.Code, "error", err)
	}
	if c.Response().Committed {
		return
	}
	if err := answerError(c, answer); err != nil {
		slog.Error("error page failed", "status", answer.Code, "error", err)
	}
}

// answerError shows a page to people, and sends problem+json to programs.
func answerError(c echo.Context, answer *echo.HTTPError) error {
	title, text := http.StatusText(answer.Code), fmt.Sprint(answer.Message)
	if isPageLoad(c.Request()) {
		again := answer.Code == http.StatusServiceUnavailable && c.Request().Method == http.MethodGet
		return render(c, answer.Code, "error", title, map[string]any{"Code": answer.Code, "Text": text, "Again": again})
	}
	c.Response().Header().Set(echo.HeaderContentType, "application/problem+json")
	return c.JSON(answer.Code, map[string]any{"title": title, "status": answer.Code, "detail": text})
}

// answerRefusal shows the guard's refusals in this app's own page. It leaves redirects
// to the login page, and answers to programs, to the guard.
func answerRefusal(c echo.Context, refusal *echo.HTTPError) error {
	if refusal.Code >= 400 && isPageLoad(c.Request()) {
		return answerError(c, refusal)
	}
	return nil
}

// isPageLoad tells people from programs and scripts.
func isPageLoad(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}
