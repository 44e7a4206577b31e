package middleware_test

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
	"testing/synctest"
)

// wireAnswer is an answer as its bytes say, read by nothing but this file.
type wireAnswer struct {
	status int
	header []string // "Name: value", in order
	body   string   // as it was sent: with its chunks, if it came in chunks
}

func (w wireAnswer) values(name string) (values []string) {
	for _, line := range w.header {
		if n, value, _ := strings.Cut(line, ": "); strings.EqualFold(n, name) {
			values = append(values, value)
		}
	}
	return values
}

// names are the header's, sorted.
func (w wireAnswer) names() string {
	var names []string
	for _, line := range w.header {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// onWire sends bytes as they are to a server of the app's, and returns all that
// comes back. The connection is in memory, which does not hold up a bubble's
// time; all else is net/http's own.
func (a *app) onWire(request string) string {
	a.Helper()
	client, server := net.Pipe()
	s := &http.Server{Handler: a.echo, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.Serve(&oneConn{conn: server, closed: make(chan struct{})}) }()
	go func() { _, _ = io.WriteString(client, request) }() // it may be answered before it is read whole
	answer, err := io.ReadAll(client)
	if err != nil {
		a.Error(err)
	}
	_ = client.Close()
	synctest.Wait() // a handler that took the connection over may still be at it
	_ = s.Close()
	return string(answer)
}

// oneConn is a listener to which one client comes.
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

// answers takes the bytes of one answer apart, with those that came ahead of it
// (RFC 9110, section 15.2). Nothing but printable ASCII may stand in a header.
func (a *app) answers(raw string) (all []wireAnswer) {
	a.Helper()
	for {
		head, rest, ok := strings.Cut(raw, "\r\n\r\n")
		lines := strings.Split(head, "\r\n")
		status := statusLine.FindStringSubmatch(lines[0])
		if !ok || status == nil {
			a.Errorf("no answer: %.300q", raw)
			return all
		}
		for _, line := range lines[1:] {
			if !headerLine.MatchString(line) {
				a.Errorf("no header line: %.300q", line)
			}
		}
		code, _ := strconv.Atoi(status[1])
		all = append(all, wireAnswer{code, lines[1:], rest})
		if code >= 200 || code == http.StatusSwitchingProtocols {
			return all
		}
		raw = rest
	}
}

// request writes a request of the client's, byte for byte. Header lines come as
// they are given.
func (c *client) request(method, target, body string, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n", method, target)
	for name, value := range c.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	for _, line := range lines {
		fmt.Fprintf(&b, "%s\r\n", line)
	}
	var cookies []string
	for name, value := range c.jar {
		cookies = append(cookies, name+"="+value)
	}
	if len(cookies) > 0 {
		fmt.Fprintf(&b, "Cookie: %s\r\n", strings.Join(cookies, "; "))
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body
}

// onWire makes a request byte for byte, and returns the answer, and what came
// ahead of it.
func (c *client) onWire(method, target, body string, lines ...string) []wireAnswer {
	c.app.Helper()
	return c.app.answers(c.app.onWire(c.request(method, target, body, lines...)))
}
