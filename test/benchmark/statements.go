package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// statementsOf returns the SQL of the store's Find and Confirm.
func statementsOf(ctx context.Context) (find, confirm string) {
	d := &dictation{}
	kept := must(sqlstore.New(sql.OpenDB(d), sqlstore.Config{IDKind: sqlstore.Text}))
	_, _ = kept.Find(ctx, store.ID{})
	_, _ = kept.Confirm(ctx, store.PresentedTicket{})
	i := slices.IndexFunc(d.taken, func(s string) bool { return s != d.taken[0] })
	return d.taken[0], d.taken[i]
}

// dictation is a database driver that records each statement and returns an error.
type dictation struct{ taken []string }

var errDictation = errors.New("the driver only records statements")

func (d *dictation) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d *dictation) Driver() driver.Driver                        { return nil }
func (d *dictation) Close() error                                 { return nil }
func (d *dictation) Begin() (driver.Tx, error)                    { return nil, errDictation }
func (d *dictation) Prepare(query string) (driver.Stmt, error) {
	d.taken = append(d.taken, query)
	return nil, errDictation
}
