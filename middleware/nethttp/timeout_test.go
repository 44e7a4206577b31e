package nethttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

// serveRequest takes the place of the function in which a framework serves a request.
func serveRequest(handler func() bool) bool { return handler() }

const serveName = "github.com/sessionkit/sessionkit/middleware/nethttp_test.serveRequest"

// timeoutWriter is named like the writers of timeout middleware, wrappedWriter is not.
type (
	timeoutWriter struct{ http.ResponseWriter }
	wrappedWriter struct{ http.ResponseWriter }
)

func (w wrappedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Code that does not run below the framework's own function runs apart, if a timeout's writer
// is there. If the session is to change, a guard that has admitted the request is enough: a
// test may call a handler without the framework.
func TestCore_RunsApartWithoutTheFramework(t *testing.T) {
	core := newCore(t)
	plain := httptest.NewRequest("GET", "https://app.test/", nil)
	_, admitted, refusal := core.Admit(httptest.NewRecorder(), plain, nethttp.Requirement{Public: true})
	if refusal != nil {
		t.Fatal(refusal)
	}
	recorder := httptest.NewRecorder()
	for name, c := range map[string]struct {
		w      http.ResponseWriter
		r      *http.Request
		change bool
		want   bool // outside of the framework
	}{
		"a plain writer":                      {recorder, plain, false, false},
		"a plain writer, a change":            {recorder, plain, true, false},
		"admitted":                            {recorder, admitted, false, false},
		"admitted, a change":                  {recorder, admitted, true, true},
		"a timeout's writer":                  {timeoutWriter{recorder}, plain, false, true},
		"a timeout's writer, a change":        {timeoutWriter{recorder}, plain, true, true},
		"a timeout's writer below another":    {wrappedWriter{wrappedWriter{timeoutWriter{recorder}}}, plain, false, true},
		"another writer, without a timeout's": {wrappedWriter{recorder}, plain, false, false},
	} {
		apart := func() bool { return core.RunsApart(c.w, c.r, serveName, c.change) }
		if got := apart(); got != c.want {
			t.Errorf("%s: %v; want %v", name, got, c.want)
		}
		if serveRequest(apart) {
			t.Errorf("%s: it runs apart within the framework", name)
		}
	}
}
