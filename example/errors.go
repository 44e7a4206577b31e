package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// errUnavailable says that no answer could be had: the database's trouble, or too
// many logins at once. It is a 503, and never a verdict about anybody.
var errUnavailable = errors.New("not available right now")

func unavailable(err error) error { return fmt.Errorf("%w: %w", errUnavailable, err) }

// errorText is what people read. Nothing of the error itself is shown: it is
// for the log.
var errorText = map[int]struct{ title, text string }{
	http.StatusForbidden:             {"This page is not for you", "Your account does not have the role that it needs. Somebody with the right role can open it, or give it to you."},
	http.StatusNotFound:              {"There is no such page", "The address may be mistyped, or the page may have moved."},
	http.StatusMethodNotAllowed:      {"That does not work here", "This address answers to another kind of request."},
	http.StatusRequestEntityTooLarge: {"That was too much", "The form was larger than this server takes."},
	http.StatusTooManyRequests:       {"Too many attempts", "Please wait a little, then try again."},
	http.StatusServiceUnavailable:    {"We will be right back", "The database does not answer at the moment: try again in a few seconds. Nobody is logged out by this."},
	http.StatusInternalServerError:   {"Something went wrong here", "It was not your doing, and it has been logged."},
}

// handleError answers for a handler that could not: a small page for people, and
// problem+json for programs.
func handleError(err error, c echo.Context) {
	code := statusOf(err)
	gone := c.Request().Context().Err() != nil // the client did not wait: nobody's fault
	if code >= 500 && !gone {
		slog.Error("request failed", "method", c.Request().Method, "path", c.Request().URL.Path, "status", code, "error", err)
	}
	if c.Response().Committed {
		return // it has begun, and cannot be taken back
	}
	if code == http.StatusServiceUnavailable && c.Response().Header().Get(echo.HeaderRetryAfter) == "" {
		c.Response().Header().Set(echo.HeaderRetryAfter, "5")
	}
	if throttled, ok := errors.AsType[throttledError](err); ok {
		setRetryAfter(c, throttled.wait)
	}
	if err := answerError(c, code); err != nil {
		slog.Error("error page failed", "status", code, "error", err)
	}
}

func statusOf(err error) int {
	if httpError, ok := errors.AsType[*echo.HTTPError](err); ok {
		return httpError.Code
	}
	if _, ok := errors.AsType[throttledError](err); ok {
		return http.StatusTooManyRequests
	}
	if errors.Is(err, errUnavailable) {
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func answerError(c echo.Context, code int) error {
	if c.Request().Method == http.MethodHead {
		return c.NoContent(code)
	}
	if !wantsPage(c.Request()) {
		c.Response().Header().Set(echo.HeaderContentType, "application/problem+json")
		return c.JSON(code, map[string]any{"title": http.StatusText(code), "status": code})
	}
	text, ok := errorText[code]
	if !ok {
		text.title, text.text = http.StatusText(code), "The server could not make sense of this request."
	}
	return render(c, code, "error", text.title, struct {
		Code int
		Text string
	}{code, text.text})
}

// answerRefusal gives the guard's refusals this app's looks, where a person
// would otherwise see a bare line. Redirects and answers to programs are left
// to the guard.
func answerRefusal(c echo.Context, refusal *echo.HTTPError) error {
	if (refusal.Code == http.StatusForbidden || refusal.Code == http.StatusServiceUnavailable) && wantsPage(c.Request()) {
		return answerError(c, refusal.Code)
	}
	return nil
}

// wantsPage tells people from programs. A fetch says so in Sec-Fetch-Mode, and
// what sends no such header says what it takes.
func wantsPage(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

func setRetryAfter(c echo.Context, wait time.Duration) {
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(seconds))
}
