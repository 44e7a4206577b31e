package middleware_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// hostile are texts that end a line, a cookie, a quotation or a log entry for
// somebody: each as it is, and within a text.
func hostile() (texts []string) {
	for _, s := range []string{
		"\r", "\n", "\r\n", "\n\n", "\r\n\r\n", "\r\nSet-Cookie: evil=1", "\nSet-Cookie: evil=1; Path=/", "\r\n\r\n<script>alert(1)</script>",
		"\r\nLocation: https://evil.example", "\r\nHTTP/1.1 200 OK\r\n\r\n", "%0d%0aSet-Cookie:evil=1", "%0a", "%00", "\x00", "\x01", "\x08", "\t", "\v", "\f",
		"\x1b[31m", "\x1b]0;x\a", "\x7f", ";", "; Domain=evil.example", "; Max-Age=99999999; x=", ",", ", evil=1", `"`, `""`, `\`, `\"`, "=", "==", " ", "  ",
		"\u0085", "\u00a0", "\u2028", "\u2029", "\u202e", "\ufeff", "\ufffd", "\u560a\u560d", "é", "日本", "👩‍🚀", "𝔘", "a\u0301", "\x80", "\xa0", "\xff\xfe", "\xc0\x8d\xc0\x8a", "\xed\xa0\x80",
		"<b>", "</script>", "&amp;", "' OR 1=1 --", "${jndi:x}", "{{7*7}}", "%s%n%v", "../..", "//evil.example", "javascript:alert(1)",
		"kind=reuse", "\nlevel=ERROR msg=forged kind=reuse", `" level=ERROR msg="forged`, "\\n", "\u0000\u2028\r\n", "__Host-Http-session=x",
	} {
		texts = append(texts, s, "a"+s+"b")
	}
	return append(texts, strings.Repeat("a", 255), strings.Repeat("a", 256), strings.Repeat("a", 3000), strings.Repeat("a", 10<<10), strings.Repeat("\r\n", 5<<10), strings.Repeat("é", 200), strings.Repeat("\"", 1000))
}

// What a header is made of in each kind of answer: no more, no less.
const (
	ofLogin       = "Cache-Control Connection Content-Length Date Location Set-Cookie Set-Cookie Vary"
	ofRefusal     = "Cache-Control Connection Content-Length Content-Type Date Vary"
	ofPage        = "Cache-Control Connection Content-Length Content-Type Date Vary"
	ofUnavailable = "Cache-Control Connection Content-Length Content-Security-Policy Content-Type Date Retry-After Vary X-Content-Type-Options"
	ofNoRequest   = "Connection Content-Type" // net/http's own 400
)

func TestNoTextFromOutsideBecomesAHeaderOrALogLine(t *testing.T) {
	texts := hostile()
	exact, refused, events := 0, 0, 0
	inApp(t, middleware.Config{}, func(a *app) {
		a.echo.GET("/show", func(c echo.Context) error {
			s, _ := session.FromContext(c.Request().Context())
			return c.String(http.StatusOK, shown(s.UserID, s.Attrs["name"], s.Roles))
		})
		login := func(user, next string, lines ...string) (*client, wireAnswer) {
			b := a.client(pageLoad)
			form := url.Values{"user": {user}, "next": {next}}.Encode()
			all := b.onWire("POST", "/login", form, lines...)
			answer := all[len(all)-1]
			for _, line := range answer.values("Set-Cookie") {
				c, err := http.ParseSetCookie(line)
				if err != nil || c.Valid() != nil {
					a.Errorf("%q: %v", line, err)
					continue
				}
				b.jar[c.Name] = c.Value
			}
			return b, answer
		}
		is := func(place, text string, answer wireAnswer, status int, names string) bool {
			a.Helper()
			if answer.status != status {
				return false
			}
			if got := answer.names(); got != names {
				a.Errorf("%s %.80q: %d with the headers %s; want %s", place, text, status, got, names)
			}
			return true
		}
		for _, text := range texts {
			for _, user := range []struct {
				place, id string
				row       session.User
			}{
				{"a name", "somebody", session.User{Attrs: map[string]string{"name": text}}},
				{"a role", "someone", session.User{Roles: []string{text}}},
				{"a user id", text, session.User{}},
			} {
				a.users.SetUser(user.id, user.row)
				b, answer := login(user.id, "/show")
				switch {
				case is(user.place, text, answer, 303, ofLogin):
					all := b.onWire("GET", "/show", "")
					want := shown(user.id, user.row.Attrs["name"], user.row.Roles)
					if got := all[0]; !is(user.place, text, got, 200, ofPage) || got.body != want {
						a.Errorf("%s %.80q came back as %.200s", user.place, text, got.body)
					}
					exact++
				case is(user.place, text, answer, 500, ofRefusal) && len(text) > 2000: // too large for a cookie
					refused++
				default:
					a.Errorf("%s %.80q: %d", user.place, text, answer.status)
				}
			}

			_, answer := login("ada", text)
			if !is("next", text, answer, 303, ofLogin) {
				a.Errorf("next %.80q: %d", text, answer.status)
			}
			switch location := answer.values("Location"); {
			case len(location) != 1 || location[0] != text && location[0] != "/account":
				a.Errorf("next %.80q became Location %q", text, location)
			case location[0] == text:
				exact++
			default:
				refused++
			}

			if agent, ok := userAgent(a, text, login, is); ok {
				exact++
				clean := !strings.ContainsFunc(text, unicode.IsControl) && utf8.ValidString(text) && text == strings.TrimSpace(text) && len(text) <= 255
				if clean && agent != text || !utf8.ValidString(agent) || len(agent) > 255 || strings.ContainsFunc(agent, func(r rune) bool { return r < ' ' || r == 0x7f }) {
					a.Errorf("the User-Agent %.80q became %q", text, agent)
				}
			} else {
				refused++
			}

			// The store's own words, which may quote anything.
			b := a.client(pageLoad).login("ada")
			a.expire()
			a.store.says = errors.New(text)
			a.store.down.Store(true)
			if answer := b.onWire("GET", "/account", "")[0]; !is("the store's error", text, answer, 503, ofUnavailable) || text != "" && len(text) > 5 && strings.Contains(answer.body, text) {
				a.Errorf("the store's error %.80q: %d %.200q", text, answer.status, answer.body)
			}
			a.store.down.Store(false)
			refused++
		}
		events = a.log.events
		for i, line := range strings.Split(strings.TrimSuffix(a.log.String(), "\n"), "\n") {
			if !strings.HasPrefix(line, "time=") || strings.Count(line, " msg=session kind=") != 1 && !strings.Contains(line, `error="`) {
				a.Errorf("line %d of the log is %.200q", i+1, line)
			}
		}
		if lines := strings.Count(a.log.String(), "\n"); lines != events || events < 5*len(texts) {
			a.Errorf("%d events made %d lines in the log", events, lines)
		}
	})
	if len(texts) < 64 || exact < 3*len(texts)-20 {
		t.Errorf("%d texts, %d times exact: this test proves little", len(texts), exact)
	}
	t.Logf("%d texts in 6 places: %d times exact, %d times refused; %d events, as many log lines", len(texts), exact, refused, events)
}

// shown is what a session says of a user, byte for byte.
func shown(id, name string, roles []string) string {
	return hex.EncodeToString([]byte(id + "." + name + "." + strings.Join(roles, ".")))
}

// userAgent logs in with a User-Agent header, byte for byte, and returns what the
// list of devices says of it. False: there was no login.
func userAgent(a *app, text string, login func(user, next string, lines ...string) (*client, wireAnswer), is func(place, text string, answer wireAnswer, status int, names string) bool) (string, bool) {
	a.Helper()
	b, answer := login("ada", "", "User-Agent: "+text)
	switch {
	case is("User-Agent", text, answer, 303, ofLogin):
	case is("User-Agent", text, answer, 400, ofNoRequest), is("User-Agent", text, answer, 403, ofRefusal): // not HTTP; or the form's end was cut off
		return "", false
	default:
		a.Errorf("User-Agent %.80q: %d", text, answer.status)
		return "", false
	}
	list, err := a.sessions.List(a.Context(), "ada")
	if err != nil {
		a.Fatal(err)
	}
	id := a.sessionOf(b)
	for _, info := range list {
		if info.ID == id {
			return info.UserAgent, true
		}
	}
	a.Error(fmt.Errorf("User-Agent %.80q: the session %q is not in the list", text, id))
	return "", false
}
