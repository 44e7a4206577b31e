package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// migrateTimeout bounds Store.Migrate, which may wait a minute for another node's upgrade.
const migrateTimeout = 3 * time.Minute

// printSchema prints the SQL of the kit's tables. It needs the database only where their columns depend on the app's.
func printSchema(ctx context.Context, i *invocation) error {
	cfg, err := i.loadConfig()
	if err != nil {
		return err
	}
	var schema string
	if cfg.needsDatabase() {
		d, err := i.openDatabase(ctx)
		if err != nil {
			return err
		}
		defer d.close()
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		schema, err = d.store.Schema(ctx)
		if err != nil {
			return err
		}
	} else if schema, err = sqlstore.Schema(cfg.store); err != nil {
		return err
	}
	if cfg.audit {
		auditSchema, err := sqlstore.AuditSchema(cfg.store)
		if err != nil {
			return err
		}
		schema += auditSchema
	}
	fmt.Fprint(i.out, schema)
	return nil
}

// examination is what Store.Migrate says of a database that it may not change.
type examination struct {
	changes []string // the first line of the statements that it would have run first
	faults  []error  // each with its remedy
}

// examine runs Store.Migrate, and refuses each statement that would change something.
func (d *database) examine(ctx context.Context) (x examination) {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	var err error
	for _, statement := range d.watch.examine(func() { err = d.migrate(ctx) }) {
		line, _, _ := strings.Cut(strings.TrimSpace(statement), "\n")
		x.changes = append(x.changes, strings.TrimSuffix(line, " ("))
	}
	faults := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		faults = joined.Unwrap()
	}
	for _, fault := range faults {
		if fault != nil && !errors.Is(fault, errChange) {
			x.faults = append(x.faults, fault)
		}
	}
	return x
}

// migrate migrates the kit's tables, and the table of the audit log if the configuration names it.
func (d *database) migrate(ctx context.Context) error {
	err := d.store.Migrate(ctx)
	if d.cfg.audit {
		err = errors.Join(err, d.store.AuditLog(0).Migrate(ctx))
	}
	return err
}

// migrate creates or upgrades the kit's tables. It asks only if that changes something.
func migrate(ctx context.Context, i *invocation) error {
	d, err := i.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	x := d.examine(ctx)
	if len(x.changes) == 0 {
		if err := errors.Join(x.faults...); err != nil {
			return err
		}
		fmt.Fprintln(i.out, "nothing to do: the tables are those of this release, and nothing is missing")
		return nil
	}
	if err := i.confirm("changes the database, beginning with " + x.changes[0]); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	if err := d.migrate(ctx); err != nil {
		return err
	}
	fmt.Fprintln(i.out, "done: the tables are those of this release, and nothing is missing")
	return nil
}

// diagnosis is what doctor prints.
type diagnosis struct {
	Dialect  string   `json:"dialect"`
	Faults   []string `json:"faults"`
	Changes  []string `json:"migrate_would_run"`
	Warnings []string `json:"warnings"`

	// ClockAhead is how far the database's clock is ahead of this machine's, in milliseconds.
	ClockAhead *int64 `json:"clock_ahead_ms"`

	// Refresh is nil if nothing was measured, for the reason in NotMeasured.
	Refresh     *refreshCost `json:"refresh"`
	NotMeasured string       `json:"refresh_not_measured,omitempty"`
}

type refreshCost struct {
	User       string `json:"user"`
	Statements int    `json:"statements"`
	Micros     int64  `json:"microseconds"`
}

// clockTolerance is how far a node's clock may be behind the database's before it asks the database for each request.
const clockTolerance = 5 * time.Second

// doctor checks what Store.Migrate checks, and compares clocks. With a user it also logs in, to count the statements
// of a refresh, and logs out.
func doctor(ctx context.Context, i *invocation) error {
	if i.given["user"] && i.user == "" {
		return usageError("-user is empty: name a user, or leave it out")
	}
	d, err := i.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	x := d.examine(ctx)
	report := diagnosis{Dialect: d.cfg.dialect, Faults: []string{}, Changes: append([]string{}, x.changes...), Warnings: append([]string{}, i.warnings...)}
	for _, fault := range x.faults {
		report.Faults = append(report.Faults, fault.Error())
	}
	ready := len(x.faults)+len(x.changes) == 0
	if ready {
		ahead, err := d.clockAhead(ctx)
		if err != nil {
			return err
		}
		ms := ahead.Milliseconds()
		report.ClockAhead = &ms
		if ahead > clockTolerance {
			report.Faults = append(report.Faults, fmt.Sprintf("the clock of this machine is %v behind the database's: a node that is more than %v behind asks the database for each request; let both follow NTP",
				ahead.Round(time.Millisecond), clockTolerance))
		}
	}
	var failed error
	switch {
	case !ready:
		report.NotMeasured = "the database is not ready"
	case i.user == "":
		report.NotMeasured = "-user names no user: it needs a login"
	default:
		if report.Refresh, failed = i.measureRefresh(ctx, d); failed != nil {
			report.NotMeasured = failed.Error()
		}
	}
	if i.json {
		if err := printJSON(i.out, report); err != nil {
			return err
		}
	} else {
		i.printDiagnosis(report)
	}
	switch {
	case failed != nil:
		return failed
	case len(report.Faults) > 0:
		return errors.New("doctor has found faults: each one above says what to do")
	case len(report.Changes) > 0:
		return errors.New("the tables are missing or of an earlier release: run sessionkit migrate, or have the output of sessionkit schema run by whoever may create tables")
	}
	return nil
}

func (i *invocation) printDiagnosis(r diagnosis) {
	for _, fault := range r.Faults {
		fmt.Fprintf(i.out, "fault: %s\n", printableLines(fault))
	}
	tables := "as this release needs them"
	switch {
	case len(r.Changes) > 0:
		tables = "migrate would change them, beginning with " + printable(r.Changes[0])
	case len(r.Faults) > 0 && r.ClockAhead == nil:
		tables = "see the faults"
	}
	clock := "not compared: the database is not ready"
	if r.ClockAhead != nil {
		clock = fmt.Sprintf("the database is %d ms ahead of this machine", *r.ClockAhead)
		if *r.ClockAhead < 0 {
			clock = fmt.Sprintf("the database is %d ms behind this machine", -*r.ClockAhead)
		}
	}
	refresh := "not measured: " + printable(r.NotMeasured)
	if r.Refresh != nil {
		refresh = fmt.Sprintf("%s in %.1f ms, for user %s; the session of this login was ended",
			count(r.Refresh.Statements, "statement"), float64(r.Refresh.Micros)/1000, printable(r.Refresh.User))
	}
	printTable(i.out, [][]string{{"database", r.Dialect}, {"tables", tables}, {"clock", clock}, {"refresh", refresh}})
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// clockAhead returns how far the database's clock is ahead of this machine's: the best of three readings, each of which
// is wrong by half of its time at most.
func (d *database) clockAhead(ctx context.Context) (ahead time.Duration, err error) {
	shortest := time.Duration(-1)
	for range 3 {
		began := time.Now()
		snap, err := d.find(ctx, store.ID{}) // no session has this id
		if err != nil {
			return 0, err
		}
		took := time.Since(began)
		if shortest < 0 || took < shortest {
			shortest, ahead = took, snap.Now.Sub(began.Add(took/2))
		}
	}
	return ahead, nil
}

// refreshPause is how long doctor waits until a refresh cookie is old enough to be replaced: a refresh before that
// writes nothing.
const refreshPause = time.Second

// measureRefresh logs a user in, and counts the statements of refreshes. The first one prepares the connection. The
// session ends by itself within a minute if this process is stopped before it ends it.
func (i *invocation) measureRefresh(ctx context.Context, d *database) (cost *refreshCost, err error) {
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		return nil, err
	}
	sessions, err := session.New(keys, d.store, i.audited(ctx, d, session.Config{
		AccessTTL: time.Second, IdleTimeout: time.Minute, AbsoluteTimeout: time.Minute,
		MaxSessions: -1, // or the login would end one of the user's
	}))
	if err != nil {
		return nil, err
	}
	kept := &cookies{values: map[string]string{}}
	verdict, err := sessions.Issue(kept.request(ctx), session.Login{UserID: i.user})
	if errors.Is(err, store.ErrUserUnknown) {
		return nil, fmt.Errorf("%w: there is no user %s", errNotFound, i.user)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, sessions.Revoke(context.WithoutCancel(ctx), i.user, verdict.Session().ID), checkAudit(sessions))
	}()
	kept.take(verdict)
	for range 2 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(refreshPause):
		}
		before, began := d.watch.counted(), time.Now()
		refreshed, err := sessions.Authenticate(kept.request(ctx))
		if err != nil {
			return nil, err
		}
		cost = &refreshCost{User: i.user, Statements: d.watch.counted() - before, Micros: time.Since(began).Microseconds()}
		kept.take(refreshed)
	}
	return cost, nil
}

// cookies are those of a browser whose access cookie has expired.
type cookies struct{ values map[string]string }

// take keeps the cookies of an answer, but for the access cookie.
func (c *cookies) take(v session.Verdict) {
	for _, cookie := range v.Cookies {
		switch {
		case strings.HasSuffix(cookie.Name, "-session"):
		case cookie.MaxAge < 0:
			delete(c.values, cookie.Name)
		default:
			c.values[cookie.Name] = cookie.Value
		}
	}
}

// request returns a request with the cookies.
func (c *cookies) request(ctx context.Context) *http.Request {
	r := (&http.Request{Method: http.MethodGet, Host: "localhost", Header: http.Header{"User-Agent": {"sessionkit doctor"}}}).WithContext(ctx)
	for _, name := range sortedKeys(c.values) {
		r.AddCookie(&http.Cookie{Name: name, Value: c.values[name]})
	}
	return r
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
