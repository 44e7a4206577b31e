package nethttp_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// clientAnswers is a kind of client, and the answers that it gets, as answerOf describes them. In
// these, LOGIN is the login page with the way back.
type clientAnswers struct {
	name    string
	headers guardtest.Kind

	login  string // it is not logged in; with "&reauth=1" in LOGIN, its login is too old
	back   string // next in LOGIN, after a GET of /account?a=b
	post   string // the same after a POST, from the form /form
	denied string // with the status 403: the wrong role, another site, a user who may not log in
	down   string // the store is down
	moved  string // it is sent to PAGE after a form
}

const referer = "https://app.test/here?p=1"

var clientTable = []clientAnswers{
	{"prefetch", guardtest.Kind{"Sec-Purpose": "prefetch", "Sec-Fetch-Mode": "navigate", "HX-Request": "true"}, "503 problem", "", "", "403 problem", "503 problem", "204"},
	{"WebSocket", guardtest.Kind{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Fetch-Mode": "websocket", "Accept": "text/html"}, "401 problem", "", "", "403 problem", "503 problem", "204"},
	{"htmx's preload", guardtest.Kind{"HX-Preloaded": "true", "HX-Request": "true"}, "401 page", "", "", "403 page", "503 page", "204"},
	{"htmx, history", guardtest.Kind{"HX-History-Restore-Request": "true", "HX-Request": "true", "HX-Current-URL": referer}, "200 HX-Redirect LOGIN refresh LOGIN", "/account?a=b", "/here?p=1", "403 page", "503 page", "204 HX-Redirect PAGE"},
	{"htmx", guardtest.Kind{"HX-Request": "true", "HX-Current-URL": referer, "Accept": "text/html"}, "401 HX-Redirect LOGIN no swap page", "/here?p=1", "/here?p=1", "403 no swap page", "503 no swap page", "204 HX-Redirect PAGE"},
	{"htmx, boosted", guardtest.Kind{"HX-Request": "true", "HX-Boosted": "true", "HX-Current-URL": referer}, "401 HX-Redirect LOGIN no swap page", "/account?a=b", "/here?p=1", "403 no swap page", "503 no swap page", "204 HX-Redirect PAGE"},
	{"Datastar", guardtest.Kind{"Datastar-Request": "true", "Accept": "text/event-stream"}, "200 script LOGIN", "/here?p=1", "/here?p=1", "403 problem", "503 problem", "200 script PAGE"},
	{"Datastar 1", guardtest.Kind{"Datastar-Request": "true", "Accept": "text/event-stream, text/html, application/json"}, "200 script LOGIN", "/here?p=1", "/here?p=1", "403 problem", "503 problem", "200 script PAGE"},
	{"Turbo frame", guardtest.Kind{"Turbo-Frame": "messages", "Accept": "text/html, application/xhtml+xml"}, "303 Location LOGIN&whole=1 whole page", "/here?p=1", "/here?p=1", "403 whole page", "503 whole page", "303 Location PAGE"},
	{"Unpoly", guardtest.Kind{"X-Up-Version": "3.14.3", "Accept": "*/*"}, "303 Location LOGIN page", "/account?a=b", "/here?p=1", "403 page", "503 page", "303 Location PAGE"},
	{"Alpine AJAX", guardtest.Kind{"X-Alpine-Request": "true", "Accept": "*/*"}, "401 page", "", "", "403 page", "503 page", "303 Location PAGE"},
	{"EventSource", guardtest.Kind{"Accept": "text/event-stream"}, "204", "", "-", "403 problem", "200 retry", "204"},
	{"page load", guardtest.Kind{"Sec-Fetch-Mode": "navigate"}, "303 Location LOGIN page", "/account?a=b", "/here?p=1", "403 page", "503 page", "303 Location PAGE"},
	{"Turbo", guardtest.Kind{"Sec-Fetch-Mode": "cors", "Accept": "text/vnd.turbo-stream.html, text/html, application/xhtml+xml"}, "303 Location LOGIN page", "/account?a=b", "/here?p=1", "403 page", "503 page", "303 Location PAGE"},
	{"service worker", guardtest.Kind{"Sec-Fetch-Mode": "same-origin", "Accept": "text/html,*/*;q=0.8"}, "303 Location LOGIN page", "/account?a=b", "/here?p=1", "403 page", "503 page", "303 Location PAGE"},
	{"old browser", guardtest.Kind{"Accept": "application/xml,text/html;q=0.9"}, "303 Location LOGIN page", "/account?a=b", "/here?p=1", "403 page", "503 page", "303 Location PAGE"},
	{"fetch", guardtest.Kind{"Sec-Fetch-Mode": "cors", "Accept": "*/*"}, "401 problem", "", "", "403 problem", "503 problem", "204"},
	{"jQuery", guardtest.Kind{"Sec-Fetch-Mode": "cors", "Accept": "text/html, */*; q=0.01", "X-Requested-With": "XMLHttpRequest"}, "401 problem", "", "", "403 problem", "503 problem", "204"},
	{"a reader of streams", guardtest.Kind{"Accept": "text/event-stream", "Authorization": "Bearer x"}, "401 problem", "", "", "403 problem", "503 problem", "204"},
	{"a protocol on streams", guardtest.Kind{"Accept": "application/json, text/event-stream"}, "401 problem", "", "", "403 problem", "503 problem", "204"},
}

var (
	refreshTag = regexp.MustCompile(`<meta http-equiv="refresh" content="0; url=([^"]*)">`)
	scriptLine = regexp.MustCompile(`(?m)^event: datastar-execute-script\ndata: script location\.assign\((".*")\)\n\nevent: datastar-patch-elements\ndata: selector body\ndata: mode append\ndata: elements <script>location\.assign\((".*")\)</script>\n\n$`)
)

// answerOf describes an answer: its status, the page that it leads to, and what its body is.
func answerOf(t testing.TB, rec *httptest.ResponseRecorder) string {
	t.Helper()
	h, body := rec.Header(), rec.Body.String()
	answer := fmt.Sprint(rec.Code)
	for _, name := range []string{"Location", "HX-Redirect"} {
		if to := h.Get(name); to != "" {
			answer += " " + name + " " + to
		}
	}
	if h.Get("HX-Reswap") == "none" {
		answer += " no swap"
	}
	switch kind := h.Get("Content-Type"); {
	case body == "":
	case kind == "application/problem+json":
		var problem struct{ Status int }
		if err := json.Unmarshal(rec.Body.Bytes(), &problem); err != nil || problem.Status != rec.Code {
			t.Errorf("the problem document %s: %v", body, err)
		}
		answer += " problem"
	case kind == "text/event-stream" && body == "retry: 2000\n\n":
		answer += " retry"
	case kind == "text/event-stream":
		found := scriptLine.FindStringSubmatch(body)
		var to string
		if found == nil || found[1] != found[2] || strings.ContainsAny(found[1], "<>&") || json.Unmarshal([]byte(found[1]), &to) != nil {
			t.Errorf("the script %s", body)
		}
		answer += " script " + to
	case refreshTag.MatchString(body):
		answer += " refresh " + html.UnescapeString(refreshTag.FindStringSubmatch(body)[1])
	case strings.Contains(body, `<meta name="turbo-visit-control" content="reload">`):
		answer += " whole page"
	case kind == "text/html; charset=utf-8" && strings.Contains(body, "<h1>"+http.StatusText(rec.Code)+"</h1>"):
		answer += " page"
	default:
		answer += " " + kind + " " + body
	}
	if rec.Code != http.StatusNoContent && rec.Code != http.StatusSeeOther && h.Get("Cache-Control") != "no-store" && body != "" {
		t.Errorf("%s: Cache-Control %q; want no-store", answer, h.Get("Cache-Control"))
	}
	return answer
}

// filled returns an answer with the login page in place of LOGIN.
func filled(answer, next, more string) string {
	query := ""
	if next != "" {
		query = "next=" + url.QueryEscape(next)
	}
	query = strings.TrimPrefix(query+more, "&")
	if query != "" {
		query = "?" + query
	}
	return strings.ReplaceAll(answer, "LOGIN", "/login"+query)
}

// Each row of the table of clients, and each refusal.
func TestClients_EachKindGetsItsAnswers(t *testing.T) {
	for _, c := range clientTable {
		inApp(t, nethttp.Config{}, func(a *app) {
			a.Users.SetUser("gone", store.User{Disabled: true})
			a.handle("GET /live", who, a.guard.RequireLive)
			b := a.client(pageLoad).LogIn("ada").As(c.headers)
			check := func(when string, rec *httptest.ResponseRecorder, want string) {
				a.Helper()
				if got := answerOf(a, rec); got != want {
					a.Errorf("%s, %s:\n%q; want\n%q", c.name, when, got, want)
				}
			}
			check("the wrong role", b.Send("GET", "/admin", "", "Referer", referer), c.denied)
			check("another site", b.Send("POST", "/account", "x=y", "Referer", referer, "Sec-Fetch-Site", "cross-site"), c.denied)
			if c.name != "EventSource" { // it sends no form
				check("a user who may not log in", b.Send("POST", "/login", "user=gone", "Referer", referer), c.denied)
			}
			a.Store.Fail(errDown)
			check("the store is down", b.Send("GET", "/live", "", "Referer", referer), c.down)
			a.Store.Fail(nil)

			b.Forget()
			check("not logged in", b.Send("GET", "/account?a=b", "", "Referer", referer), filled(c.login, c.back, ""))
			if c.post != "-" {
				check("not logged in, a form", b.Send("POST", "/account?a=b", "x=y", "Referer", referer), filled(c.login, c.post, ""))
			}

			old := a.client(pageLoad).LogIn("ada")
			refreshFor(old, 3)
			want := strings.ReplaceAll(filled(c.login, c.back, "&reauth=1"), "%2Faccount%3Fa%3Db", "%2Fpassword%3Fa%3Db")
			check("a login that is too old", old.As(c.headers).Send("GET", "/password?a=b", "", "Referer", referer), want)
		})
	}
}

// Each kind of client is sent to the next page after a form.
func TestRedirect_SendsEachKindOfClient(t *testing.T) {
	for _, page := range []string{"/shown", "/shown?a=b&c=%20", `/shown?a="</script><script>alert('x')//`} {
		for _, c := range clientTable {
			r := httptest.NewRequest("POST", "/login", nil)
			if c.name == "EventSource" {
				r.Method = "GET"
			}
			for name, value := range c.headers {
				r.Header.Set(name, value)
			}
			rec := httptest.NewRecorder()
			if err := nethttp.Redirect(rec, r, page); err != nil {
				t.Fatal(err)
			}
			if got, want := answerOf(t, rec), strings.ReplaceAll(c.moved, "PAGE", page); got != want {
				t.Errorf("%s: %q; want %q", c.name, got, want)
			}
		}
	}
}

// An EventSource opens a stream with a GET.
func TestClients_PostForAStreamIsAProgram(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		if got := answerOf(a, a.client(guardtest.Kind{"Accept": "text/event-stream"}).Send("POST", "/account", "x=y")); got != "401 problem" {
			a.Errorf("a POST for a stream: %q", got)
		}
	})
}

// A browser adds credentials by itself, and the libraries load pages. So they log nobody in.
func TestClients_CredentialsLogInPrograms(t *testing.T) {
	logsIn := map[string]bool{"WebSocket": true, "htmx's preload": true, "htmx": true, "htmx, boosted": true, "EventSource": true, "fetch": true, "jQuery": true, "a reader of streams": true, "a protocol on streams": true}
	for _, c := range clientTable {
		credentials := func(r *http.Request) (session.Login, error) { return session.Login{UserID: "ada"}, nil }
		inApp(t, nethttp.Config{Credentials: credentials}, func(a *app) {
			rec := a.client(c.headers).Send("GET", "/account", "", "Sec-Fetch-Site", "same-origin")
			if got := rec.Code == http.StatusOK && rec.Body.String() == "ada"; got != logsIn[c.name] {
				a.Errorf("%s: %d %q; want a login: %v", c.name, rec.Code, rec.Body, logsIn[c.name])
			}
		})
	}
}

// A client that is no page for a person gets the guard's own answer.
func TestAnswer_IsNotAskedAboutAFixedAnswer(t *testing.T) {
	for _, c := range clientTable {
		asked := 0
		cfg := nethttp.Config{Answer: func(w http.ResponseWriter, _ *http.Request, f *nethttp.Refusal) {
			asked++
			w.WriteHeader(f.Status)
			fmt.Fprint(w, "the app's page")
		}}
		inApp(t, cfg, func(a *app) {
			a.handle("GET /live", who, a.guard.RequireLive)
			a.client(c.headers).Send("GET", "/account?a=b", "", "Referer", referer)
			if status := c.login[:1]; (asked == 0) != (status == "2" || c.name == "prefetch") {
				a.Errorf("%s, not logged in: Answer is called %d times", c.name, asked)
			}
			asked = 0
			b := a.client(pageLoad).LogIn("ada").As(c.headers)
			a.Store.Fail(errDown)
			b.Send("GET", "/live", "")
			if status := c.down[:1]; (asked == 0) != (status == "2" || c.name == "prefetch") {
				a.Errorf("%s, store down: Answer is called %d times", c.name, asked)
			}
			a.Store.Fail(nil)
		})
	}
}

// Turbo follows the redirect within its frame. There it gets a page that makes it load the
// login page as a whole. A frame that the app points at the login page gets that page.
func TestGuard_FrameLoadsTheLoginPageAsAWhole(t *testing.T) {
	frame := guardtest.Kind{"Turbo-Frame": "messages", "Accept": "text/html, application/xhtml+xml"}
	for _, c := range []struct {
		name, method, target string
		kind                 guardtest.Kind
		whole                bool
	}{
		{"a frame that was refused", "GET", "/login?next=%2Fhere&whole=1", frame, true},
		{"HEAD", "HEAD", "/login?next=%2Fhere&whole=1", frame, true},
		{"a frame of the app", "GET", "/login?next=%2Fhere", frame, false},
		{"the page as a whole", "GET", "/login?next=%2Fhere&whole=1", pageLoad, false},
		{"the form", "POST", "/login?next=%2Fhere&whole=1", frame, false},
		{"another page", "GET", "/?whole=1", frame, false},
		{"a prefetch", "GET", "/login?whole=1", guardtest.Kind{"Turbo-Frame": "messages", "Sec-Purpose": "prefetch"}, false},
	} {
		asked := 0
		cfg := nethttp.Config{Answer: func(http.ResponseWriter, *http.Request, *nethttp.Refusal) { asked++ }}
		inApp(t, cfg, func(a *app) {
			rec := a.client(c.kind).Send(c.method, c.target, "")
			if got := rec.Code == 200 && strings.Contains(rec.Body.String(), `content="reload"`); got != c.whole || asked != 0 && c.whole {
				a.Errorf("%s: %d %s, Answer called %d times; want a reload: %v", c.name, rec.Code, rec.Body, asked, c.whole)
			}
			if c.whole && (rec.Header().Get("Cache-Control") != "no-store" || len(rec.Header()["Set-Cookie"]) != 0) {
				a.Errorf("%s: %v", c.name, rec.Header())
			}
		})
	}
}
