package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// statementsOf asks the store for its statements.
func statementsOf(ctx context.Context) (find, confirm string) {
	d := &dictation{}
	store := must(sqlstore.New(sql.OpenDB(d), sqlstore.Config{IDKind: sqlstore.Text}))
	_, _ = store.Find(ctx, session.ID{})
	_, _ = store.Confirm(ctx, session.Presented{})
	i := slices.IndexFunc(d.taken, func(s string) bool { return s != d.taken[0] })
	return d.taken[0], d.taken[i]
}

// dictation is a database that writes down what it is asked, and answers nothing.
type dictation struct{ taken []string }

var errDictation = errors.New("this was only for the record")

func (d *dictation) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d *dictation) Driver() driver.Driver                        { return nil }
func (d *dictation) Close() error                                 { return nil }
func (d *dictation) Begin() (driver.Tx, error)                    { return nil, errDictation }
func (d *dictation) Prepare(query string) (driver.Stmt, error) {
	d.taken = append(d.taken, query)
	return nil, errDictation
}
