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

// newTransport returns a transport that keeps thousands of connections open. It closes
// an idle connection after 1 s. A node closes a connection without a request after 5 s,
// and a request sent at that moment would fail. On a busy machine the two clocks of a
// connection start seconds apart.
func newTransport() *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: 8192, IdleConnTimeout: time.Second, DisableCompression: true}
}

// balancer sends requests to the nodes round robin. It skips a node that accepts no
// connection, as every balancer does. It does not repeat a request that failed later.
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
			// Without a body the transport itself would repeat the request. It
			// cannot see that this body is empty.
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

// startBalancer starts a balancer and returns its URL.
func startBalancer(t *testing.T, nodes []*Node) string {
	b := &balancer{nodes: nodes, transport: newTransport()}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host },
		Transport: b,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
		ErrorLog: log.New(io.Discard, "", 0), // browsers that disconnect; the tests count the failed requests
	})
	t.Cleanup(func() {
		server.Close()
		b.transport.CloseIdleConnections()
	})
	return server.URL
}
