package session_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// Server-sent events end with the session: within about a second of a logout on any node. The
// browser's EventSource then connects again, and the guard's answer ends it for good.
func ExampleManager_Done() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	guard, mux := exampleApp(sessions)
	messages := make(chan string, 1) // in an app: a subscription for this user
	closing := make(chan struct{})   // so that a shutdown does not wait for the streams
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		over := sessions.Done(r.Context()) // also when the client has gone
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush() // the client knows now that the stream is open
		for {
			select {
			case <-over:
				return
			case <-closing:
				return
			case message := <-messages:
				fmt.Fprintf(w, "data: %s\n\n", message)
				_ = http.NewResponseController(w).Flush()
			}
		}
	})
	server := httptest.NewTLSServer(guard.Protect(mux))
	server.Config.RegisterOnShutdown(func() { close(closing) })
	defer server.Close()

	b := browserOf(server)
	b.PostForm("/login", asUser("1"))
	messages <- "your order has left"
	stream, err := b.Transport.RoundTrip(b.NewRequest("GET", "/events", nil))
	if err != nil {
		panic(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	lines.Scan()
	fmt.Println(lines.Text())

	if err := sessions.RevokeUser(context.Background(), "1"); err != nil { // a logout on another device
		panic(err)
	}
	for lines.Scan() { // the rest of the event
	}
	fmt.Println("the stream has ended:", lines.Err() == nil)

	again := b.NewRequest("GET", "/events", nil)
	again.Header.Set("Accept", "text/event-stream")
	fmt.Println("EventSource again:", b.Do(again).StatusCode)
	// Output:
	// data: your order has left
	// the stream has ended: true
	// EventSource again: 204
}

// A WebSocket ends with the session. The guard has checked the handshake: its session, and that
// it comes from a page of this site.
func ExampleManager_Done_webSocket() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	guard, mux := exampleApp(sessions)
	mux.HandleFunc("GET /chat", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		conn, err := accept(w, r) // in an app: the function of a WebSocket library
		if err != nil {
			return
		}
		defer conn.Close()
		_ = send(conn, "hello, user "+s.UserID)

		ctx, gone := context.WithCancel(r.Context())
		go func() {
			defer gone()
			_, _ = io.Copy(io.Discard, conn) // in an app: reads messages until the client has gone
		}()
		<-sessions.Done(ctx)
		_ = send(conn, "please log in again") // in an app: a close frame with the code 1008
	})
	server := httptest.NewTLSServer(guard.Protect(mux))
	defer server.Close()

	b := browserOf(server)
	b.PostForm("/login", asUser("1"))
	handshake := b.NewRequest("GET", "/chat", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-Fetch-Mode": "websocket", "Sec-Fetch-Dest": "websocket", "Origin": b.Origin,
	} {
		handshake.Header.Set(name, value)
	}
	answer, err := b.Transport.RoundTrip(handshake)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.StatusCode, answer.Header.Get("Sec-WebSocket-Accept"))
	frames := bufio.NewReader(answer.Body)
	fmt.Println(receive(frames))

	if err := sessions.RevokeUser(context.Background(), "1"); err != nil { // a logout on another device
		panic(err)
	}
	fmt.Println(receive(frames))
	_, err = frames.ReadByte()
	fmt.Println(err)
	// Output:
	// 101 s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
	// hello, user 1
	// please log in again
	// EOF
}

// browserOf returns a browser whose requests go to a server.
func browserOf(server *httptest.Server) *sessiontest.Browser {
	b := sessiontest.NewBrowser(nil)
	b.Origin, b.Transport = server.URL, server.Client().Transport
	return b
}

// accept answers the opening handshake of a WebSocket (RFC 6455, section 4.2.2).
func accept(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
	digest := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(digest[:]))
	return conn, err
}

// send sends a short text in one frame.
func send(conn net.Conn, text string) error {
	_, err := conn.Write(append([]byte{0x81, byte(len(text))}, text...))
	return err
}

// receive reads such a frame.
func receive(frames *bufio.Reader) string {
	head := make([]byte, 2)
	if _, err := io.ReadFull(frames, head); err != nil {
		return err.Error()
	}
	var text strings.Builder
	_, _ = io.CopyN(&text, frames, int64(head[1]))
	return text.String()
}
