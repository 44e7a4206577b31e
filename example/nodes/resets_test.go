package nodes

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

// breaker is a way to the database that breaks at random packets: before a
// statement has arrived, after that, or on its answer's way back.
type breaker struct {
	network, addr string // of the database
	listener      net.Listener
	part          atomic.Pointer[float64] // of the packets; nil: none

	mu    sync.Mutex // guards dice and conns
	dice  *rand.Rand
	conns map[net.Conn]bool

	before, after, lost atomic.Int64
}

// startBreaker returns a breaker and the DSN that leads through it.
func startBreaker(t *testing.T, dsn string, seed uint64) (*breaker, string) {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	b := &breaker{network: cfg.Net, addr: cfg.Addr, dice: dice(seed, -1), conns: map[net.Conn]bool{}}
	if b.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := b.listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { b.serve(client.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		b.listener.Close()
		b.mu.Lock()
		for conn := range b.conns {
			conn.Close()
		}
		b.mu.Unlock()
		running.Wait()
	})
	cfg.Net, cfg.Addr = "tcp", b.listener.Addr().String()
	return b, cfg.FormatDSN()
}

// serve copies in both directions until one side ends or a packet is hit.
func (b *breaker) serve(client *net.TCPConn) {
	server, err := net.Dial(b.network, b.addr)
	if err != nil {
		client.Close()
		return
	}
	b.keep(client, server)
	var both sync.WaitGroup
	both.Go(func() { b.copy(client, client, server, true) })
	both.Go(func() { b.copy(client, server, client, false) })
	both.Wait()
	b.drop(client, server)
}

func (b *breaker) keep(conns ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, conn := range conns {
		b.conns[conn] = true
	}
}

func (b *breaker) drop(conns ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, conn := range conns {
		delete(b.conns, conn)
	}
}

func (b *breaker) copy(client *net.TCPConn, from, to net.Conn, statements bool) {
	defer from.Close()
	defer to.Close()
	packet := make([]byte, 64<<10)
	for {
		n, err := from.Read(packet)
		if err != nil {
			return
		}
		hit, late := b.hits()
		if hit && !(statements && late) {
			if statements {
				b.before.Add(1)
			} else {
				b.lost.Add(1)
			}
			client.SetLinger(0) // a reset, not an orderly end
			return
		}
		if _, err := to.Write(packet[:n]); err != nil {
			return
		}
		if hit {
			b.after.Add(1)
			client.SetLinger(0)
			return
		}
	}
}

func (b *breaker) hits() (hit, late bool) {
	part := b.part.Load()
	if part == nil {
		return false, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dice.Float64() < *part, b.dice.IntN(2) == 0
}

// breaks lets a part of the packets break their connection.
func (b *breaker) breaks(part float64) {
	b.part.Store(&part)
}

func TestLostAnswersOfTheDatabaseLogNobodyOut(t *testing.T) {
	const (
		sessions = 50
		lasting  = 20 * time.Second
		ttl      = 3 * time.Second
		part     = 0.04
	)
	seed := newSeed(t)
	dsn := mysqltest.Database(t)
	breaker, nodeDSN := startBreaker(t, dsn, seed)
	c := newCluster(t, setup{dsn: dsn, nodeDSN: nodeDSN, nodes: []time.Duration{ttl, ttl}})
	s := &surfing{t: t, c: c, browsers: c.loginAll(c.addUsers(sessions, "surfer", "[]"), c.front)}

	breaker.breaks(part)
	ctx, cancel := context.WithTimeout(t.Context(), lasting)
	defer cancel()
	s.until(ctx, seed)
	breaker.breaks(0)
	s.allLoggedIn()

	resets := breaker.before.Load() + breaker.after.Load() + breaker.lost.Load()
	if resets < 100 {
		t.Errorf("%d resets in %v; too few to say anything", resets, lasting)
	}
	if n := s.broken.Load(); n > 0 {
		t.Errorf("%d requests were broken off, the first: %v", n, s.breaks[0])
	}
	t.Logf("%v; resets: %d before a statement arrived, %d after, %d on the way back; the database was called down %d times",
		s, breaker.before.Load(), breaker.after.Load(), breaker.lost.Load(), total(c.events("store-down")))
	c.noPanics()
}
