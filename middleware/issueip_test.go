package middleware_test

import (
	"net"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// The list of devices shows Login.IP, else the address that Echo.IPExtractor finds, else
// the address of the connection. Without an IPExtractor headers are ignored: every client
// can send them.
func TestIssue_StoresTheAddressThatTheAppTrusts(t *testing.T) {
	const connection, forwarded, given = "192.0.2.1", "203.0.113.9", "198.51.100.7"
	_, proxies, err := net.ParseCIDR("192.0.2.0/24")
	if err != nil {
		t.Fatal(err)
	}
	behindProxy := echo.ExtractIPFromRealIPHeader(echo.TrustIPRange(proxies))
	for _, c := range []struct {
		name      string
		extractor echo.IPExtractor
		login     session.Login
		want      string
	}{
		{"without an extractor", nil, session.Login{UserID: "ada"}, connection},
		{"without an extractor, given", nil, session.Login{UserID: "ada", IP: given}, given},
		{"an extractor that reads a header", behindProxy, session.Login{UserID: "ada"}, forwarded},
		{"an extractor that reads a header, given", behindProxy, session.Login{UserID: "ada", IP: given}, given},
		{"an extractor that reads none", echo.ExtractIPDirect(), session.Login{UserID: "ada"}, connection},
	} {
		inApp(t, middleware.Config{Public: []string{"/in"}}, func(a *app) {
			a.echo.IPExtractor = c.extractor
			a.echo.POST("/in", func(ctx echo.Context) error {
				if err := a.guard.Issue(ctx, c.login); err != nil {
					return err
				}
				return ctx.NoContent(http.StatusNoContent)
			})
			a.client(pageLoad).Send("POST", "/in", "", "X-Real-Ip", forwarded, "X-Forwarded-For", forwarded)
			list, err := a.Sessions.List(a.Context(), "ada", "")
			if err != nil || len(list) != 1 || list[0].IP != c.want {
				a.Errorf("%s: devices %+v, %v; want one from %s", c.name, list, err, c.want)
			}
		})
	}
}
