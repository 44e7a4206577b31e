package gin_test

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

	"github.com/gin-gonic/gin"

	sessiongin "github.com/sessionkit/sessionkit/middleware/gin"
	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

func init() { gin.SetMode(gin.ReleaseMode) }

// app is a gin app behind a guard. The suite in test/skins tests what all guards share.
type app struct {
	*testing.T
	*guardtest.World
	engine *gin.Engine
	guard  *sessiongin.Guard
}

func newApp(t *testing.T, cfg sessiongin.Config) *app {
	t.Helper()
	a := &app{T: t, World: guardtest.NewWorld(t), engine: gin.New()}
	if cfg.Engine != nil {
		a.engine = cfg.Engine
	}
	var err error
	if a.guard, err = sessiongin.New(a.Sessions, cfg); err != nil {
		t.Fatal(err)
	}
	a.engine.Use(a.guard.Protect)
	a.engine.POST("/login", func(c *gin.Context) {
		if err := a.guard.Issue(c, session.Login{UserID: c.PostForm("user")}); err != nil {
			a.guard.WriteError(c, err)
			return
		}
		c.Redirect(http.StatusSeeOther, a.guard.ReturnTo(c, "/account"))
	})
	a.engine.POST("/logout", a.guard.Logout)
	a.engine.GET("/account", who)
	return a
}

func (a *app) client(kind guardtest.Kind) *guardtest.Client {
	return guardtest.NewClient(a.T, a.engine, kind)
}

// who answers with the user that the handler sees.
func who(c *gin.Context) {
	s, _ := session.FromContext(c.Request.Context())
	c.String(http.StatusOK, "%s", s.UserID)
}

func TestNew_NamesEveryFault(t *testing.T) {
	g, err := sessiongin.New(nil, sessiongin.Config{LoginPath: "login", LogoutPath: "//evil.test", Public: []string{"static", "shop.test/", "/*all"}, Background: []string{"/x?y=1"}})
	if g != nil || err == nil {
		t.Fatal("the Config is accepted")
	}
	for _, name := range []string{"session.Manager", "LoginPath", "LogoutPath", `Public has "static"`, `Public has "shop.test/"`, `Public has "/*all"`, `Background has "/x?y=1"`} {
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
	a := newApp(t, sessiongin.Config{LoginPath: "/signin", LogoutPath: "/signout", CrossOrigin: trusting})
	a.engine.Any("/signin", who)
	a.engine.Any("/signout", who)
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
	a := newApp(t, sessiongin.Config{})
	a.engine.GET("/role", a.guard.RequireRole("root", "staff"), who)
	a.engine.GET("/norole", a.guard.RequireRole("root", "admin"), who)
	a.engine.GET("/method", a.guard.RequireMethod("otp", "hwk"), who)
	a.engine.GET("/never", a.guard.RequireRecentLogin(0), who)
	a.engine.POST("/hwk", func(c *gin.Context) {
		if err := a.guard.StepUp(c, "hwk"); err != nil {
			a.guard.WriteError(c, err)
		}
	})
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

// A refusal ends the chain: no handler behind the guard runs.
func TestGuard_EndsTheChain(t *testing.T) {
	a := newApp(t, sessiongin.Config{Public: []string{"/public", "/error"}})
	ran := 0
	count := func(*gin.Context) { ran++ }
	a.engine.GET("/private", count)
	a.engine.GET("/public", a.guard.RequireRole("admin"), count)
	a.engine.GET("/error", func(c *gin.Context) { a.guard.WriteError(c, session.ErrNotFound) }, count)
	a.engine.NoRoute(count)
	for path, want := range map[string]int{"/private": 401, "/public": 401, "/error": 404, "/none": 401} {
		if rec := a.client(guardtest.Fetch).Send("GET", path, ""); rec.Code != want || ran != 0 {
			t.Errorf("%s: %d, and %d handlers ran", path, rec.Code, ran)
		}
	}
}

// The first request logs the entries that match no route, if the Config has the Engine.
func TestProtect_ReportsEntriesThatMatchNoRoute(t *testing.T) {
	log, before := &bytes.Buffer{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	for _, engine := range []*gin.Engine{nil, gin.New()} {
		a := newApp(t, sessiongin.Config{Engine: engine, Public: []string{"/static/*filepath", "DELETE /any", "POST /account", "/static/*path"}, Background: []string{"GET /account", "/news"}})
		a.engine.Any("/any", who)
		a.engine.Static("/static", ".")
		for range 2 {
			a.client(guardtest.Fetch).Send("GET", "/account", "")
		}
		text := strings.ReplaceAll(log.String(), `\"`, `"`)
		if engine == nil && text != "" {
			t.Errorf("without the Engine: %s", text)
		}
		if engine != nil && (strings.Count(text, "\n") != 2 || !strings.Contains(text, `Config.Public has entries that match no route, and do nothing: ["POST /account" "/static/*path"]`) || !strings.Contains(text, `Config.Background has entries that match no route, and do nothing: ["/news"]`)) {
			t.Errorf("the log is %s", text)
		}
	}
}

// Routes that are there before the guard are served without it: gin gives middleware only to
// later routes.
func TestNew_WarnsOfEarlierRoutes(t *testing.T) {
	log, before := &bytes.Buffer{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	newApp(t, sessiongin.Config{Engine: gin.New()})
	if log.Len() > 0 {
		t.Errorf("without earlier routes: %s", log)
	}
	engine := gin.New()
	engine.POST("/early", who)
	engine.GET("/early", who)
	a := newApp(t, sessiongin.Config{Engine: engine})
	if text := strings.ReplaceAll(log.String(), `\"`, `"`); strings.Count(text, "\n") != 1 || !strings.Contains(text, `["GET /early" "POST /early"]`) {
		t.Errorf("the log is %s", text)
	}
	if rec := a.client(guardtest.Fetch).Send("GET", "/early", ""); rec.Code != http.StatusOK {
		t.Errorf("gin guards earlier routes now (%d): mend the documentation", rec.Code)
	}
}

// Issue and Logout refuse an answer that has begun: the cookies would be lost. A status alone
// has not begun it.
func TestGuard_RefusesAnAnswerThatHasBegun(t *testing.T) {
	a := newApp(t, sessiongin.Config{Public: []string{"/late", "/lateout", "/status"}})
	var got error
	a.engine.POST("/late", func(c *gin.Context) {
		c.String(http.StatusOK, "begun")
		got = a.guard.Issue(c, session.Login{UserID: "ada"})
		a.guard.WriteError(c, got)
	})
	a.engine.POST("/lateout", func(c *gin.Context) {
		c.String(http.StatusOK, "begun")
		a.guard.Logout(c)
		got = c.Errors.Last()
	}, func(*gin.Context) { t.Error("the chain goes on") })
	a.engine.POST("/status", func(c *gin.Context) {
		c.Status(http.StatusCreated)
		got = a.guard.Issue(c, session.Login{UserID: "ada"})
	})
	b := a.client(guardtest.Fetch)
	rec := b.Send("POST", "/late", "")
	if got == nil || !strings.Contains(got.Error(), "before writing") || len(a.LiveSessions(t)) != 0 || rec.Body.String() != "begun" {
		t.Errorf("Issue: %v, %d sessions", got, len(a.LiveSessions(t)))
	}
	b.LogIn("ada").Send("POST", "/lateout", "")
	if got == nil || !strings.Contains(got.Error(), "before writing") || len(a.LiveSessions(t)) != 1 {
		t.Errorf("Logout: %v, %d sessions", got, len(a.LiveSessions(t)))
	}
	if rec := a.client(guardtest.Fetch).Send("POST", "/status", ""); got != nil || rec.Code != http.StatusCreated || guardtest.CookiesOf(rec) != "login" {
		t.Errorf("Issue after a status: %v, %d, cookies %q", got, rec.Code, guardtest.CookiesOf(rec))
	}
}

// Config.Answer is not called for an answer that nobody sees. The guard answers if it neither
// writes nor sets a status.
func TestAnswer_IsCalledForWhatPeopleSee(t *testing.T) {
	var seen []string
	a := newApp(t, sessiongin.Config{Answer: func(c *gin.Context, refusal *nethttp.Refusal) {
		seen = append(seen, fmt.Sprint(c.FullPath(), " ", refusal.Status, " ", errors.Is(refusal, session.ErrUnauthenticated)))
		if c.FullPath() == "/status" {
			c.Status(http.StatusTeapot)
		}
	}})
	a.engine.GET("/status", who)
	b := a.client(guardtest.PageLoad)
	if rec := b.Send("GET", "/account", "", "Sec-Purpose", "prefetch"); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("a prefetch: %d", rec.Code)
	}
	if rec := b.Send("GET", "/account", ""); rec.Code != http.StatusSeeOther || rec.Body.Len() == 0 {
		t.Errorf("a page load: %d %q", rec.Code, rec.Body)
	}
	if rec := b.Send("GET", "/status", ""); rec.Code != http.StatusTeapot || rec.Body.Len() != 0 {
		t.Errorf("a status: %d %q", rec.Code, rec.Body)
	}
	if len(seen) != 2 || seen[0] != "/account 303 true" || seen[1] != "/status 303 true" {
		t.Errorf("Answer was called with %q", seen)
	}
}

// The file of an upload is found by the server, which removes it.
func TestGuard_ReturnsTheParsedFormToTheServersRequest(t *testing.T) {
	const form = "--b\r\nContent-Disposition: form-data; name=\"next\"\r\n\r\n/account\r\n--b--\r\n"
	a := newApp(t, sessiongin.Config{})
	a.engine.POST("/form", func(c *gin.Context) { _, _ = c.MultipartForm() })
	for _, path := range []string{"/form", "/logout"} {
		b := a.client(guardtest.PageLoad).LogIn("ada")
		r := b.NewRequest("POST", path, strings.NewReader(form))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		a.engine.ServeHTTP(discard{http.Header{}}, r)
		if r.MultipartForm == nil {
			t.Errorf("%s: the server's request has no form", path)
		}
	}
}

// discard is a writer without a body.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// However a handler sends the header, it is checked first: the cookies of a session that has
// ended stay out, and no cache may keep the others.
func TestWriter_ChecksTheHeaderBeforeItIsSent(t *testing.T) {
	for name, send := range map[string]func(c *gin.Context){
		"Write":          func(c *gin.Context) { _, _ = c.Writer.Write([]byte("x")) },
		"WriteString":    func(c *gin.Context) { _, _ = c.Writer.WriteString("x") },
		"WriteHeaderNow": func(c *gin.Context) { c.Writer.WriteHeaderNow() },
		"Flush":          func(c *gin.Context) { c.Writer.Flush() },
		"a controller":   func(c *gin.Context) { _ = http.NewResponseController(c.Writer).Flush() },
		"nothing":        func(*gin.Context) {},
		"a panic":        func(*gin.Context) { panic("a fault of the handler") },
	} {
		a := newApp(t, sessiongin.Config{})
		a.engine.GET("/end", func(c *gin.Context) {
			s, _ := session.FromContext(c.Request.Context())
			if err := a.Sessions.Revoke(c.Request.Context(), s.UserID, s.ID); err != nil {
				t.Error(err)
			}
			c.Status(http.StatusAccepted)
			send(c)
		})
		a.engine.GET("/cached", func(c *gin.Context) {
			c.Header("Cache-Control", "public")
			c.Status(http.StatusAccepted)
			send(c)
		})
		b := a.client(guardtest.PageLoad).LogIn("ada").At(recovering{a.engine})
		a.Store.SetClock(2 * time.Minute)
		b.ExpireAccess()
		rec := b.Copied().At(recovering{a.engine}).Send("GET", "/cached", "")
		if guardtest.CookiesOf(rec) != "set" || rec.Result().Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: cookies %q, Cache-Control %q", name, guardtest.CookiesOf(rec), rec.Result().Header.Get("Cache-Control"))
		}
		rec = b.Send("GET", "/end", "")
		if strings.Contains(strings.Join(rec.Result().Header["Set-Cookie"], " "), "refresh") {
			t.Errorf("%s: cookies of an ended session: %q", name, guardtest.CookiesOf(rec))
		}
	}
}

// HandleContext resets gin's writer. The route that it serves is checked all the same.
func TestWriter_SurvivesHandleContext(t *testing.T) {
	a := newApp(t, sessiongin.Config{})
	for path, to := range map[string]string{"/start": "/cached", "/startend": "/end"} {
		a.engine.GET(path, func(c *gin.Context) { c.Request.URL.Path = to; a.engine.HandleContext(c) })
	}
	a.engine.GET("/cached", func(c *gin.Context) { c.Header("Cache-Control", "public"); c.String(http.StatusOK, "x") })
	a.engine.GET("/end", func(c *gin.Context) {
		s, _ := session.FromContext(c.Request.Context())
		if err := a.Sessions.Revoke(c.Request.Context(), s.UserID, s.ID); err != nil {
			t.Error(err)
		}
		c.String(http.StatusOK, "x")
	})
	b := a.client(guardtest.PageLoad).LogIn("ada")
	a.Store.SetClock(2 * time.Minute)
	b.ExpireAccess()
	if rec := b.Copied().Send("GET", "/start", ""); rec.Code != http.StatusOK || guardtest.CookiesOf(rec) != "set" || rec.Result().Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d, cookies %q, Cache-Control %q", rec.Code, guardtest.CookiesOf(rec), rec.Result().Header.Get("Cache-Control"))
	}
	if rec := b.Send("GET", "/startend", ""); rec.Code != http.StatusOK || strings.Contains(strings.Join(rec.Result().Header["Set-Cookie"], " "), "refresh") {
		t.Errorf("%d, cookies of an ended session: %q", rec.Code, guardtest.CookiesOf(rec))
	}
}

// Middleware before the guard that has answered, and has not ended the chain, opens no route.
func TestProtect_EndsAChainThatHasAnswered(t *testing.T) {
	w := guardtest.NewWorld(t)
	guard, err := sessiongin.New(w.Sessions, sessiongin.Config{Public: []string{"/public"}})
	if err != nil {
		t.Fatal(err)
	}
	engine := gin.New()
	engine.Use(func(c *gin.Context) {
		if c.Request.URL.Path == "/old" {
			c.Request.URL.Path = "/public"
			engine.HandleContext(c) // gin takes /public for the route from here on
		}
	}, guard.Protect)
	engine.GET("/public", func(c *gin.Context) { c.String(http.StatusOK, "public") })
	engine.GET("/old", func(c *gin.Context) { c.String(http.StatusOK, "secret") })
	if rec := guardtest.NewClient(t, engine, guardtest.Fetch).Send("GET", "/old", ""); rec.Body.String() != "public" {
		t.Errorf("the answer is %q", rec.Body)
	}
}

// gin.Recovery logs the headers of a request whose handler panics. The cookies are not among
// them, and the server's own request keeps them.
func TestGuard_RecoveryLogsNoCookie(t *testing.T) {
	gin.SetMode(gin.DebugMode) // in which Recovery logs the headers of each panic
	defer gin.SetMode(gin.ReleaseMode)
	log, engine := &bytes.Buffer{}, gin.New()
	engine.Use(gin.RecoveryWithWriter(log))
	a := newApp(t, sessiongin.Config{Engine: engine})
	engine.GET("/panic", func(*gin.Context) { panic("a fault of the handler") })
	b := a.client(guardtest.PageLoad).LogIn("ada")
	r := b.NewRequest("GET", "/panic", nil)
	sent := r.Header.Get("Cookie")
	engine.ServeHTTP(discard{http.Header{}}, r)
	if !strings.Contains(log.String(), "/panic") || !strings.Contains(log.String(), "Cookie: *") || r.Header.Get("Cookie") != sent {
		t.Errorf("the log is %s", log)
	}
	for name, value := range b.Kept() {
		if strings.Contains(log.String(), value) {
			t.Errorf("%s is in the log", name)
		}
	}
}

// timeoutWriter stands for the writer of a timeout middleware.
type timeoutWriter struct{ gin.ResponseWriter }

// A middleware that runs the handler in a goroutine of its own lets it go on with a Context
// that gin has given to the next request: its login would log in whoever has sent that one.
func TestGuard_RefusesATimeoutMiddleware(t *testing.T) {
	log, before := &bytes.Buffer{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	apart := func(wrap bool) gin.HandlerFunc {
		return func(c *gin.Context) {
			if wrap {
				c.Writer = &timeoutWriter{c.Writer}
			}
			var done sync.WaitGroup
			done.Go(c.Next)
			done.Wait()
		}
	}
	for _, wrap := range []bool{true, false} {
		engine := gin.New()
		engine.Use(apart(wrap))
		a := newApp(t, sessiongin.Config{Engine: engine, Public: []string{"/public"}})
		var got error
		engine.POST("/public", func(c *gin.Context) { got = a.guard.Issue(c, session.Login{UserID: "ada"}) })
		rec := a.client(guardtest.Fetch).Send("POST", "/public", "")
		if refused := got != nil && strings.Contains(got.Error(), "timeout"); wrap && (rec.Code != http.StatusInternalServerError || got != nil) || !wrap && !refused || len(a.LiveSessions(t)) != 0 {
			t.Errorf("with its writer %v: %d, Issue: %v", wrap, rec.Code, got)
		}
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 2 {
		t.Errorf("%d errors are logged, want one for each guard: %s", n, log)
	}
	// Around the whole Engine a timeout is harmless.
	a := newApp(t, sessiongin.Config{})
	outside := http.TimeoutHandler(a.engine, time.Minute, "")
	guardtest.NewClient(t, outside, guardtest.PageLoad).LogIn("ada")
	// A test may call a handler without the Engine.
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest("POST", "https://app.test/login", nil)
	if err := a.guard.Issue(c, session.Login{UserID: "ada"}); err != nil {
		t.Errorf("Issue in a test: %v", err)
	}
}

// recovering answers after a panic.
type recovering struct{ app http.Handler }

func (r recovering) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	defer func() {
		if recover() != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}()
	r.app.ServeHTTP(w, req)
}

// After the first byte the header stays as the client has got it.
func TestWriter_LeavesTheHeaderAloneAfterTheFirstByte(t *testing.T) {
	a := newApp(t, sessiongin.Config{})
	var header string
	a.engine.GET("/late", func(c *gin.Context) {
		c.String(http.StatusOK, "begun")
		s, _ := session.FromContext(c.Request.Context())
		if err := a.Sessions.Revoke(c.Request.Context(), s.UserID, s.ID); err != nil {
			t.Error(err)
		}
		_, _ = c.Writer.WriteString("more")
		c.Writer.Flush()
		header = strings.Join(c.Writer.Header()["Set-Cookie"], " ")
	})
	b := a.client(guardtest.PageLoad).LogIn("ada")
	a.Store.SetClock(2 * time.Minute)
	b.ExpireAccess()
	if rec := b.Send("GET", "/late", ""); !strings.Contains(header, "refresh") || !strings.Contains(strings.Join(rec.Header()["Set-Cookie"], " "), "refresh") {
		t.Errorf("the header was changed: %q, then %q", header, rec.Header()["Set-Cookie"])
	}
}
