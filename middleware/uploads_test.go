package middleware_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/session"
)

// upload returns a form with a file that is too large to be kept in memory.
func upload(t *testing.T) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = &bytes.Buffer{}
	form := multipart.NewWriter(body)
	file, err := form.CreateFormFile("file", "large")
	if err == nil {
		_, err = file.Write(make([]byte, 33<<20))
	}
	if err == nil {
		err = form.WriteField("user", "ada")
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return body, form.FormDataContentType()
}

// A handler behind a guard parses another request than the server's. The server removes
// the temporary files nevertheless.
func TestGuard_LeavesNoUploadOnDisk(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	files := func() int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}

	guard, err := middleware.New(guardtest.NewWorld(t).Sessions, middleware.Config{Public: []string{"/public", "/twice"}})
	if err != nil {
		t.Fatal(err)
	}
	e, seen := echo.New(), 0
	e.Use(guard.Protect)
	handler := func(c echo.Context) error {
		user := c.FormValue("user")
		seen += files()
		return guard.Issue(c, session.Login{UserID: user})
	}
	e.POST("/login", handler)
	e.POST("/public", handler)
	e.POST("/twice", handler, guard.Identify)
	e.POST("/logout", func(c echo.Context) error {
		err := guard.Logout(c)
		seen += files()
		return err
	})
	for _, path := range []string{"/login", "/public", "/twice", "/logout"} {
		server := httptest.NewServer(e)
		body, contentType := upload(t)
		answer, err := http.Post(server.URL+path, contentType, body)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		server.Close()
		if seen == 0 {
			t.Errorf("%s: no file was on disk: this proves nothing", path)
		}
		if n := files(); n != 0 {
			t.Errorf("%s: %d files stay on disk", path, n)
		}
		seen = 0
	}
}

// An upload from another site to the logout is refused before its body is read.
func TestLogout_CrossSiteUploadIsNotRead(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		body, contentType := upload(a.T)
		size := body.Len()
		r := httptest.NewRequest(http.MethodPost, "https://app.test/logout", body)
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		rec := httptest.NewRecorder()
		a.echo.ServeHTTP(rec, r)
		if rec.Code != http.StatusForbidden || body.Len() != size {
			a.Errorf("%d, and %d bytes of the body were read", rec.Code, size-body.Len())
		}
	})
}
