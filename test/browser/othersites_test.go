package browser

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestOtherSites opens pages of another site and of another port of this host. Their links
// work, and their forms are refused.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	port := anotherSite(t, app.url)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		site := "http://" + net.JoinHostPort(host, port)

		t.Run("a link from there finds the user logged in, and forms are refused: "+host, func(t *testing.T) {
			b := newDevice(t, app)
			b.loginAt("/devices", ada)
			b.Open(site)
			b.Press("#link")
			b.isAt("/devices")
			access, refresh := b.hasBoth()
			devices := b.rows()
			for _, form := range []string{"logout", "revoke", "login"} {
				b.Open(site)
				if status := b.Press("#" + form); status != 403 {
					b.Fatalf("the form %s: status %d; want 403", form, status)
				}
				if b.rows() != devices {
					b.Fatalf("the form %s ended a device", form)
				}
				b.isAt("/devices")
				if a, r := b.hasBoth(); a.Value != access.Value || r.Value != refresh.Value {
					b.Fatalf("the form %s changed the cookies", form)
				}
			}
		})
	}
}

// anotherSite serves a page with hostile forms, and returns its port.
func anotherSite(t *testing.T, target string) string {
	t.Helper()
	page := fmt.Sprintf(`<!doctype html><title>Another site</title>
		<a id="link" href="%[1]s/devices">link</a>
		<form method="post" action="%[1]s/logout"><button id="logout">logout</button></form>
		<form method="post" action="%[1]s/devices/revoke-others"><button id="revoke">revoke</button></form>
		<form method="post" action="%[1]s/login">
			<input name="email" value="%[2]s"><input name="password" value="%[3]s"><button id="login">login</button>
		</form>`, target, grace.email, grace.password)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(page))
	}))
	server.Start()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
