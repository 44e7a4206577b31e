package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

const livePath = "/live"

const (
	// keepAlive is how often a stream says something, so that no proxy takes it
	// for dead, and a client that is gone is found out.
	keepAlive = 15 * time.Second

	// sendFor is how long a client may take to read what it is sent. It is longer
	// than keepAlive, because over HTTP/2 a write deadline ends the stream when it
	// passes, and not only the next write.
	sendFor = 2 * keepAlive
)

// liveAfter is where the requests are told that came after those of a list.
func liveAfter(list []spent) string {
	if len(list) == 0 {
		return livePath
	}
	return livePath + "?after=" + strconv.FormatInt(list[0].Order, 10)
}

// live tells a page of its session's requests as they happen, as server-sent
// events. It ends when the client goes, when the server stops, and, with an event
// of its own, when the session is over.
//
// Such a stream keeps no session alive. It asks the store once per access
// lifetime whether the session still stands.
func (a *app) live(c echo.Context) error {
	s, ctx := current(c), c.Request().Context()
	news, stop, ok := a.costs.watch(s.ID)
	if !ok {
		return echo.ErrTooManyRequests
	}
	defer stop()
	out, err := newStream(c)
	if err != nil {
		return err
	}

	done := session.Done(ctx)
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for last := lastTold(c.Request()); ; {
		for _, request := range a.costs.since(s.ID, last) {
			last = request.Order
			request.Path = shorten(60, request.Path)
			out.send(last, request)
		}
		if out.err != nil {
			return nil // the client is gone, and cannot be told
		}
		select {
		case <-ctx.Done():
			return nil
		case <-a.stopping:
			return nil
		case <-done:
			out.write("event: ended\ndata: the session is over\n\n")
			return nil
		case <-news:
		case <-alive.C:
			out.write(": still here\n\n")
		}
	}
}

// lastTold is the last request that the client knows of: from the page, or from the
// browser itself when it comes again after a broken connection.
func lastTold(r *http.Request) int64 {
	for _, text := range []string{r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after")} {
		if order, err := strconv.ParseInt(text, 10, 64); err == nil {
			return order
		}
	}
	return 0
}

// stream writes server-sent events. After an error it writes nothing more.
type stream struct {
	to      *echo.Response
	control *http.ResponseController
	err     error
}

// newStream sends the header at once: it may carry new cookies, and those must
// not wait for the first event.
func newStream(c echo.Context) (*stream, error) {
	s := &stream{to: c.Response(), control: http.NewResponseController(c.Response())}
	// There is nothing more to read. The server would take a read that runs out of
	// time for a client that is gone.
	if err := s.control.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("a stream needs a server that lets it set deadlines: %w", err)
	}
	h := s.to.Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
	h.Set(echo.HeaderCacheControl, "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would collect events and send none
	s.write("retry: 3000\n\n")
	return s, nil
}

// send writes an event. JSON has no line breaks of its own, which would end it.
func (s *stream) send(id int64, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		s.err = err
		return
	}
	s.write(fmt.Sprintf("id: %d\ndata: %s\n\n", id, text))
}

func (s *stream) write(text string) {
	if s.err != nil {
		return
	}
	if s.err = s.control.SetWriteDeadline(time.Now().Add(sendFor)); s.err != nil {
		return
	}
	if _, s.err = s.to.Write([]byte(text)); s.err == nil {
		s.err = s.control.Flush()
	}
}
