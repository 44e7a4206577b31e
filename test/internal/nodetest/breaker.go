package nodetest

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// Breaker is a way to the database that breaks at packets of its rule's choice:
// before a statement has arrived, after that, or on its answer's way back.
type Breaker struct {
	network, addr string // of the database
	listener      net.Listener
	rule          atomic.Pointer[Rule] // nil: none

	mu    sync.Mutex // guards dice and conns
	dice  *rand.Rand
	conns map[net.Conn]bool

	Before, After, Lost atomic.Int64 // breaks, by what became of the packet
}

// StartBreaker returns a breaker and the DSN that leads through it.
func StartBreaker(t *testing.T, dsn string, seed uint64) (*Breaker, string) {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	b := &Breaker{network: cfg.Net, addr: cfg.Addr, dice: Dice(seed, -1), conns: map[net.Conn]bool{}}
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
func (b *Breaker) serve(client *net.TCPConn) {
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

func (b *Breaker) keep(conns ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, conn := range conns {
		b.conns[conn] = true
	}
}

func (b *Breaker) drop(conns ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, conn := range conns {
		delete(b.conns, conn)
	}
}

func (b *Breaker) copy(client *net.TCPConn, from, to net.Conn, statements bool) {
	defer from.Close()
	defer to.Close()
	packet := make([]byte, 64<<10)
	for {
		n, err := from.Read(packet)
		if err != nil {
			return
		}
		hit := b.judge(packet[:n], statements)
		if hit == CutBefore {
			if statements {
				b.Before.Add(1)
			} else {
				b.Lost.Add(1)
			}
			client.SetLinger(0) // a reset, not an orderly end
			return
		}
		if _, err := to.Write(packet[:n]); err != nil {
			return
		}
		if hit == CutAfter {
			b.After.Add(1)
			client.SetLinger(0)
			return
		}
	}
}

// Cut is where a connection breaks.
type Cut int

const (
	NoCut     Cut = iota
	CutBefore     // the packet does not arrive
	CutAfter      // it does, and nothing after it
)

// Rule chooses for one packet, of a statement or else of an answer.
type Rule func(r *rand.Rand, packet []byte, statement bool) Cut

// AnyPacket breaks connections at so large a part of all packets.
func AnyPacket(part float64) Rule {
	return func(r *rand.Rand, _ []byte, statement bool) Cut {
		hit, late := r.Float64() < part, r.IntN(2) == 0
		switch {
		case !hit:
			return NoCut
		case statement && late:
			return CutAfter
		default:
			return CutBefore
		}
	}
}

func (b *Breaker) judge(packet []byte, statement bool) Cut {
	choose := b.rule.Load()
	if choose == nil {
		return NoCut
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return (*choose)(b.dice, packet, statement)
}

// Breaks sets the rule; nil ends all breaking.
func (b *Breaker) Breaks(r Rule) {
	if r == nil {
		b.rule.Store(nil)
		return
	}
	b.rule.Store(&r)
}
