package guardtest

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// Answer is an HTTP answer, parsed from its bytes by this file alone.
type Answer struct {
	Status int
	Header []string // "Name: value", in order
	Body   string   // as it was sent: with its chunks, if it was chunked
}

// Values returns the values of all header lines of a name, in order.
func (w Answer) Values(name string) (values []string) {
	for _, line := range w.Header {
		if n, value, _ := strings.Cut(line, ": "); strings.EqualFold(n, name) {
			values = append(values, value)
		}
	}
	return values
}

// Names returns the names of the header lines, sorted.
func (w Answer) Names() string {
	var names []string
	for _, line := range w.Header {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// Exchange sends bytes to an http.Server of the handler's, and returns all bytes that
// come back. The connection is in memory, so that the fake time of a synctest bubble
// can advance. The rest is net/http's own.
func Exchange(t testing.TB, app http.Handler, request string) string {
	t.Helper()
	client, server := net.Pipe()
	s := &http.Server{Handler: app, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.Serve(&oneConn{conn: server, closed: make(chan struct{})}) }()
	go func() { _, _ = io.WriteString(client, request) }() // the server may answer before it has read everything
	answer, err := io.ReadAll(client)
	if err != nil {
		t.Error(err)
	}
	_ = client.Close()
	synctest.Wait() // a handler that has hijacked the connection may still run
	_ = s.Close()
	return string(answer)
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { close(l.closed); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

var (
	statusLine = regexp.MustCompile(`^HTTP/1\.1 (\d{3}) [ -~]*$`)
	headerLine = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*: [ -~]*$`)
)

// Parse splits bytes into one final answer and the informational ones before it (RFC
// 9110, section 15.2). The test fails if a header holds anything but printable
// ASCII.
func Parse(t testing.TB, raw string) (all []Answer) {
	t.Helper()
	for {
		head, rest, ok := strings.Cut(raw, "\r\n\r\n")
		lines := strings.Split(head, "\r\n")
		status := statusLine.FindStringSubmatch(lines[0])
		if !ok || status == nil {
			t.Fatalf("not an HTTP answer: %.300q", raw)
		}
		for _, line := range lines[1:] {
			if !headerLine.MatchString(line) {
				t.Errorf("not a header line: %.300q", line)
			}
		}
		code, _ := strconv.Atoi(status[1])
		all = append(all, Answer{code, lines[1:], rest})
		if code >= 200 || code == http.StatusSwitchingProtocols {
			return all
		}
		raw = rest
	}
}

// Request returns the bytes of a request. lines holds further header lines, which are
// sent as they are.
func (c *Client) Request(method, target, body string, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n", method, target)
	for name, value := range c.kind {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	for _, line := range lines {
		fmt.Fprintf(&b, "%s\r\n", line)
	}
	var cookies []string
	for _, cookie := range c.Cookies(c.home()) {
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	if len(cookies) > 0 {
		fmt.Fprintf(&b, "Cookie: %s\r\n", strings.Join(cookies, "; "))
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body
}

// SendRaw sends a request byte for byte, and returns the informational answers and
// the final one. It stores no cookies.
func (c *Client) SendRaw(method, target, body string, lines ...string) []Answer {
	c.t.Helper()
	return Parse(c.t, Exchange(c.t, c.app, c.Request(method, target, body, lines...)))
}
