package nodetest

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// newTransport serves thousands of requests at once without a new connection for
// each. It lets go of connections before the nodes do, which wait 5 s for the
// first request on one: a request would break off that came at that very moment.
func newTransport() *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: 8192, IdleConnTimeout: 4 * time.Second, DisableCompression: true}
}

// balancer hands requests to the nodes in turn. A node that takes no connection
// is passed over, as any balancer does; a request that broke off is not repeated.
type balancer struct {
	nodes     []*Node
	turn      atomic.Uint64
	transport *http.Transport
}

func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	first := b.turn.Add(1)
	err := errors.New("no node is in the balancer")
	for i := range uint64(len(b.nodes)) {
		n := b.nodes[(first+i)%uint64(len(b.nodes))]
		if n.out.Load() {
			continue
		}
		to, fault := url.Parse(n.Base())
		if fault != nil {
			return nil, fault
		}
		out := r.Clone(r.Context())
		out.URL.Scheme, out.URL.Host = to.Scheme, to.Host
		if out.Body == nil {
			// Empty, but one that the transport cannot know to be: it would
			// repeat the request of itself.
			out.Body = io.NopCloser(strings.NewReader(""))
		}
		var answer *http.Response
		if answer, err = b.transport.RoundTrip(out); err == nil {
			return answer, nil
		}
		failed, ok := errors.AsType[*net.OpError](err)
		if !ok || failed.Op != "dial" || r.Body != nil {
			break
		}
	}
	return nil, err
}

// startBalancer returns the URL that browsers use.
func startBalancer(t *testing.T, nodes []*Node) string {
	b := &balancer{nodes: nodes, transport: newTransport()}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host },
		Transport: b,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
		ErrorLog: log.New(io.Discard, "", 0), // browsers that go away; failed requests are counted by the tests
	})
	t.Cleanup(func() {
		server.Close()
		b.transport.CloseIdleConnections()
	})
	return server.URL
}
