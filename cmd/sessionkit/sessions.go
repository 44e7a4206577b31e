package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// shownSession is a session as JSON.
type shownSession struct {
	ID              string            `json:"id"`
	User            string            `json:"user"`
	CreatedAt       string            `json:"created_at"`
	LastSeenAt      string            `json:"last_seen_at"`
	AuthenticatedAt string            `json:"authenticated_at"`
	IP              string            `json:"ip"`
	UserAgent       string            `json:"user_agent"`
	Client          string            `json:"client,omitempty"`
	NonInteractive  bool              `json:"non_interactive,omitempty"`
	Methods         []string          `json:"methods,omitempty"`
	Actor           string            `json:"actor,omitempty"`
	ExternalID      string            `json:"external_id,omitempty"`
	Data            map[string]string `json:"data,omitempty"`

	// Of show alone.
	State     string `json:"state,omitempty"`
	EndsAt    string `json:"ends_at,omitempty"`
	RevokedAt string `json:"revoked_at,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

func (i *invocation) needUser(command string) error {
	if i.user == "" {
		return usageError("%s needs -user ID", command)
	}
	return nil
}

// list prints the live sessions of a user.
func list(ctx context.Context, i *invocation) error {
	if err := i.needUser("list"); err != nil {
		return err
	}
	return i.withSessions(ctx, func(_ *database, sessions *session.Manager) error {
		devices, err := allDevices(ctx, sessions, i.user)
		if err != nil {
			return err
		}
		shown := make([]shownSession, len(devices))
		rows := [][]string{{"SESSION", "LOGIN", "LAST SEEN", "ADDRESS", "HOLDER", "USER AGENT"}}
		for n, d := range devices {
			shown[n] = shownSession{
				ID: d.ID, User: i.user, CreatedAt: timeText(d.CreatedAt), LastSeenAt: timeText(d.LastSeenAt), AuthenticatedAt: timeText(d.AuthTime),
				IP: d.IP, UserAgent: d.UserAgent, Client: d.Client, NonInteractive: d.NonInteractive,
				Methods: d.Methods, Actor: d.Actor, ExternalID: d.ExternalID, Data: d.Data,
			}
			rows = append(rows, []string{d.ID, shown[n].CreatedAt, shown[n].LastSeenAt, orDash(d.IP), holder(shown[n]), orDash(d.UserAgent)})
		}
		switch {
		case i.json:
			return printJSON(i.out, shown)
		case len(devices) == 0:
			fmt.Fprintf(i.out, "user %s has no live session\n", printable(i.user))
		default:
			printTable(i.out, rows)
		}
		return nil
	})
}

// holder says who holds the cookies or tokens of a session.
func holder(s shownSession) string {
	text := "browser"
	switch {
	case s.Client != "":
		text = printable(s.Client)
	case s.NonInteractive:
		text = "program"
	}
	if s.Actor != "" {
		text += " of " + printable(s.Actor)
	}
	return text
}

// allDevices reads all pages of a list. A session can end between two pages, and its row can leave: then it begins again.
func allDevices(ctx context.Context, sessions *session.Manager, user string) ([]session.Device, error) {
	for range 3 {
		var all []session.Device
		after := ""
		for {
			page, err := sessions.List(ctx, user, after)
			if errors.Is(err, session.ErrNotFound) {
				break
			}
			if err != nil {
				return nil, err
			}
			all = append(all, page...)
			if len(page) < devicesPerPage {
				return all, nil
			}
			after = page[len(page)-1].ID
		}
	}
	return nil, errors.New("the list changed while it was read: try again")
}

// devicesPerPage is the length of a page of session.Manager.List that is not the last one.
const devicesPerPage = 100

// show prints one session, also one that is over.
func show(ctx context.Context, i *invocation) error {
	id, err := store.ParseID(i.args[0])
	if err != nil {
		return usageError("%q is no session: its id has 32 hexadecimal digits in lower case", printable(i.args[0]))
	}
	d, err := i.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	snap, err := d.find(ctx, id)
	if err != nil {
		return err
	}
	r := snap.Record
	if r == nil {
		return fmt.Errorf("%w: there is no session %s, or it ended more than an hour ago", errNotFound, id)
	}
	state, err := d.state(ctx, snap)
	if err != nil {
		return err
	}
	s := shownSession{
		ID: r.ID.String(), User: r.UserID, State: state,
		CreatedAt: timeText(r.CreatedAt), LastSeenAt: timeText(r.LastSeenAt()), AuthenticatedAt: timeText(r.AuthTime),
		EndsAt: timeText(r.EndsAt), RevokedAt: timeText(r.RevokedAt), Reason: string(r.Reason),
		IP: r.IP, UserAgent: r.UserAgent, Client: r.Client, NonInteractive: r.NonInteractive,
		Methods: r.Methods, Actor: r.Actor, ExternalID: r.ExternalID, Data: r.Data,
	}
	if i.json {
		return printJSON(i.out, s)
	}
	rows := [][]string{}
	add := func(name, text string) {
		if text != "" {
			rows = append(rows, []string{name, printable(text)})
		}
	}
	add("session", s.ID)
	add("user", s.User)
	add("state", s.State)
	add("login", s.CreatedAt)
	add("last seen", s.LastSeenAt)
	add("authenticated", s.AuthenticatedAt)
	add("ends", s.EndsAt)
	add("revoked", s.RevokedAt)
	add("reason", s.Reason)
	add("address", s.IP)
	add("user agent", s.UserAgent)
	add("holder", holder(s))
	add("methods", strings.Join(s.Methods, ", "))
	add("external id", s.ExternalID)
	for _, name := range sortedKeys(s.Data) {
		add("data "+printable(name), s.Data[name])
	}
	printTable(i.out, rows)
	return nil
}

// state says whether a session is live, and if not, why. An impersonation is over when the session is from which it
// began. An idle timeout is not in the row, so a session whose user stays away is live here until its row leaves.
func (d *database) state(ctx context.Context, snap store.Snapshot) (string, error) {
	r := snap.Record
	switch {
	case !r.RevokedAt.IsZero():
		return "revoked", nil
	case r.GlobalEpoch < snap.GlobalEpoch:
		return "over: all sessions were ended", nil
	case r.User.Gone:
		return "over: the user was deleted", nil
	case r.User.Disabled:
		return "over: the user is disabled", nil
	case r.User.Epoch != r.UserEpoch:
		return "over: the user's session epoch has changed", nil
	case !snap.Now.Before(r.EndsAt):
		return "over: its time has ended", nil
	case r.ActorSession.IsZero():
		return "live", nil
	}
	actor, err := d.find(ctx, r.ActorSession)
	if err != nil {
		return "", err
	}
	if actor.Record == nil {
		return "over: the actor's session is over", nil
	}
	if state, err := d.state(ctx, actor); err != nil || state != "live" {
		return "over: the actor's session is over", err
	}
	return "live", nil
}

// ended is what a revocation prints as JSON.
type ended struct {
	Revoked    string   `json:"revoked"`
	Session    string   `json:"session,omitempty"`
	User       string   `json:"user,omitempty"`
	ExternalID string   `json:"external_id,omitempty"`
	Except     []string `json:"except,omitempty"`
}

// revoke ends one session of a user, all of a user, or those with an external id.
func revoke(ctx context.Context, i *invocation) error {
	e := ended{User: i.user, ExternalID: i.external, Except: i.except}
	var what string
	var do func(*session.Manager) error
	for _, id := range slices.Concat(i.args, i.except) {
		if _, err := store.ParseID(id); err != nil {
			return usageError("%q is no session: its id has 32 hexadecimal digits in lower case", printable(id))
		}
	}
	switch {
	case i.given["external"]:
		if i.external == "" || i.given["user"] || len(i.args)+len(i.except) > 0 {
			return usageError("revoke -external ID takes an id that is not empty, and no session, -user or -except")
		}
		e.Revoked, what = "external", "ends all sessions with the external id "+i.external
		do = func(m *session.Manager) error { return m.RevokeExternal(ctx, i.external, time.Time{}) }
	case i.user == "":
		return usageError("revoke needs -user ID, with or without a session, or -external ID")
	case len(i.args) == 1:
		if len(i.except) > 0 {
			return usageError("revoke SESSION ends that one alone: leave -except out")
		}
		e.Revoked, e.Session, what = "session", i.args[0], "ends the session "+i.args[0]+" of user "+i.user
		do = func(m *session.Manager) error { return m.Revoke(ctx, i.user, i.args[0]) }
	default:
		e.Revoked, what = "user", "ends all sessions of user "+i.user
		if len(i.except) > 0 {
			what += " except " + strings.Join(i.except, ", ")
		}
		do = func(m *session.Manager) error {
			i.warnOfNobody(ctx, m)
			return m.RevokeUser(ctx, i.user, i.except...)
		}
	}
	return i.end(ctx, e, what, do)
}

// warnOfNobody warns of an id that may be misspelt: whoever ends the sessions of a stolen account must not believe that
// it is done. It is no error, so that a script may repeat the command. If the list cannot be read, RevokeUser tells why.
func (i *invocation) warnOfNobody(ctx context.Context, sessions *session.Manager) {
	if devices, err := sessions.List(ctx, i.user, ""); err == nil && len(devices) == 0 {
		fmt.Fprintf(i.err, "warning: user %s has no live session: is the id right?\n", printable(i.user))
	}
}

// revokeAll ends every session.
func revokeAll(ctx context.Context, i *invocation) error {
	return i.end(ctx, ended{Revoked: "all"}, "ends every session of every user: all of them must log in again", func(m *session.Manager) error { return m.RevokeAll(ctx) })
}

// end asks, ends sessions, and says so.
func (i *invocation) end(ctx context.Context, e ended, what string, do func(*session.Manager) error) error {
	if err := i.confirm(what); err != nil {
		return err
	}
	return i.withSessions(ctx, func(_ *database, sessions *session.Manager) error {
		if err := do(sessions); err != nil {
			if errors.Is(err, session.ErrUnfinished) {
				return errUnfinished // its own text says that Run goes on, and here nothing runs on
			}
			return err
		}
		if i.json {
			return printJSON(i.out, e)
		}
		fmt.Fprintf(i.out, "done: this %s\n", printable(strings.Replace(what, "ends ", "ended ", 1)))
		return nil
	})
}

// statsTimeout bounds how long the table of sessions is read.
const statsTimeout = 5 * time.Second

// counts is what stats prints.
type counts struct {
	At        string `json:"at"`
	Live      int    `json:"live"`
	Logins    int    `json:"logins_last_hour"`
	Prunable  int    `json:"rows_to_prune"`
	Rows      int    `json:"rows"`
	FromStart string `json:"oldest_login,omitempty"`
}

// stats counts the rows of the kit's table in one pass over it.
func stats(ctx context.Context, i *invocation) error {
	d, err := i.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	snap, err := d.find(ctx, store.ID{}) // no session has this id: it reads the clock and the epoch
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, statsTimeout)
	defer cancel()
	c := counts{At: timeText(snap.Now)}
	var oldest int64
	row := d.db.QueryRowContext(ctx, statsQuery(d.cfg.store, snap.Now, snap.GlobalEpoch))
	if err := row.Scan(&c.Live, &c.Logins, &c.Prunable, &c.Rows, &oldest); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%w: counting took longer than %v, and was stopped", errUnavailable, statsTimeout)
		}
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	if oldest > 0 {
		c.FromStart = timeText(time.UnixMicro(oldest))
	}
	if i.json {
		return printJSON(i.out, c)
	}
	printTable(i.out, [][]string{
		{"live sessions", strconv.Itoa(c.Live)},
		{"logins of the last hour", strconv.Itoa(c.Logins)},
		{"rows to prune", strconv.Itoa(c.Prunable)},
		{"rows", strconv.Itoa(c.Rows)},
		{"oldest login", orDash(c.FromStart)},
		{"at", c.At},
	})
	return nil
}

// statsQuery counts by the database's clock. The numbers in it are integers of this program, and sqlstore has checked
// the table's name.
func statsQuery(cfg sqlstore.Config, now time.Time, globalEpoch uint64) string {
	quote := "`"
	limit, hint := "", ""
	switch cfg.Dialect {
	case sqlstore.PostgreSQL:
		quote = `"`
	case sqlstore.MySQL:
		// A driver that gives up closes its connection, and the server goes on with the query. MariaDB reads the first
		// comment, and MySQL the second one.
		ms := statsTimeout.Milliseconds()
		limit = fmt.Sprintf("/*M! SET STATEMENT max_statement_time=%d FOR */ ", ms/1000)
		hint = fmt.Sprintf("/*+ MAX_EXECUTION_TIME(%d) */ ", ms)
	}
	parts := strings.Split(cmp.Or(cfg.Sessions, "sessions"), ".")
	table := quote + strings.Join(parts, quote+"."+quote) + quote
	at := strconv.FormatInt(now.UnixMicro(), 10)
	return limit + "SELECT " + hint +
		"COUNT(CASE WHEN revoked_at IS NULL AND ends_at > " + at + " AND expires_at > " + at + " AND global_epoch >= " + strconv.FormatUint(globalEpoch, 10) + " THEN 1 END), " +
		"COUNT(CASE WHEN created_at > " + strconv.FormatInt(now.Add(-time.Hour).UnixMicro(), 10) + " THEN 1 END), " +
		"COUNT(CASE WHEN expires_at < " + at + " THEN 1 END), COUNT(*), COALESCE(MIN(created_at), 0) FROM " + table
}
