package skins

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimw "github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/mux"
	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"
	echo5 "github.com/labstack/echo/v5"

	sessionmw "github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/middleware/echov5"
	sessiongin "github.com/sessionkit/sessionkit/middleware/gin"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// The routes of the routing tests. Public are the home page, the subtree /static/ and, for
// GET and HEAD, /articles/{id}. The others are private, also what lies beside these, and the
// subtree /tree/.
var (
	publicPaths  = []string{"/", "/static/", "/articles/{id}"}
	privatePaths = []string{"/admin", "/admin/", "/articles", "/articles/{id}/edit", "/a/b", "/a/{x}/c", "/login/x", "/home", "/tree/"}
)

// router is a way to set up a framework's routing.
type router struct {
	name string
	new  func(sessions *session.Manager) (http.Handler, error)
}

var routers = []router{
	{"ServeMux", func(s *session.Manager) (http.Handler, error) {
		m := http.NewServeMux()
		for _, path := range publicPaths {
			if path == "/" {
				path = "/{$}"
			}
			m.Handle(path, open(path))
		}
		for _, path := range privatePaths {
			m.Handle(path, says("private"))
		}
		return protected(s, m)
	}},
	{"chi", func(s *session.Manager) (http.Handler, error) { return protected(s, chiRoutes(chi.NewRouter())) }},
	{"chi with the guard in Use", func(s *session.Manager) (http.Handler, error) { return chiWith(s, nil, nil) }},
	{"chi with CleanPath before the guard", func(s *session.Manager) (http.Handler, error) { return chiWith(s, chimw.CleanPath, nil) }},
	{"chi with CleanPath behind the guard", func(s *session.Manager) (http.Handler, error) { return chiWith(s, nil, chimw.CleanPath) }},
	{"chi with StripSlashes before the guard", func(s *session.Manager) (http.Handler, error) { return chiWith(s, chimw.StripSlashes, nil) }},
	{"chi with StripSlashes behind the guard", func(s *session.Manager) (http.Handler, error) { return chiWith(s, nil, chimw.StripSlashes) }},
	{"chi with RedirectSlashes before the guard", func(s *session.Manager) (http.Handler, error) { return chiWith(s, chimw.RedirectSlashes, nil) }},
	{"gorilla/mux", func(s *session.Manager) (http.Handler, error) { return protected(s, muxRoutes(mux.NewRouter())) }},
	{"gorilla/mux with StrictSlash", func(s *session.Manager) (http.Handler, error) {
		return protected(s, muxRoutes(mux.NewRouter().StrictSlash(true)))
	}},
	{"gorilla/mux with SkipClean", func(s *session.Manager) (http.Handler, error) {
		return protected(s, muxRoutes(mux.NewRouter().SkipClean(true)))
	}},
	{"gorilla/mux with UseEncodedPath", func(s *session.Manager) (http.Handler, error) {
		return protected(s, muxRoutes(mux.NewRouter().UseEncodedPath()))
	}},
	{"echo v4", func(s *session.Manager) (http.Handler, error) { return echoV4With(s, nil) }},
	{"echo v4 with RemoveTrailingSlash", func(s *session.Manager) (http.Handler, error) { return echoV4With(s, echomw.RemoveTrailingSlash()) }},
	{"echo v5", func(s *session.Manager) (http.Handler, error) { return echoV5With(s, echo5.RouterConfig{}) }},
	{"echo v5 that decodes", func(s *session.Manager) (http.Handler, error) {
		return echoV5With(s, echo5.RouterConfig{UseEscapedPathForMatching: true, UnescapePathParamValues: true})
	}},
	{"gin", func(s *session.Manager) (http.Handler, error) { return ginWith(s, func(*gin.Engine) {}) }},
	{"gin with UseRawPath", func(s *session.Manager) (http.Handler, error) {
		return ginWith(s, func(e *gin.Engine) { e.UseRawPath = true })
	}},
	{"gin with RemoveExtraSlash", func(s *session.Manager) (http.Handler, error) {
		return ginWith(s, func(e *gin.Engine) { e.RemoveExtraSlash = true })
	}},
	{"gin with RedirectFixedPath", func(s *session.Manager) (http.Handler, error) {
		return ginWith(s, func(e *gin.Engine) { e.RedirectFixedPath = true })
	}},
}

// says is the handler of a route.
func says(which string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, which) })
}

// isTree reports whether a path stands for all paths that begin with it.
func isTree(path string) bool { return path == "/static/" || path == "/tree/" }

// open is the handler of a public route.
func open(path string) http.Handler {
	if strings.HasPrefix(path, "/articles") {
		return says("article")
	}
	return says("public")
}

var atPublic = nethttp.Config{Public: []string{"/{$}", "/static/", "GET /articles/{id}"}}

func protected(sessions *session.Manager, routes http.Handler) (http.Handler, error) {
	guard, err := nethttp.New(sessions, atPublic)
	if err != nil {
		return nil, err
	}
	return guard.Protect(routes), nil
}

func chiRoutes(r chi.Router) chi.Router {
	for _, path := range publicPaths {
		r.Handle(chiPath(path), open(path))
	}
	for _, path := range privatePaths {
		r.Handle(chiPath(path), says("private"))
	}
	return r
}

func chiPath(path string) string {
	if isTree(path) {
		return path + "*"
	}
	return path
}

// chiWith puts middleware before and behind the guard.
func chiWith(sessions *session.Manager, before, behind func(http.Handler) http.Handler) (http.Handler, error) {
	guard, err := nethttp.New(sessions, atPublic)
	if err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	if before != nil {
		r.Use(before)
	}
	r.Use(guard.Protect)
	if behind != nil {
		r.Use(behind)
	}
	return chiRoutes(r), nil
}

func muxRoutes(r *mux.Router) *mux.Router {
	for _, path := range privatePaths { // first, because mux takes the first that matches
		muxRoute(r, path).Handler(says("private"))
	}
	for _, path := range publicPaths {
		muxRoute(r, path).Handler(open(path))
	}
	return r
}

func muxRoute(r *mux.Router, path string) *mux.Route {
	if isTree(path) {
		return r.PathPrefix(path)
	}
	return r.Path(path)
}

// colons writes a path as echo and gin do. A subtree ends with the name any.
func colons(path, any string) string {
	if isTree(path) {
		path += any
	}
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

func echoV4With(sessions *session.Manager, pre echo.MiddlewareFunc) (http.Handler, error) {
	guard, err := sessionmw.New(sessions, sessionmw.Config{Public: []string{"/", "/static/*", "GET /articles/:id"}})
	if err != nil {
		return nil, err
	}
	e := echo.New()
	if pre != nil {
		e.Pre(pre)
	}
	e.Use(guard.Protect)
	for _, path := range publicPaths {
		e.Any(colons(path, "*"), echo.WrapHandler(open(path)))
	}
	for _, path := range privatePaths {
		e.Any(colons(path, "*"), echo.WrapHandler(says("private")))
	}
	return e, nil
}

func echoV5With(sessions *session.Manager, routing echo5.RouterConfig) (http.Handler, error) {
	guard, err := echov5.New(sessions, echov5.Config{Public: []string{"/", "/static/*", "GET /articles/:id"}})
	if err != nil {
		return nil, err
	}
	e := echo5.NewWithConfig(echo5.Config{Router: echo5.NewRouter(routing)})
	e.Use(guard.Protect)
	for _, path := range publicPaths {
		e.Any(colons(path, "*"), echo5.WrapHandler(open(path)))
	}
	for _, path := range privatePaths {
		e.Any(colons(path, "*"), echo5.WrapHandler(says("private")))
	}
	return e, nil
}

func ginWith(sessions *session.Manager, with func(*gin.Engine)) (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	with(e)
	guard, err := sessiongin.New(sessions, sessiongin.Config{Public: []string{"/", "/static/*path", "GET /articles/:id"}})
	if err != nil {
		return nil, err
	}
	e.Use(guard.Protect)
	for _, path := range publicPaths {
		e.Any(colons(path, "*path"), gin.WrapH(open(path)))
	}
	for _, path := range privatePaths {
		e.Any(colons(path, "*path"), gin.WrapH(says("private")))
	}
	return e, nil
}

// No spelling of a path reaches a private route without a session, however the router cleans,
// decodes or completes paths, nor the other methods of an article.
func TestRouters_NoSpellingOpensAPrivateRoute(t *testing.T) {
	paths := spellings()
	for _, r := range routers {
		t.Run(r.name, func(t *testing.T) {
			kit := sessiontest.New(t, session.Config{}, nil)
			app, err := r.new(kit.Sessions)
			if err != nil {
				t.Fatal(err)
			}
			served, refused := 0, 0
			for _, path := range paths {
				for _, method := range []string{"GET", "POST", "HEAD"} {
					request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + path + " HTTP/1.1\r\nHost: app.test\r\n\r\n")))
					if err != nil {
						continue // the server refuses it
					}
					rec := httptest.NewRecorder()
					app.ServeHTTP(rec, request)
					body, _ := io.ReadAll(rec.Body) // of a buffer
					switch which := string(body); {
					case which == "private", which == "article" && method == "POST":
						t.Errorf("%s %s is served: %s", method, path, which)
					case which != "" && rec.Code == http.StatusOK:
						served++
					case rec.Code == http.StatusUnauthorized:
						refused++
					}
				}
			}
			if served < 10 || refused < 1000 {
				t.Errorf("%d requests were served and %d refused: the paths show nothing", served, refused)
			}
			t.Logf("%d paths: %d requests served, %d refused", len(paths), served, refused)
		})
	}
}

// spellings returns paths of up to four segments, which routers may read in different ways.
func spellings() (paths []string) {
	segments := []string{"", ".", "..", "%2e", "%2E%2e", "static", "STATIC", "%73tatic", "articles", "admin", "Admin", "%61dmin", "a", "b", "c", "7", "x%2fedit", "a%2fb", "..%2fadmin", "%2fadmin", "%2f", "edit", "login", "x", "home", ";x", "admin;x", "%00", "a%5cb", "\\admin", "*", ":id", "{id}"}
	var add func(path string, depth int)
	add = func(path string, depth int) {
		if depth == 0 {
			return
		}
		for _, segment := range segments {
			next := path + "/" + segment
			paths = append(paths, next)
			add(next, depth-1)
		}
	}
	add("", 2)
	for _, head := range []string{"/static", "/articles", "/admin", "/tree", "/tree/..", "/..", "//", "/static/%2e%2e"} {
		add(head, 2)
	}
	return append(paths, "*", "http://app.test/admin", "http://app.test//admin", "http://other.test/static/../admin", "/static/../../admin", "/articles/7/../../admin")
}
