package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strconv"
)

// A connection is a persistent HTTP connection of a browser. It implements only the
// part of HTTP that the benchmark needs: the client shares its core with the
// database, and must use little CPU time.
type connection struct {
	net.Conn
	in  *bufio.Reader
	out []byte
}

func dial(addr string) *connection {
	c := must(net.Dial("tcp", addr))
	return &connection{Conn: c, in: bufio.NewReader(c)}
}

// send sends one request, and returns the Set-Cookie headers of the answer. The
// benchmark fails if the status is not want.
func (c *connection) send(method, target, cookie string, want int) (setCookie []string) {
	c.out = append(c.out[:0], method...)
	c.out = append(c.out, ' ')
	c.out = append(c.out, target...)
	c.out = append(c.out, " HTTP/1.1\r\nHost: app.example\r\nAccept: application/json\r\nAccept-Encoding: gzip, deflate, br\r\n"+
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nCookie: "...)
	c.out = append(c.out, cookie...)
	if method == http.MethodPost {
		c.out = append(c.out, "\r\nContent-Length: 0"...)
	}
	c.out = append(c.out, "\r\n\r\n"...)
	must(c.Write(c.out))

	status, length := 0, 0
	for {
		line := bytes.TrimSuffix(must(c.in.ReadSlice('\n')), []byte("\r\n"))
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(" "))
		switch {
		case status == 0:
			status, _ = strconv.Atoi(string(value[:3]))
		case string(name) == "Content-Length:":
			length, _ = strconv.Atoi(string(value))
		case string(name) == "Set-Cookie:":
			setCookie = append(setCookie, string(value))
		}
	}
	must(c.in.Discard(length))
	if status != want {
		fail(fmt.Errorf("%s %s was answered with %d instead of %d", method, target, status, want))
	}
	return setCookie
}
