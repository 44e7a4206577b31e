package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync/atomic"
)

// counter counts the statements that run on the connections it wraps. Those of a
// request are counted apart from those of nobody: the feed's one a second, the
// clean-up, the tables made at the start. Pings are no statements.
type counter struct {
	requests   atomic.Int64
	background atomic.Int64
}

type costKey struct{}

// withCost returns a context in which statements are counted for one request,
// and that request's count.
func withCost(ctx context.Context) (context.Context, *atomic.Int64) {
	cost := new(atomic.Int64)
	return context.WithValue(ctx, costKey{}, cost), cost
}

func (c *counter) add(ctx context.Context) {
	cost, ok := ctx.Value(costKey{}).(*atomic.Int64)
	if !ok {
		c.background.Add(1)
		return
	}
	cost.Add(1)
	c.requests.Add(1)
}

// count returns a connector that counts, and is otherwise like the one given.
func (c *counter) count(connector driver.Connector) driver.Connector {
	return countingConnector{Connector: connector, counter: c}
}

type countingConnector struct {
	driver.Connector
	counter *counter
}

func (c countingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &countingConn{Conn: conn, counter: c.counter}, nil
}

// countingConn passes on every optional interface that the drivers of this app
// have. Where the driver lacks one it answers what database/sql does by itself.
type countingConn struct {
	driver.Conn
	counter *counter
}

func (c *countingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	execer, ok := c.Conn.(driver.ExecerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	result, err := execer.ExecContext(ctx, query, args)
	// ErrSkip: nothing ran. The statement will be prepared, and counted then.
	if err != driver.ErrSkip {
		c.counter.add(ctx)
	}
	return result, err
}

func (c *countingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	queryer, ok := c.Conn.(driver.QueryerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	rows, err := queryer.QueryContext(ctx, query, args)
	if err != driver.ErrSkip {
		c.counter.add(ctx)
	}
	return rows, err
}

func (c *countingConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	var stmt driver.Stmt
	var err error
	if preparer, ok := c.Conn.(driver.ConnPrepareContext); ok {
		stmt, err = preparer.PrepareContext(ctx, query)
	} else {
		stmt, err = c.Conn.Prepare(query)
	}
	if err != nil {
		return nil, err
	}
	return &countingStmt{Stmt: stmt, counter: c.counter}, nil
}

func (c *countingConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if beginner, ok := c.Conn.(driver.ConnBeginTx); ok {
		return beginner.BeginTx(ctx, opts)
	}
	//lint:ignore SA1019 what database/sql does with a driver that has nothing newer
	return c.Conn.Begin()
}

func (c *countingConn) Ping(ctx context.Context) error {
	if pinger, ok := c.Conn.(driver.Pinger); ok {
		return pinger.Ping(ctx)
	}
	return nil
}

func (c *countingConn) ResetSession(ctx context.Context) error {
	if resetter, ok := c.Conn.(driver.SessionResetter); ok {
		return resetter.ResetSession(ctx)
	}
	return nil
}

func (c *countingConn) IsValid() bool {
	validator, ok := c.Conn.(driver.Validator)
	return !ok || validator.IsValid()
}

func (c *countingConn) CheckNamedValue(v *driver.NamedValue) error {
	return checkNamedValue(c.Conn, v)
}

// errNoContext would take a driver from before Go 1.8; this app has none.
var errNoContext = errors.New("this driver's statements take no context")

type countingStmt struct {
	driver.Stmt
	counter *counter
}

func (s *countingStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.counter.add(ctx)
	if execer, ok := s.Stmt.(driver.StmtExecContext); ok {
		return execer.ExecContext(ctx, args)
	}
	return nil, errNoContext
}

func (s *countingStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.counter.add(ctx)
	if queryer, ok := s.Stmt.(driver.StmtQueryContext); ok {
		return queryer.QueryContext(ctx, args)
	}
	return nil, errNoContext
}

func (s *countingStmt) CheckNamedValue(v *driver.NamedValue) error {
	return checkNamedValue(s.Stmt, v)
}

// checkNamedValue asks the driver, as database/sql would. ErrSkip means: by the
// usual rules.
func checkNamedValue(wrapped any, v *driver.NamedValue) error {
	if checker, ok := wrapped.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// costOf is what the context's request has cost so far.
func costOf(ctx context.Context) int64 {
	if cost, ok := ctx.Value(costKey{}).(*atomic.Int64); ok {
		return cost.Load()
	}
	return 0
}
