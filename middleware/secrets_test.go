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
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// secrets holds texts that must not be shown, by name.
type secrets map[string]string

// add adds a secret in all encodings in which Go prints it.
func (s secrets) add(what, text string) {
	s[what], s[what+", in hexadecimal"] = text, hex.EncodeToString([]byte(text))
	s[what+", as a list of bytes"] = strings.Trim(fmt.Sprint([]byte(text)), "[]")
}

// key adds a master key as text and as bytes.
func (s secrets) key(t testing.TB, text string) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	s.add("the key's text", text)
	s.add("the key", string(raw))
}

// cookies adds the cookies of an answer, and their decoded parts.
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

// kept adds the cookies that a client has.
func (s secrets) kept(c *guardtest.Client) {
	for name, value := range c.Kept() {
		s.cookies([]*http.Cookie{{Name: name, Value: value}})
	}
}

// in returns the names of the secrets that a text holds.
func (s secrets) in(text string) (found []string) {
	for what, secret := range s {
		if strings.Contains(text, secret) {
			found = append(found, what)
		}
	}
	return found
}

// printed returns a value in the forms in which it may be logged.
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

// Formatting a value of the library, in any way, shows no key, cookie or password.
func TestFormatting_ShowsNoSecret(t *testing.T) {
	const dbPassword = "the-databases-password"
	inApp(t, middleware.Config{}, func(a *app) {
		known := secrets{}
		known.key(a, guardtest.Key)
		known.add("the database's password", dbPassword)
		known.add("a key that is refused", strings.Repeat("ab", 32))
		b := a.client(pageLoad).LogIn("ada")
		known.kept(b)

		keys, err := session.ParseKeys(guardtest.Key + " " + session.GenerateKey())
		if err != nil {
			a.Fatal(err)
		}
		newRequest := func() *http.Request { return b.NewRequest("GET", "/", nil) }
		issued, err := a.Sessions.Issue(newRequest(), session.Login{UserID: "grace"})
		if err != nil {
			a.Fatal(err)
		}
		known.cookies(issued.Cookies)
		ended, err := a.Sessions.Authenticate(newRequest()) // the second login has revoked it
		if err == nil {
			a.Error("the session is still live")
		}
		_, keyErr := session.ParseKeys(strings.Repeat("ab", 32) + " " + guardtest.Key + " " + guardtest.Key)
		_, noKeys := session.New(session.Keys{}, a.Store, session.Config{App: "Not An App"})
		a.Store.Fail(errDown)
		_, storeErr := a.Sessions.Authenticate(newRequest())
		_, listErr := a.Sessions.List(a.Context(), "ada", "")
		a.Store.Fail(nil)
		time.Sleep(10 * time.Second) // until the Manager probes the store again

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
		b.LogIn("ada").Send("GET", "/ctx", "")
		known.kept(b)
		derived, cancel := context.WithTimeout(inHandler, time.Second)
		defer cancel()

		values := map[string]any{
			"Keys": keys, "*Keys": &keys, "[]Keys": []session.Keys{keys}, "Verdict": issued, "*Verdict": &issued, "a Verdict without a session": ended,
			"Session": issued.Session(), "*Manager": a.Sessions, "session.Config": session.Config{}, "Login": session.Login{UserID: "ada"},
			"Event": session.Event{Kind: session.EventIssued, SessionID: issued.Session().ID}, "*Memory": a.Users, "*sessiontest.Store": a.Store, "Stats": a.Sessions.Stats(),
			"*Guard": a.guard, "middleware.Config": middleware.Config{}, "sqlstore.Store": store, "sqlstore.Config": sqlstore.Config{},
			"a handler's context": inHandler, "a derived context": derived,
			"ParseKeys's error": keyErr, "New's error": noKeys, "the store's error": storeErr, "List's error": listErr,
			"ErrUnauthenticated": session.ErrUnauthenticated, "wrapped": fmt.Errorf("x: %w", errors.Join(storeErr, keyErr)),
		}
		forms := 0
		for name, value := range values {
			if value == nil {
				a.Errorf("%s is nil: this proves nothing", name)
			}
			for form, text := range printed(a, value) {
				forms++
				if found := known.in(text); found != nil {
					a.Errorf("%s, %s, shows %q: %.200s", name, form, found, text)
				}
			}
		}
		// The search finds a cookie that is shown.
		for _, form := range []string{"%v", "%x", "%s"} {
			if known.in(fmt.Sprintf(form, issued.Cookies[0].Value)) == nil || known.in(fmt.Sprint([]byte(b.Kept()[accessName]))) == nil {
				a.Errorf("%s of a cookie is not found: this proves nothing", form)
			}
		}
		t.Logf("%d values in %d forms: none shows one of %d encodings of secrets", len(values), forms, len(known))
	})
}

// Neither echo's debug mode nor the trace of a panic shows a cookie or a key.
func TestGuard_DebugModeAndPanicsShowNoSecret(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		known, shown, answers := secrets{}, &bytes.Buffer{}, 0
		known.key(a, guardtest.Key)
		a.echo.Debug = true
		a.echo.Logger.SetOutput(shown)
		a.echo.GET("/panic", func(c echo.Context) error { panic(session.FromContext) })
		a.echo.GET("/panic/session", func(c echo.Context) error {
			s, _ := session.FromContext(c.Request().Context())
			panic(fmt.Sprintf("%+v in %+v", s, c.Request().Context()))
		})
		a.echo.GET("/error", func(c echo.Context) error { return fmt.Errorf("in %v", c.Request().Context()) })
		b := a.client(pageLoad)
		visit := func(method, path, body string) {
			rec := b.Send(method, path, body)
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
			for _, storeErr := range []error{nil, errDown} {
				a.Store.Fail(storeErr)
				for _, path := range []string{"/account", "/admin", "/password", "/panic", "/panic/session", "/error", "/nowhere", "/login", "/logout"} {
					visit("GET", path, "")
				}
				visit("POST", "/login", "user=unknown")
				expire()
				visit("GET", "/account", "")
			}
			a.Store.Fail(nil)
			b.Plant(accessName, "x"+b.Kept()[accessName])
			visit("GET", "/panic", "")
			visit("POST", "/logout", "")
		}
		shown.WriteString(a.Events.String())
		if found := known.in(shown.String()); found != nil {
			a.Errorf("shown: %q", found)
		}
		for _, sign := range []string{"PANIC RECOVER", "goroutine ", "connection refused", "kind=store-error", "kind=undecodable"} {
			if !strings.Contains(shown.String(), sign) {
				a.Errorf("%q is never shown: this proves nothing", sign)
			}
		}
		t.Logf("%d answers, and %d KB of logs and bodies: none shows one of %d encodings of secrets", answers, shown.Len()>>10, len(known))
	})
}
