package browser

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// lateAccess is the access lifetime A of the test of late answers. Its other times are given
// in units of A, because the windows of the rotation scale with A. A/12, in which the other
// answers must arrive, is then 416 ms.
const lateAccess = 5 * time.Second

// lateness describes how one answer is late.
type lateness struct {
	by float64 // in units of A
	// asleep: nothing is sent meanwhile, as if the laptop slept. Then another tab presents
	// the same refresh cookie, and the late answer arrives after the answer to that.
	// Otherwise both tabs go on.
	asleep bool
}

// An answer of a refresh is late by up to 2.5 access lifetimes, which is 5 minutes by
// default: a phone in a tunnel, a laptop that sleeps. The browser stores its cookies all the
// same, over newer ones of the same names. No session ends, and no cookie counts as stolen.
func TestLateAnswersEndNoSession(t *testing.T) {
	t.Parallel()
	devices := [][]lateness{
		{{by: 0.2}, {by: 2.5}, {by: 0.4, asleep: true}},
		{{by: 2.5, asleep: true}, {by: 0.5}, {by: 1.1}},
		{{by: 2.3}, {by: 0.1, asleep: true}, {by: 1.5}},
		{{by: 1.05, asleep: true}, {by: 2.1}, {by: 0.9}},
		{{by: 0.7}, {by: 1.3}, {by: 2, asleep: true}},
		{{by: 1.7}, {by: 0.6, asleep: true}, {by: 1}},
		{{by: 1.2, asleep: true}, {by: 2.4}, {by: 0.3}},
		{{by: 1.4}, {by: 1.6, asleep: true}, {by: 0.8}},
		{{by: 2.2, asleep: true}, {by: 0.6}, {by: 1.9}},
		{{by: 1.8}, {by: 1.95}, {by: 0.9, asleep: true}},
	}
	behind := startApp(t, "-access-ttl", lateAccess.String())
	proxy := startLateProxy(t, behind)
	errs, rounds := make(chan error, len(devices)), 0
	for n, lates := range devices {
		first := newDevice(t, proxy.app)
		first.allowFetch()
		first.loginAt("/account", ada)
		other := first.another()
		other.allowFetch()
		other.Open("/account")
		d := lateDevice{proxy: proxy, first: first, other: other, session: first.session().SessionID}
		go func() { errs <- d.run(fmt.Sprint("device ", n), lates) }()
		rounds += len(lates)
	}
	for range devices {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	behind.sawNoReuse()
	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	t.Logf("%d answers were late. The slowest other answer took %v, the bound is %v", proxy.late, proxy.slowest, lateAccess/12)
	if proxy.late != rounds {
		t.Errorf("%d answers were late; want %d", proxy.late, rounds)
	}
}

// lateDevice is a browser with two tabs. Its methods return errors, because they run
// beside the test's own goroutine.
type lateDevice struct {
	proxy   *lateProxy
	first   *tab // gets the late answers
	other   *tab
	session string
}

func (d lateDevice) run(name string, rounds []lateness) error {
	for i, r := range rounds {
		if err := d.round(fmt.Sprintf("%s, round %d", name, i), r); err != nil {
			return fmt.Errorf("%s, round %d, %+v: %w", name, i, r, err)
		}
	}
	// The cookies of the last late answer are presented in the next lifetime.
	return d.busy(time.Now().Add(lateAccess * 6 / 5))
}

func (d lateDevice) round(name string, r lateness) error {
	held, answered, err := d.refresh(name)
	if err != nil {
		return err
	}
	due := time.Now().Add(time.Duration(r.by * float64(lateAccess)))
	if r.asleep {
		time.Sleep(time.Until(due))
		if err := d.ask(d.other, ""); err != nil {
			return fmt.Errorf("the first request after the sleep: %w", err)
		}
	} else if err := d.busy(due); err != nil {
		return fmt.Errorf("before the late answer: %w", err)
	}
	close(held.release)
	if err := <-answered; err != nil {
		return fmt.Errorf("the late answer: %w", err)
	}
	if err := d.ask(d.other, "shows="+url.QueryEscape(name)); err != nil {
		return fmt.Errorf("after the late answer: %w", err)
	}
	d.proxy.mu.Lock()
	defer d.proxy.mu.Unlock()
	if !held.stored {
		return errors.New("the browser does not send the cookie of the late answer: this test proves nothing")
	}
	d.proxy.late++
	return nil
}

// refresh sends requests from the first tab until the answer to one of them has a refresh
// cookie, and leaves that answer in the proxy. The channel gets the result of the request.
func (d lateDevice) refresh(name string) (*heldAnswer, <-chan error, error) {
	held := d.proxy.expect(name)
	for end := time.Now().Add(2*lateAccess + patience); time.Now().Before(end); time.Sleep(lateAccess / 15) {
		answered := make(chan error, 1)
		go func() { answered <- d.ask(d.first, "hold="+url.QueryEscape(name)) }()
		select {
		case <-held.arrived:
			return held, answered, nil
		case err := <-answered:
			if err != nil {
				return nil, nil, fmt.Errorf("before the refresh: %w", err)
			}
		}
	}
	return nil, nil, errors.New("no request caused a refresh")
}

// busy sends requests from both tabs until the given time. They begin when the server
// has forgotten the refresh before, and does not repeat its answer.
func (d lateDevice) busy(until time.Time) error {
	tabs := []*tab{d.first, d.other}
	errs := make(chan error, len(tabs))
	for _, b := range tabs {
		go func() {
			var err error
			for time.Sleep(lateAccess / 8); err == nil && time.Now().Before(until); time.Sleep(lateAccess / 10) {
				err = d.ask(b, "")
			}
			errs <- err
		}()
	}
	var err error
	for range tabs {
		err = errors.Join(err, <-errs)
	}
	return err
}

// ask fails unless a request from a tab is answered for the session of the device.
func (d lateDevice) ask(b *tab, query string) error {
	a, err := tryEval[answer](b, strings.Replace(fetchSession, "?'", "?"+query+"&'", 1))
	if err != nil {
		return err
	}
	if a.Status != 200 || a.SessionID != d.session {
		return fmt.Errorf("status %d, session %q; want 200, %q", a.Status, a.SessionID, d.session)
	}
	return nil
}

// lateProxy is a reverse proxy in front of the example. It keeps back the answers to
// requests whose query has "hold", if they set a refresh cookie.
type lateProxy struct {
	app *app // has the URL of the proxy

	mu      sync.Mutex // guards what follows
	held    map[string]*heldAnswer
	late    int           // answers that were held back, and whose cookie the browser has stored
	slowest time.Duration // the longest time of an answer that was not held back
}

// heldAnswer is an answer that the proxy keeps back until it is released.
type heldAnswer struct {
	arrived chan struct{}
	release chan struct{}
	cookie  string // its refresh cookie
	stored  bool   // the browser has sent that cookie
}

func startLateProxy(t *testing.T, behind *app) *lateProxy {
	t.Helper()
	target, err := url.Parse(behind.url)
	if err != nil {
		t.Fatal(err)
	}
	p := &lateProxy{held: map[string]*heldAnswer{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		ModifyResponse: p.hold,
	}
	port := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.notice(r)
		began := time.Now()
		proxy.ServeHTTP(w, r)
		if r.URL.Query().Get("hold") == "" {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.slowest = max(p.slowest, time.Since(began))
		}
	}))
	p.app = &app{T: t, url: "http://localhost:" + port}
	return p
}

func (p *lateProxy) expect(name string) *heldAnswer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[name] = &heldAnswer{arrived: make(chan struct{}), release: make(chan struct{})}
	return p.held[name]
}

func (p *lateProxy) named(name string) *heldAnswer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[name]
}

func (p *lateProxy) hold(answer *http.Response) error {
	held := p.named(answer.Request.URL.Query().Get("hold"))
	if held == nil {
		return nil
	}
	for _, c := range answer.Cookies() {
		if strings.Contains(c.Name, "refresh-") && c.Value != "" {
			held.cookie = c.Value
			close(held.arrived)
			select {
			case <-held.release:
			case <-answer.Request.Context().Done():
			}
			return nil
		}
	}
	return nil
}

// notice records whether a request whose query has "shows" presents the cookie of that answer.
func (p *lateProxy) notice(r *http.Request) {
	held := p.named(r.URL.Query().Get("shows"))
	if held == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range r.Cookies() {
		held.stored = held.stored || c.Value == held.cookie
	}
}
