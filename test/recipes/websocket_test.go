package recipes

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// newsSocket sends news over a WebSocket until the session ends: by a logout in another tab, a
// revocation, or its timeouts. The guard before it has refused strangers and other sites.
func newsSocket(sessions *session.Manager, news <-chan string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // Accept has answered
		}
		defer conn.CloseNow()
		ctx := conn.CloseRead(r.Context()) // it ends when the client has gone; for a client that sends, read instead
		over := sessions.Done(ctx)
		for {
			select {
			case <-over:
				conn.Close(websocket.StatusPolicyViolation, "your session has ended")
				return
			case text := <-news:
				if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
					return
				}
			}
		}
	}
}

func TestWebSocket_EndsWithItsSession(t *testing.T) {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"ada": {}})
	guard, err := nethttp.New(kit.Sessions, nethttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	news := make(chan string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /news", newsSocket(kit.Sessions, news))
	mux.HandleFunc("POST /logout", guard.Logout)
	server := httptest.NewTLSServer(guard.Protect(mux))
	defer server.Close()

	b := sessiontest.NewServerBrowser(server)
	client := server.Client()
	client.Jar = b.Jar
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dial := func(origin string) (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(ctx, server.URL+"/news", &websocket.DialOptions{HTTPClient: client, HTTPHeader: http.Header{"Origin": {origin}}})
	}

	if _, answer, err := dial(server.URL); err == nil || answer.StatusCode != http.StatusUnauthorized {
		t.Fatalf("a stranger: %v, %v", answer, err)
	}
	b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
	if _, answer, err := dial("https://evil.example"); err == nil || answer.StatusCode != http.StatusForbidden {
		t.Fatalf("another site: %v, %v", answer, err)
	}
	conn, _, err := dial(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	news <- "hello"
	if _, text, err := conn.Read(ctx); err != nil || string(text) != "hello" {
		t.Fatalf("read %q, %v", text, err)
	}
	b.PostForm("/logout", nil) // in another tab
	if _, text, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("after the logout: read %q, %v; want a close", text, err)
	}
}
