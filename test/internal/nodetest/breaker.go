package nodetest

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Breaker is a proxy in front of the database. Its rule chooses packets at which it
// breaks the connection: before a statement arrives, after it has arrived, or before
// its answer arrives.
type Breaker struct {
	network, addr string // of the database
	listener      net.Listener
	rule          atomic.Pointer[Rule] // nil: none

	mu    sync.Mutex // guards dice and conns
	dice  *rand.Rand
	conns map[net.Conn]bool

	Before, After, Lost atomic.Int64 // breaks: before a statement, after a statement, before an answer
}

// StartBreaker starts a breaker, and returns it with the DSN of the database behind it.
func StartBreaker(t *testing.T, dsn string, seed uint64) (*Breaker, string) {
	t.Helper()
	b := &Breaker{dice: Dice(seed, -1), conns: map[net.Conn]bool{}}
	var err error
	if b.network, b.addr, err = Address(dsn); err != nil {
		t.Fatal(err)
	}
	if b.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	through, err := Through(dsn, b.listener.Addr().String())
	if err != nil {
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
	return b, through
}

// serve copies in both directions until one side closes or the rule breaks the connection.
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
			client.SetLinger(0) // a reset in place of an orderly close
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
	CutAfter      // the packet arrives, and nothing after it
)

// Rule decides about one packet, of a statement or of an answer.
type Rule func(r *rand.Rand, packet []byte, statement bool) Cut

// AnyPacket breaks the connection at the given part of all packets, 0 to 1.
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

// Breaks sets the rule. With nil no connection breaks any more.
func (b *Breaker) Breaks(r Rule) {
	if r == nil {
		b.rule.Store(nil)
		return
	}
	b.rule.Store(&r)
}
