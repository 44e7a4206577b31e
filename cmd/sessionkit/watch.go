package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"regexp"
	"sync"
)

// errChange is the answer to a statement that would change the database while it is only examined.
var errChange = errors.New("not run, because this only examines the database")

// watch sees each statement on its way to a driver. It counts them, and can refuse those that change something: so
// Store.Migrate says what is wrong, and what it would change, without changing it.
type watch struct {
	mu       sync.Mutex
	count    int
	examines bool // refuse changes
	refused  []string
}

// changes matches the statements that change a table or its rows. EXPLAIN runs no statement.
var changes = regexp.MustCompile(`(?i)^\s*(CREATE|ALTER|DROP|INSERT|UPDATE|DELETE|REPLACE|TRUNCATE|GRANT)\b`)

// pass returns an error for a statement that must not run.
func (w *watch) pass(query string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.examines && changes.MatchString(query) {
		w.refused = append(w.refused, query)
		return errChange
	}
	return nil
}

// note counts a statement that the driver has taken. A driver that returns ErrSkip gets it again, prepared.
func (w *watch) note(err error) {
	if errors.Is(err, driver.ErrSkip) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
}

// counted returns how many statements there were so far.
func (w *watch) counted() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// examine runs f, and returns the statements that would have changed something.
func (w *watch) examine(f func()) (refused []string) {
	w.set(true)
	defer w.set(false)
	f()
	w.mu.Lock()
	defer w.mu.Unlock()
	refused, w.refused = w.refused, nil
	return refused
}

func (w *watch) set(examines bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.examines = examines
}

// watchedConnector makes connections whose statements a watch sees.
type watchedConnector struct {
	driver.Connector
	watch *watch
}

// Connect implements driver.Connector.
func (c watchedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &watchedConn{conn, c.watch}, nil
}

// watchedConn is a connection. It has every optional method of a connection that package database/sql knows and that
// the drivers of this program have.
type watchedConn struct {
	driver.Conn
	watch *watch
}

// ExecContext implements driver.ExecerContext.
func (c *watchedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	inner, ok := c.Conn.(driver.ExecerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	if err := c.watch.pass(query); err != nil {
		return nil, err
	}
	result, err := inner.ExecContext(ctx, query, args)
	c.watch.note(err)
	return result, err
}

// QueryContext implements driver.QueryerContext.
func (c *watchedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	inner, ok := c.Conn.(driver.QueryerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	if err := c.watch.pass(query); err != nil {
		return nil, err
	}
	rows, err := inner.QueryContext(ctx, query, args)
	c.watch.note(err)
	return rows, err
}

// PrepareContext implements driver.ConnPrepareContext. The store runs each statement that it prepares once.
func (c *watchedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.watch.pass(query); err != nil {
		return nil, err
	}
	var stmt driver.Stmt
	var err error
	if inner, ok := c.Conn.(driver.ConnPrepareContext); ok {
		stmt, err = inner.PrepareContext(ctx, query)
	} else {
		stmt, err = c.Conn.Prepare(query)
	}
	c.watch.note(err)
	return stmt, err
}

// BeginTx implements driver.ConnBeginTx.
func (c *watchedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if inner, ok := c.Conn.(driver.ConnBeginTx); ok {
		return inner.BeginTx(ctx, opts)
	}
	return nil, errors.New("this driver begins no transaction")
}

// Ping implements driver.Pinger.
func (c *watchedConn) Ping(ctx context.Context) error {
	if inner, ok := c.Conn.(driver.Pinger); ok {
		return inner.Ping(ctx)
	}
	return nil
}

// ResetSession implements driver.SessionResetter.
func (c *watchedConn) ResetSession(ctx context.Context) error {
	if inner, ok := c.Conn.(driver.SessionResetter); ok {
		return inner.ResetSession(ctx)
	}
	return nil
}

// IsValid implements driver.Validator.
func (c *watchedConn) IsValid() bool {
	inner, ok := c.Conn.(driver.Validator)
	return !ok || inner.IsValid()
}

// CheckNamedValue implements driver.NamedValueChecker.
func (c *watchedConn) CheckNamedValue(value *driver.NamedValue) error {
	if inner, ok := c.Conn.(driver.NamedValueChecker); ok {
		return inner.CheckNamedValue(value)
	}
	return driver.ErrSkip
}
