package middleware_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// secrets are texts that nobody may read, by what they are.
type secrets map[string]string

// add takes a secret in, in all the spellings in which Go prints it.
func (s secrets) add(what, text string) {
	s[what], s[what+", in hexadecimal"] = text, hex.EncodeToString([]byte(text))
	s[what+", as a list of bytes"] = strings.Trim(fmt.Sprint([]byte(text)), "[]")
}

// key takes a master secret in, as it is written and as its bytes.
func (s secrets) key(t testing.TB, text string) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	s.add("the key's text", text)
	s.add("the key", string(raw))
}

// cookies takes the cookies in that an answer sets, whole and in their parts.
func (s secrets) cookies(set []*http.Cookie) {
	for _, c := range set {
		if c.Value == "" {
			continue
		}
		s.add("a cookie of "+c.Name+" "+c.Value[len(c.Value)-8:], c.Value)
		raw, err := base64.URLEncoding.DecodeString(c.Value)
		if err != nil {
			continue
		}
		for i, part := range bytes.Split(raw, []byte("|")) {
			if len(part) >= 16 {
				s.add(fmt.Sprint("part ", i, " of ", c.Name, " ", c.Value[len(c.Value)-8:]), string(part))
			}
		}
	}
}

// in returns what of them stands in a text.
func (s secrets) in(text string) (found []string) {
	for what, secret := range s {
		if strings.Contains(text, secret) {
			found = append(found, what)
		}
	}
	return found
}

// printed is a value in every form in which it may get into a log.
func printed(t testing.TB, v any) map[string]string {
	t.Helper()
	forms := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		forms[verb] = fmt.Sprintf(verb, v)
		forms[verb+" in a struct"] = fmt.Sprintf(verb, struct{ V any }{v})
		forms[verb+" in a map"] = fmt.Sprintf(verb, map[string]any{"v": v})
	}
	if text, err := json.Marshal(v); err == nil {
		forms["JSON"] = string(text)
	}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog, text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog, JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var out bytes.Buffer
		log := slog.New(handler(&out))
		log.With("v", v).WithGroup("g").Info("x", "v", v, "in", struct{ V any }{v})
		forms[name] = out.String()
	}
	if err, ok := v.(error); ok {
		forms["Error"] = err.Error()
	}
	return forms
}

func TestNothingPrintsASecret(t *testing.T) {
	const dbPassword = "the-databases-password"
	inApp(t, middleware.Config{}, func(a *app) {
		known := secrets{}
		known.key(a, testKey)
		known.add("the database's password", dbPassword)
		known.add("a key that is refused", strings.Repeat("ab", 32))
		b := a.client(pageLoad).login("ada")
		for name, value := range b.jar {
			known.cookies([]*http.Cookie{{Name: name, Value: value}})
		}

		keys, err := session.ParseKeys(testKey + " " + session.GenerateKey())
		if err != nil {
			a.Fatal(err)
		}
		newRequest := func() *http.Request {
			r := httptest.NewRequest("GET", "https://app.test/", nil)
			for name, value := range b.jar {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			return r
		}
		issued, err := a.sessions.Issue(newRequest(), session.Login{UserID: "grace"})
		if err != nil {
			a.Fatal(err)
		}
		known.cookies(issued.Cookies)
		refreshed, err := a.sessions.Authenticate(newRequest()) // which that login has ended
		if err == nil {
			a.Error("the session goes on")
		}
		_, keyErr := session.ParseKeys(strings.Repeat("ab", 32) + " " + testKey + " " + testKey)
		_, noKeys := session.New(session.Keys{}, a.store, session.Config{App: "Not An App"})
		a.store.down.Store(true)
		_, storeErr := a.sessions.Authenticate(newRequest())
		_, listErr := a.sessions.List(a.Context(), "ada")
		a.store.down.Store(false)
		time.Sleep(10 * time.Second) // until what was found out about the store has grown old

		dsn := mysql.NewConfig()
		dsn.User, dsn.Passwd, dsn.Addr = "app", dbPassword, "127.0.0.1:1"
		connector, err := mysql.NewConnector(dsn)
		if err != nil {
			a.Fatal(err)
		}
		db := sql.OpenDB(connector)
		defer db.Close()
		store, err := sqlstore.New(db, sqlstore.Config{})
		if err != nil {
			a.Fatal(err)
		}
		var inHandler context.Context
		a.echo.GET("/ctx", func(c echo.Context) error { inHandler = c.Request().Context(); return nil })
		b.login("ada").do("GET", "/ctx", "")
		for name, value := range b.jar {
			known.cookies([]*http.Cookie{{Name: name, Value: value}})
		}
		derived, cancel := context.WithTimeout(inHandler, time.Second)
		defer cancel()

		values := map[string]any{
			"Keys": keys, "*Keys": &keys, "[]Keys": []session.Keys{keys}, "Verdict": issued, "*Verdict": &issued, "a Verdict that ends": refreshed,
			"Session": issued.Session(), "*Manager": a.sessions, "session.Config": session.Config{}, "Login": session.Login{UserID: "ada"},
			"Event": session.Event{Kind: session.EventIssued, SessionID: issued.Session().ID}, "MemoryStore": a.users, "Stats": a.sessions.Stats(),
			"*Guard": a.guard, "middleware.Config": middleware.Config{}, "sqlstore.Store": store, "sqlstore.Config": sqlstore.Config{},
			"a handler's context": inHandler, "one derived from it": derived,
			"ParseKeys's error": keyErr, "New's error": noKeys, "the store's error": storeErr, "List's error": listErr,
			"ErrUnauthenticated": session.ErrUnauthenticated, "wrapped": fmt.Errorf("x: %w", errors.Join(storeErr, keyErr)),
		}
		forms := 0
		for name, value := range values {
			if value == nil {
				a.Errorf("%s is nil: this test proves little", name)
			}
			for form, text := range printed(a, value) {
				forms++
				if found := known.in(text); found != nil {
					a.Errorf("%s, %s, shows %q: %.200s", name, form, found, text)
				}
			}
		}
		// The search does find what is there.
		for _, form := range []string{"%v", "%x", "%s"} {
			if known.in(fmt.Sprintf(form, issued.Cookies[0].Value)) == nil || known.in(fmt.Sprint([]byte(b.jar[accessName]))) == nil {
				a.Errorf("%s of a cookie was not found: this test proves nothing", form)
			}
		}
		t.Logf("%d values in %d forms: none of %d spellings of secrets shows", len(values), forms, len(known))
	})
}

// An app in echo's debug mode says more than it should, but nothing of a cookie
// or a key; nor does the trace of a panic.
func TestDebugModeAndPanicsShowNoSecret(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		known, shown, answers := secrets{}, &bytes.Buffer{}, 0
		known.key(a, testKey)
		a.echo.Debug = true
		a.echo.Logger.SetOutput(shown)
		a.echo.GET("/panic", func(c echo.Context) error { panic(session.FromContext) })
		a.echo.GET("/panic/session", func(c echo.Context) error {
			s, _ := session.FromContext(c.Request().Context())
			panic(fmt.Sprintf("%+v in %+v", s, c.Request().Context()))
		})
		a.echo.GET("/error", func(c echo.Context) error { return fmt.Errorf("of %v", c.Request().Context()) })
		b := a.client(pageLoad)
		visit := func(method, path, body string) {
			rec := b.do(method, path, body)
			known.cookies(rec.Result().Cookies())
			answers++
			shown.Write(rec.Body.Bytes())
			for name, values := range rec.Header() {
				if name != "Set-Cookie" {
					fmt.Fprintln(shown, name, values)
				}
			}
		}
		for range 2 {
			visit("POST", "/login", "user=ada")
			for _, down := range []bool{false, true} {
				a.store.down.Store(down)
				for _, path := range []string{"/account", "/admin", "/password", "/panic", "/panic/session", "/error", "/nowhere", "/login", "/logout"} {
					visit("GET", path, "")
				}
				visit("POST", "/login", "user=unknown")
				a.expire()
				visit("GET", "/account", "")
			}
			a.store.down.Store(false)
			b.jar[accessName] = "x" + b.jar[accessName]
			visit("GET", "/panic", "")
			visit("POST", "/logout", "")
		}
		shown.WriteString(a.log.String())
		if found := known.in(shown.String()); found != nil {
			a.Errorf("shown: %q", found)
		}
		for _, sign := range []string{"PANIC RECOVER", "goroutine ", "connection refused", "kind=store-trouble", "kind=undecodable"} {
			if !strings.Contains(shown.String(), sign) {
				a.Errorf("%q was never shown: this test proves little", sign)
			}
		}
		t.Logf("%d answers, and %d KB of logs and bodies: none of %d spellings of secrets shows", answers, shown.Len()>>10, len(known))
	})
}
