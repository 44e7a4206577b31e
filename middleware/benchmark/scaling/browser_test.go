package scaling

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// browser keeps cookies as browsers do: by name, the last one wins, until their
// Max-Age is over.
type browser struct {
	mu  sync.Mutex
	jar map[string]kept
}

type kept struct {
	pair  string // name=value
	until time.Time
}

// request is one with all cookies that are good now.
func (b *browser) request() *http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	var cookies []string
	for _, c := range b.jar {
		if time.Now().Before(c.until) {
			cookies = append(cookies, c.pair)
		}
	}
	return &http.Request{Method: http.MethodGet, RemoteAddr: "192.0.2.1:1", Header: http.Header{
		"Cookie": {strings.Join(cookies, "; ")}, "User-Agent": {agents[0]},
	}}
}

func (b *browser) receive(v session.Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range v.Cookies {
		b.jar[c.Name] = kept{c.Name + "=" + c.Value, time.Now().Add(time.Duration(c.MaxAge) * time.Second)}
	}
}
