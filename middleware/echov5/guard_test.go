package echov5_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/sessionkit/sessionkit/middleware/echov5"
	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// app is an echo app behind a guard. The suite in test/skins tests what all guards share.
type app struct {
	*testing.T
	*guardtest.World
	echo  *echo.Echo
	guard *echov5.Guard
}

func newApp(t *testing.T, cfg echov5.Config) *app {
	t.Helper()
	a := &app{T: t, World: guardtest.NewWorld(t), echo: echo.New()}
	var err error
	if a.guard, err = echov5.New(a.Sessions, cfg); err != nil {
		t.Fatal(err)
	}
	a.echo.Use(a.guard.Protect)
	a.echo.POST("/login", func(c *echo.Context) error {
		if err := a.guard.Issue(c, session.Login{UserID: c.FormValue("user")}); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, a.guard.ReturnTo(c, "/account"))
	})
	a.echo.POST("/logout", a.guard.Logout)
	a.echo.GET("/account", who)
	return a
}

func (a *app) client(kind guardtest.Kind) *guardtest.Client {
	return guardtest.NewClient(a.T, a.echo, kind)
}

// who answers with the user that the handler sees.
func who(c *echo.Context) error {
	s, _ := session.FromContext(c.Request().Context())
	return c.String(http.StatusOK, s.UserID)
}

func TestNew_NamesEveryFault(t *testing.T) {
	g, err := echov5.New(nil, echov5.Config{LoginPath: "login", LogoutPath: "//evil.test", Public: []string{"static", "shop.test/"}, Background: []string{"/x?y=1"}})
	if g != nil || err == nil {
		t.Fatal("the Config is accepted")
	}
	for _, name := range []string{"session.Manager", "LoginPath", "LogoutPath", `Public has "static"`, `Public has "shop.test/"`, `Background has "/x?y=1"`} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %s:\n%v", name, err)
		}
	}
}

func TestNew_PassesTheConfigOn(t *testing.T) {
	trusting := http.NewCrossOriginProtection()
	if err := trusting.AddTrustedOrigin("https://partner.test"); err != nil {
		t.Fatal(err)
	}
	a := newApp(t, echov5.Config{LoginPath: "/signin", LogoutPath: "/signout", CrossOrigin: trusting})
	a.echo.Any("/signin", who)
	a.echo.Any("/signout", who)
	for _, c := range []struct {
		method, path, origin string
		status               int
	}{
		{"GET", "/signin", "", 200}, {"GET", "/signout", "", 200}, {"GET", "/login", "", 401}, {"GET", "/logout", "", 401},
		{"POST", "/signin", "https://partner.test", 200}, {"POST", "/signin", "https://evil.test", 403},
	} {
		if rec := a.client(guardtest.Kind{}).Send(c.method, c.path, "", "Sec-Fetch-Site", "cross-site", "Origin", c.origin); rec.Code != c.status {
			t.Errorf("%s %s from %q: %d; want %d", c.method, c.path, c.origin, rec.Code, c.status)
		}
	}
}

func TestRequire_AdmitsWhoHasOneOfSeveral(t *testing.T) {
	a := newApp(t, echov5.Config{})
	a.echo.GET("/role", who, a.guard.RequireRole("root", "staff"))
	a.echo.GET("/norole", who, a.guard.RequireRole("root", "admin"))
	a.echo.GET("/method", who, a.guard.RequireMethod("otp", "hwk"))
	a.echo.GET("/never", who, a.guard.RequireRecentLogin(0))
	a.echo.POST("/hwk", func(c *echo.Context) error { return errors.Join(a.guard.StepUp(c, "hwk"), who(c)) })
	b := a.client(guardtest.Fetch).LogIn("ada")
	for path, want := range map[string]int{"/role": 200, "/norole": 403, "/method": 401, "/never": 401} {
		if rec := b.Send("GET", path, ""); rec.Code != want {
			t.Errorf("%s: %d; want %d", path, rec.Code, want)
		}
	}
	b.Send("POST", "/hwk", "")
	if rec := b.Send("GET", "/method", ""); rec.Code != 200 {
		t.Errorf("after StepUp: %d", rec.Code)
	}
}

// Each host's Echo has a guard of its own. The routes of one are none of another.
func TestProtect_BehindVirtualHosts(t *testing.T) {
	shop, blog := newApp(t, echov5.Config{}), newApp(t, echov5.Config{Public: []string{"/"}})
	shop.echo.GET("/", who)
	blog.echo.GET("/", who)
	hosts := echo.NewVirtualHostHandler(map[string]*echo.Echo{"shop.test": shop.echo, "blog.test": blog.echo})
	for origin, want := range map[string]int{"https://shop.test": 401, "https://blog.test": 200} {
		b := guardtest.NewClient(t, hosts, guardtest.Fetch)
		b.Origin = origin
		if rec := b.Send("GET", "/", ""); rec.Code != want {
			t.Errorf("%s: %d; want %d", origin, rec.Code, want)
		}
	}
}

// The first request logs the entries that match no route.
func TestProtect_ReportsEntriesThatMatchNoRoute(t *testing.T) {
	log, before := &bytes.Buffer{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	a := newApp(t, echov5.Config{Public: []string{"/static*", "DELETE /any", "POST /account", "/group/*"}, Background: []string{"GET /account", "/news"}})
	a.echo.Any("/any", who)
	a.echo.Static("/static", ".")
	a.echo.Group("/group", func(next echo.HandlerFunc) echo.HandlerFunc { return next })
	for range 2 {
		a.client(guardtest.Fetch).Send("GET", "/account", "")
	}
	text := strings.ReplaceAll(log.String(), `\"`, `"`)
	if strings.Count(text, "\n") != 2 || !strings.Contains(text, `Config.Public has entries that match no route, and do nothing: ["POST /account" "/group/*"]`) || !strings.Contains(text, `Config.Background has entries that match no route, and do nothing: ["/news"]`) {
		t.Errorf("the log is %s", text)
	}
}

// Issue and Logout refuse an answer that has begun: the cookies would be lost.
func TestGuard_RefusesAnAnswerThatHasBegun(t *testing.T) {
	a := newApp(t, echov5.Config{Public: []string{"/late", "/lateout"}})
	var got error
	late := func(then func(c *echo.Context) error) echo.HandlerFunc {
		return func(c *echo.Context) error {
			_ = c.String(http.StatusOK, "begun")
			got = then(c)
			return got
		}
	}
	a.echo.POST("/late", late(func(c *echo.Context) error { return a.guard.Issue(c, session.Login{UserID: "ada"}) }))
	a.echo.POST("/lateout", late(a.guard.Logout))
	b := a.client(guardtest.Fetch)
	b.Send("POST", "/late", "")
	if echo.StatusCode(got) != http.StatusInternalServerError || !strings.Contains(got.Error(), "before writing") || len(a.LiveSessions(t)) != 0 {
		t.Errorf("Issue: %v, %d sessions", got, len(a.LiveSessions(t)))
	}
	b.LogIn("ada").Send("POST", "/lateout", "")
	if echo.StatusCode(got) != http.StatusInternalServerError || !strings.Contains(got.Error(), "before writing") || len(a.LiveSessions(t)) != 1 {
		t.Errorf("Logout: %v, %d sessions", got, len(a.LiveSessions(t)))
	}
}

// What another handler puts around the refusal of a login is the answer. Without a guard
// before it, echo's error handler answers.
func TestIssue_ReturnsEchosError(t *testing.T) {
	a := newApp(t, echov5.Config{Public: []string{"/own"}})
	a.echo.POST("/own", func(c *echo.Context) error {
		err := a.guard.Issue(c, session.Login{UserID: "nobody"})
		if !errors.Is(err, session.ErrUserDisabled) {
			t.Errorf("the error is %v", err)
		}
		return echo.NewHTTPError(http.StatusTeapot, "no").Wrap(err)
	})
	if rec := a.client(guardtest.PageLoad).Send("POST", "/own", ""); rec.Code != http.StatusTeapot {
		t.Errorf("the app's own answer: %d", rec.Code)
	}
	if rec := a.client(guardtest.PageLoad).Send("POST", "/login", "user=nobody"); rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), "<h1>Forbidden</h1>") {
		t.Errorf("behind the guard: %d %s", rec.Code, rec.Body)
	}
	bare := echo.New()
	bare.POST("/login", func(c *echo.Context) error { return a.guard.Issue(c, session.Login{UserID: "nobody"}) })
	if rec := guardtest.NewClient(t, bare, guardtest.PageLoad).Send("POST", "/login", ""); rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), "cannot log in") {
		t.Errorf("without a guard: %d %s", rec.Code, rec.Body)
	}
}

// The list of devices shows the address that Echo.IPExtractor finds, if the app has set one.
func TestIssue_ShowsTheAddressOfTheIPExtractor(t *testing.T) {
	for _, c := range []struct {
		extractor echo.IPExtractor
		login, ip string
	}{
		{nil, "", "192.0.2.1"},
		{func(*http.Request) string { return "203.0.113.9" }, "", "203.0.113.9"},
		{func(*http.Request) string { return "203.0.113.9" }, "198.51.100.7", "198.51.100.7"},
	} {
		a := newApp(t, echov5.Config{Public: []string{"/issue"}})
		a.echo.IPExtractor = c.extractor
		a.echo.POST("/issue", func(ctx *echo.Context) error { return a.guard.Issue(ctx, session.Login{UserID: "ada", IP: c.login}) })
		a.client(guardtest.Fetch).Send("POST", "/issue", "", "X-Real-IP", "203.0.113.1")
		list, err := a.Sessions.List(t.Context(), "ada", "")
		if err != nil || len(list) != 1 || list[0].IP != c.ip {
			t.Errorf("the devices are %+v, %v; want the address %s", list, err, c.ip)
		}
	}
}

// Without an IPExtractor, session.Config.ClientIP decides.
func TestIssue_LeavesTheAddressToTheManager(t *testing.T) {
	kit := sessiontest.New(t, session.Config{ClientIP: func(*http.Request) string { return "203.0.113.9" }}, map[string]store.User{"ada": {}})
	guard, err := echov5.New(kit.Sessions, echov5.Config{})
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	e.POST("/issue", func(c *echo.Context) error { return guard.Issue(c, session.Login{UserID: "ada"}) })
	guardtest.NewClient(t, e, guardtest.Fetch).Send("POST", "/issue", "")
	list, err := kit.Sessions.List(t.Context(), "ada", "")
	if err != nil || len(list) != 1 || list[0].IP != "203.0.113.9" {
		t.Errorf("the devices are %+v, %v; want the address of ClientIP", list, err)
	}
}

// Config.Answer is not called for an answer that nobody sees, and the guard answers if it
// writes nothing.
func TestAnswer_IsCalledForWhatPeopleSee(t *testing.T) {
	var seen []string
	a := newApp(t, echov5.Config{Answer: func(c *echo.Context, refusal *echo.HTTPError) error {
		seen = append(seen, fmt.Sprint(c.Path(), " ", refusal.Code, " ", errors.Is(refusal, session.ErrUnauthenticated)))
		return nil
	}})
	b := a.client(guardtest.PageLoad)
	if rec := b.Send("GET", "/account", "", "Sec-Purpose", "prefetch"); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("a prefetch: %d", rec.Code)
	}
	if rec := b.Send("GET", "/account", ""); rec.Code != http.StatusSeeOther || rec.Body.Len() == 0 {
		t.Errorf("a page load: %d %q", rec.Code, rec.Body)
	}
	if len(seen) != 1 || seen[0] != "/account 303 true" {
		t.Errorf("Answer was called with %q", seen)
	}
}

// The file of an upload is found by the server, which removes it, also if the handler panics.
func TestGuard_ReturnsTheParsedFormToTheServersRequest(t *testing.T) {
	const form = "--b\r\nContent-Disposition: form-data; name=\"next\"\r\n\r\n/account\r\n--b--\r\n"
	a := newApp(t, echov5.Config{})
	a.echo.POST("/form", func(c *echo.Context) error {
		_, err := c.MultipartForm()
		return err
	})
	for _, path := range []string{"/form", "/logout"} {
		b := a.client(guardtest.PageLoad).LogIn("ada")
		r := b.NewRequest("POST", path, strings.NewReader(form))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		serve(a.echo, r)
		if r.MultipartForm == nil {
			t.Errorf("%s: the server's request has no form", path)
		}
	}
}

func serve(app http.Handler, r *http.Request) {
	app.ServeHTTP(discard{http.Header{}}, r)
}

// discard is a writer without a body.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// A middleware outside the guard that puts a writer of its own in place of echo's, and takes
// it away after an error, as gzip does, hides the guard's writer from the error handler.
func TestGuard_ChecksTheAnswerToAnError(t *testing.T) {
	a := newApp(t, echov5.Config{})
	e := echo.New()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			before := c.Response()
			defer c.SetResponse(before)
			c.SetResponse(wrapped{before})
			return next(c)
		}
	}, a.guard.Protect)
	e.HTTPErrorHandler = func(c *echo.Context, err error) {
		c.Response().Header().Set("Cache-Control", "public")
		_ = c.String(http.StatusNotFound, err.Error())
	}
	e.GET("/missing", func(*echo.Context) error { return echo.ErrNotFound })
	b := a.client(guardtest.PageLoad).LogIn("ada").At(e)
	a.Store.SetClock(2 * time.Minute)
	b.ExpireAccess()
	if rec := b.Send("GET", "/missing", ""); rec.Code != http.StatusNotFound || guardtest.CookiesOf(rec) != "set" || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d, cookies %q, Cache-Control %q; want no-store", rec.Code, guardtest.CookiesOf(rec), rec.Header().Get("Cache-Control"))
	}
}

type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A panic leaves no cookies of an ended session in the header, for whoever answers.
func TestGuard_ChecksTheHeaderAfterAPanic(t *testing.T) {
	a := newApp(t, echov5.Config{})
	a.echo.GET("/end", func(c *echo.Context) error {
		s, _ := session.FromContext(c.Request().Context())
		if err := a.Sessions.Revoke(c.Request().Context(), s.UserID, s.ID); err != nil {
			return err
		}
		panic("a fault of the handler")
	})
	b := a.client(guardtest.PageLoad).LogIn("ada").At(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		a.echo.ServeHTTP(w, r)
	}))
	a.Store.SetClock(2 * time.Minute)
	b.ExpireAccess()
	if rec := b.Send("GET", "/end", ""); rec.Code != http.StatusInternalServerError || strings.Contains(strings.Join(rec.Header()["Set-Cookie"], " "), "refresh") {
		t.Errorf("%d, cookies %q", rec.Code, guardtest.CookiesOf(rec))
	}
}

// What a hook of echo's Response does to the header is checked, too.
func TestGuard_ChecksTheHeaderAfterTheHooks(t *testing.T) {
	a := newApp(t, echov5.Config{})
	hook := func(do func(c *echo.Context)) echo.HandlerFunc {
		return func(c *echo.Context) error {
			response, err := echo.UnwrapResponse(c.Response())
			if err != nil {
				return err
			}
			response.Before(func() { do(c) })
			return c.String(http.StatusOK, "x")
		}
	}
	a.echo.GET("/cached", hook(func(c *echo.Context) { c.Response().Header().Set("Cache-Control", "public") }))
	a.echo.GET("/end", hook(func(c *echo.Context) {
		s, _ := session.FromContext(c.Request().Context())
		if err := a.Sessions.Revoke(c.Request().Context(), s.UserID, s.ID); err != nil {
			t.Error(err)
		}
	}))
	b := a.client(guardtest.PageLoad).LogIn("ada")
	a.Store.SetClock(2 * time.Minute)
	b.ExpireAccess()
	if rec := b.Copied().Send("GET", "/cached", ""); guardtest.CookiesOf(rec) != "set" || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("cookies %q, Cache-Control %q", guardtest.CookiesOf(rec), rec.Header().Get("Cache-Control"))
	}
	if rec := b.Send("GET", "/end", ""); strings.Contains(strings.Join(rec.Header()["Set-Cookie"], " "), "refresh") {
		t.Errorf("cookies of an ended session: %q", guardtest.CookiesOf(rec))
	}
}

// http.TimeoutHandler within the Echo lets a handler go on with a Context that echo has given
// to the next request: its login would log in whoever has sent that one.
func TestGuard_RefusesATimeoutMiddleware(t *testing.T) {
	log, before := &bytes.Buffer{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	for name, apart := range map[string]echo.MiddlewareFunc{
		"with its writer": echo.WrapMiddleware(func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "") }),
		"without": func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c *echo.Context) (err error) {
				var done sync.WaitGroup
				done.Go(func() { err = next(c) })
				done.Wait()
				return err
			}
		},
	} {
		w := guardtest.NewWorld(t)
		guard, err := echov5.New(w.Sessions, echov5.Config{Public: []string{"/public"}})
		if err != nil {
			t.Fatal(err)
		}
		e, served := echo.New(), false
		e.Use(apart, guard.Protect)
		e.POST("/public", func(c *echo.Context) error { served = true; return guard.Issue(c, session.Login{UserID: "ada"}) })
		// http.TimeoutHandler sends its own status before echo sees the error.
		rec := guardtest.NewClient(t, e, guardtest.Fetch).Send("POST", "/public", "")
		if wrapped := name == "with its writer"; served == wrapped || !wrapped && rec.Code != http.StatusInternalServerError || len(w.LiveSessions(t)) != 0 {
			t.Errorf("%s: %d, served %v, %d sessions", name, rec.Code, served, len(w.LiveSessions(t)))
		}
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 2 {
		t.Errorf("%d errors are logged, want one for each guard: %s", n, log)
	}
	a := newApp(t, echov5.Config{})
	guardtest.NewClient(t, http.TimeoutHandler(a.echo, time.Minute, ""), guardtest.PageLoad).LogIn("ada") // harmless
	c := a.echo.NewContext(httptest.NewRequest("POST", "https://app.test/login", nil), httptest.NewRecorder())
	if err := a.guard.Issue(c, session.Login{UserID: "ada"}); err != nil {
		t.Errorf("Issue in a test: %v", err)
	}
}

// After a Flush the cookies would be lost.
func TestIssue_RefusesAnAnswerThatIsFlushed(t *testing.T) {
	a := newApp(t, echov5.Config{Public: []string{"/late"}})
	a.echo.POST("/late", func(c *echo.Context) error {
		_ = http.NewResponseController(c.Response()).Flush()
		err := a.guard.Issue(c, session.Login{UserID: "ada"})
		if err == nil || !strings.Contains(err.Error(), "before writing") {
			t.Errorf("Issue: %v", err)
		}
		return nil
	})
	if a.client(guardtest.Fetch).Send("POST", "/late", ""); len(a.LiveSessions(t)) != 0 {
		t.Errorf("%d sessions", len(a.LiveSessions(t)))
	}
}
