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
	"github.com/sessionkit/sessionkit/session"
)

// upload is a form with a file that is larger than what a form may keep in memory.
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

// The server removes an upload from disk if it finds it in the request that it
// made. Handlers behind a guard parse another one.
func TestNoUploadStaysOnDisk(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	files := func() int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}

	keys, err := session.ParseKeys(testKey)
	if err != nil {
		t.Fatal(err)
	}
	users := session.NewMemoryStore()
	users.SetUser("ada", session.User{})
	sessions, err := session.New(keys, users, session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := middleware.New(sessions, middleware.Config{Public: []string{"/public", "/twice"}})
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
			t.Errorf("%s: no file was put on disk: nothing is tested", path)
		}
		if n := files(); n != 0 {
			t.Errorf("%s: %d files stay on disk", path, n)
		}
		seen = 0
	}
}

// What another site sends to the logout is refused before it is read.
func TestALogoutFromAnotherSiteIsNotRead(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		body, contentType := upload(a.T)
		size := body.Len()
		r := httptest.NewRequest(http.MethodPost, "https://app.test/logout", body)
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		rec := httptest.NewRecorder()
		a.echo.ServeHTTP(rec, r)
		if rec.Code != http.StatusForbidden || body.Len() != size {
			a.Errorf("%d, and %d bytes were read", rec.Code, size-body.Len())
		}
	})
}
