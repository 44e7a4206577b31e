package nethttp_test

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

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// hostile returns texts that end a line, a cookie, a quotation or a log entry in some
// parser: each alone, and inside another text.
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

// The names of the headers in each kind of answer, sorted.
const (
	ofLogin   = "Cache-Control Clear-Site-Data Connection Content-Length Date Location Set-Cookie Set-Cookie Set-Cookie Vary"
	ofRefusal = "Cache-Control Connection Content-Length Content-Security-Policy Content-Type Date Vary X-Content-Type-Options"
	ofPage    = "Cache-Control Connection Content-Length Content-Type Date Vary"
	ofOutage  = "Cache-Control Connection Content-Length Content-Security-Policy Content-Type Date Retry-After Vary X-Content-Type-Options"
	ofBadHTTP = "Connection Content-Type" // net/http's own 400
)

// injection counts what happened to the texts.
type injection struct {
	*app
	exact, refused int
}

// Each hostile text is a user's name, role or id, a return path, a User-Agent, and an
// error of the store. It adds no header and no log line.
func TestGuard_InputNeverBecomesAHeaderOrALogLine(t *testing.T) {
	texts := hostile()
	inApp(t, nethttp.Config{}, func(a *app) {
		i := &injection{app: a}
		a.handle("GET /show", func(w http.ResponseWriter, r *http.Request) {
			s, _ := session.FromContext(r.Context())
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, shown(s.UserID, s.Attrs["name"], s.Roles))
		})
		for _, text := range texts {
			i.inUser("a name", "user-with-name", text, store.User{Attrs: map[string]string{"name": text}})
			i.inUser("a role", "user-with-role", text, store.User{Roles: []string{text}})
			i.inUser("a user id", text, text, store.User{})
			i.inReturnPath(text)
			i.inUserAgent(text)
			i.inStoreError(text)
		}
		for n, line := range strings.Split(strings.TrimSuffix(a.Events.String(), "\n"), "\n") {
			if !strings.HasPrefix(line, "time=") || strings.Count(line, " msg=session kind=") != 1 && !strings.Contains(line, `error="`) {
				a.Errorf("line %d of the log is %.200q", n+1, line)
			}
		}
		if lines := strings.Count(a.Events.String(), "\n"); lines != a.Events.Count() || lines < 5*len(texts) {
			a.Errorf("%d events made %d lines in the log", a.Events.Count(), lines)
		}
		if len(texts) < 64 || i.exact < 3*len(texts)-20 {
			t.Errorf("%d texts, %d of them unchanged: too few to prove anything", len(texts), i.exact)
		}
		t.Logf("%d texts in 6 places: %d times unchanged, %d times refused; %d events, as many log lines", len(texts), i.exact, i.refused, a.Events.Count())
	})
}

// login posts the form of a login byte for byte. lines holds further header lines.
func (i *injection) login(user, next string, lines ...string) (*guardtest.Client, guardtest.Answer) {
	b := i.client(pageLoad)
	all := b.SendRaw("POST", "/login", url.Values{"user": {user}, "next": {next}}.Encode(), lines...)
	answer := all[len(all)-1]
	for _, line := range answer.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil || c.Valid() != nil {
			i.Errorf("%q: %v", line, err)
			continue
		}
		b.Receive([]*http.Cookie{c})
	}
	return b, answer
}

// is reports whether an answer has the status. If so, it must have exactly the headers.
func (i *injection) is(place, text string, answer guardtest.Answer, status int, names string) bool {
	i.Helper()
	if answer.Status != status {
		return false
	}
	if got := answer.Names(); got != names {
		i.Errorf("%s %.80q: %d with the headers %s; want %s", place, text, status, got, names)
	}
	return true
}

func (i *injection) inUser(place, id, text string, row store.User) {
	i.Users.SetUser(id, row)
	b, answer := i.login(id, "/show")
	switch {
	case i.is(place, text, answer, 303, ofLogin):
		got, want := b.SendRaw("GET", "/show", "")[0], shown(id, row.Attrs["name"], row.Roles)
		if !i.is(place, text, got, 200, ofPage) || got.Body != want {
			i.Errorf("%s %.80q comes back as %.200s", place, text, got.Body)
		}
		i.exact++
	case i.is(place, text, answer, 500, ofRefusal) && len(text) > 2000: // too large for a cookie
		i.refused++
	default:
		i.Errorf("%s %.80q: %d", place, text, answer.Status)
	}
}

func (i *injection) inReturnPath(text string) {
	_, answer := i.login("ada", text)
	if !i.is("next", text, answer, 303, ofLogin) {
		i.Errorf("next %.80q: %d", text, answer.Status)
	}
	switch location := answer.Values("Location"); {
	case len(location) != 1 || location[0] != text && location[0] != "/account":
		i.Errorf("next %.80q becomes Location %q", text, location)
	case location[0] == text:
		i.exact++
	default:
		i.refused++
	}
}

// inUserAgent logs in with a User-Agent header, and looks it up in the list of devices.
func (i *injection) inUserAgent(text string) {
	b, answer := i.login("ada", "", "User-Agent: "+text)
	switch {
	case i.is("User-Agent", text, answer, 303, ofLogin):
	case i.is("User-Agent", text, answer, 400, ofBadHTTP), i.is("User-Agent", text, answer, 403, ofRefusal): // not HTTP; or the header ended, and the form was lost
		i.refused++
		return
	default:
		i.Errorf("User-Agent %.80q: %d", text, answer.Status)
		return
	}
	list, err := i.Sessions.List(i.Context(), "ada", "")
	if err != nil {
		i.Fatal(err)
	}
	id := i.SessionOf(b)
	for _, info := range list {
		if info.ID != id {
			continue
		}
		i.exact++
		agent := info.UserAgent
		clean := !strings.ContainsFunc(text, unicode.IsControl) && utf8.ValidString(text) && text == strings.TrimSpace(text) && len(text) <= 255
		if clean && agent != text || !utf8.ValidString(agent) || len(agent) > 255 || strings.ContainsFunc(agent, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			i.Errorf("the User-Agent %.80q becomes %q", text, agent)
		}
		return
	}
	i.Errorf("User-Agent %.80q: the session %q is not in the list", text, id)
}

// inStoreError makes the store fail with an error that quotes the text.
func (i *injection) inStoreError(text string) {
	b := i.client(pageLoad).LogIn("ada")
	expire()
	i.Store.Fail(errors.New(text))
	defer i.Store.Fail(nil)
	answer := b.SendRaw("GET", "/account", "")[0]
	if !i.is("the store's error", text, answer, 503, ofOutage) || len(text) > 5 && strings.Contains(answer.Body, text) {
		i.Errorf("the store's error %.80q: %d %.200q", text, answer.Status, answer.Body)
	}
	i.refused++
}

// shown encodes what a session holds of a user, byte for byte.
func shown(id, name string, roles []string) string {
	return hex.EncodeToString([]byte(id + "." + name + "." + strings.Join(roles, ".")))
}
