package middleware_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
)

// sendForm posts a form with a file, and returns the request as the server has it
// afterwards.
func sendForm(t *testing.T, e *echo.Echo, path string) (*http.Request, *httptest.ResponseRecorder) {
	t.Helper()
	body := &bytes.Buffer{}
	form := multipart.NewWriter(body)
	_, err := form.CreateFormFile("file", "small")
	if err == nil {
		err = form.WriteField("next", "/bye")
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "https://app.test"+path, body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, r)
	return r, rec
}

// The server removes the temporary files of an upload if it finds the parsed form in its
// own request. The form is there also if it was parsed before the guard, and the handler
// continues with a request without it.
func TestGuard_ReturnsTheParsedFormToTheServersRequest(t *testing.T) {
	var parsed *multipart.Form
	parse := func(c echo.Context) (err error) { parsed, err = c.MultipartForm(); return err }
	nothing := func(echo.Context) error { return nil }
	for _, c := range []struct {
		name           string
		before, behind func(echo.Context) error // run before and behind the guard
	}{
		{"parsed by the handler", nothing, parse},
		{"parsed by a handler that fails", nothing, func(c echo.Context) error { _ = parse(c); return echo.ErrTeapot }},
		{"parsed before the guard", parse, nothing},
		{"parsed before the guard, and dropped by the handler", parse, func(c echo.Context) error {
			r := c.Request().Clone(c.Request().Context())
			r.MultipartForm = nil
			c.SetRequest(r)
			return nil
		}},
	} {
		inApp(t, middleware.Config{Public: []string{"/upload"}}, func(a *app) {
			parsed = nil
			a.echo.Pre(func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(ctx echo.Context) error {
					if err := c.before(ctx); err != nil {
						return err
					}
					return next(ctx)
				}
			})
			a.echo.POST("/upload", c.behind)
			r, _ := sendForm(a.T, a.echo, "/upload")
			if parsed == nil || r.MultipartForm != parsed {
				a.Errorf("%s: the form is %p; the server's request has %p", c.name, parsed, r.MultipartForm)
			}
		})
	}
}

// Logout parses the form for its own answer, also without a guard before it.
func TestLogout_ReturnsTheParsedFormToTheServersRequest(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		e := echo.New()
		e.POST("/logout", a.guard.Logout)
		r, rec := sendForm(a.T, e, "/logout")
		if r.MultipartForm == nil || rec.Header().Get("Location") != "/bye" {
			a.Errorf("%d to %q; the server's request has the form: %v", rec.Code, rec.Header().Get("Location"), r.MultipartForm != nil)
		}
	})
}
