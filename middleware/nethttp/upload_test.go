package nethttp_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

// sendUpload posts a multipart form, and returns the request as the server has it
// afterwards.
func sendUpload(t *testing.T, h http.Handler, path string) (*http.Request, *httptest.ResponseRecorder) {
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
	h.ServeHTTP(rec, r)
	return r, rec
}

// The server removes the temporary files of an upload if it finds the parsed form in
// its own request. A handler behind a guard parses another request.
func TestGuard_ReturnsTheParsedFormToTheServersRequest(t *testing.T) {
	var parsed *multipart.Form
	parse := func(_ http.ResponseWriter, r *http.Request) {
		_ = r.FormValue("next")
		parsed = r.MultipartForm
	}
	for name, handler := range map[string]http.HandlerFunc{
		"a handler":            parse,
		"a handler that fails": func(w http.ResponseWriter, r *http.Request) { parse(w, r); panic(http.ErrAbortHandler) },
	} {
		inApp(t, nethttp.Config{Public: []string{"/upload"}}, func(a *app) {
			parsed = nil
			a.handle("/upload", handler)
			recovering := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { _ = recover() }()
				a.handler.ServeHTTP(w, r)
			})
			if r, _ := sendUpload(a.T, recovering, "/upload"); parsed == nil || r.MultipartForm != parsed {
				a.Errorf("%s: the form is %p; the server's request has %p", name, parsed, r.MultipartForm)
			}
		})
	}
	inApp(t, nethttp.Config{}, func(a *app) {
		r, rec := sendUpload(a.T, http.HandlerFunc(a.guard.Logout), "/logout")
		if r.MultipartForm == nil || rec.Header().Get("Location") != "/bye" {
			a.Errorf("Logout: %d to %q; the server's request has the form: %v", rec.Code, rec.Header().Get("Location"), r.MultipartForm != nil)
		}
	})
}

// A form that was parsed before the guard stays in the server's request.
func TestReturnForm_KeepsAFormThatIsThere(t *testing.T) {
	to, from := &http.Request{MultipartForm: &multipart.Form{}}, &http.Request{MultipartForm: &multipart.Form{}}
	want := to.MultipartForm
	nethttp.ReturnForm(to, from)
	if to.MultipartForm != want {
		t.Error("the form is replaced")
	}
}

// A logout from another site is refused before its body is read.
func TestLogout_CrossSiteBodyIsNotRead(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		body := &countingBody{}
		r := httptest.NewRequest(http.MethodPost, "https://app.test/logout", body)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		rec := httptest.NewRecorder()
		a.handler.ServeHTTP(rec, r)
		if rec.Code != http.StatusForbidden || body.reads != 0 {
			a.Errorf("%d, and the body was read %d times", rec.Code, body.reads)
		}
	})
}

type countingBody struct{ reads int }

func (b *countingBody) Read(p []byte) (int, error) {
	b.reads++
	p[0] = 'x'
	return 1, nil
}
