package middleware_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
)

// closed is a writer whose Write fails.
type closed struct {
	http.ResponseWriter
	err error
}

func (w closed) Write([]byte) (int, error) { return 0, w.err }

// The guard returns the error of writing a refusal to the middleware before it.
func TestRefusal_ReturnsTheErrorOfItsWrite(t *testing.T) {
	errClosed := errors.New("the connection is closed")
	for kind, headers := range guardtest.Kinds {
		inApp(t, middleware.Config{}, func(a *app) {
			var err error
			a.echo.Pre(func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error { err = next(c); return err }
			})
			r := httptest.NewRequest("GET", "https://app.test/account", nil)
			for name, value := range headers {
				r.Header.Set(name, value)
			}
			a.echo.ServeHTTP(closed{httptest.NewRecorder(), errClosed}, r)
			if !errors.Is(err, errClosed) {
				a.Errorf("%s: %v; want %v", kind, err, errClosed)
			}
		})
	}
}
