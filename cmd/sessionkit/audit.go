package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/user"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// operatorLog is the app's audit log for what a command does: each entry names the operator. The keys of a command
// are thrown away, so the log does not name them.
type operatorLog struct {
	*sqlstore.AuditLog
	operator string
}

// Append implements store.AuditLog.
func (l operatorLog) Append(ctx context.Context, entries []store.AuditEntry) error {
	var own []store.AuditEntry
	for _, e := range entries {
		if e.Actor = l.operator; e.Action != store.AuditKeysSet {
			own = append(own, e)
		}
	}
	return l.AuditLog.Append(ctx, own)
}

// operator names who runs the command, for the audit log. Who may become another user of the machine may be anybody:
// SUDO_USER is a hint, and so is the name itself.
func (i *invocation) operator() string {
	name := i.getenv("SUDO_USER")
	if u, err := user.Current(); name == "" && err == nil {
		name = u.Username
	}
	return "operator " + cmp.Or(name, "unknown")
}

// audited adds the app's audit log to a configuration, if there is one: the configuration's file names it, or its
// table can be read.
func (i *invocation) audited(ctx context.Context, d *database, cfg session.Config) session.Config {
	log, exists := d.store.AuditLog(0), d.cfg.audit
	if !exists {
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		_, err := log.Entries(ctx, sqlstore.AuditQuery{Limit: 1})
		exists = err == nil
	}
	if exists {
		cfg.Audit = operatorLog{log, i.operator()}
	}
	return cfg
}

// errUnaudited says that a command has done its work, and the log does not say so.
var errUnaudited = errors.New("it is done, but the audit log could not be written: note elsewhere who has done it; doctor says what the log lacks")

// checkAudit returns errUnaudited if an entry of the command is not written.
//
// The name of the command's key, which is not for the log, may wait there alone.
func checkAudit(sessions *session.Manager) error {
	if sessions.State().PendingAudit > 1 {
		return errUnaudited
	}
	return nil
}

// shownEntry is an entry of the audit log as JSON.
type shownEntry struct {
	At           string `json:"at"`
	Action       string `json:"action"`
	User         string `json:"user,omitempty"`
	Session      string `json:"session,omitempty"`
	Actor        string `json:"actor,omitempty"`
	ActorSession string `json:"actor_session,omitempty"`
	IP           string `json:"ip,omitempty"`
	UserAgent    string `json:"user_agent,omitempty"`
	Detail       string `json:"detail,omitempty"`
}

// maxShownEntries bounds what audit prints.
const maxShownEntries = 10_000

// audit prints the entries of the audit log, the oldest first.
func audit(ctx context.Context, i *invocation) error {
	if i.since <= 0 {
		return usageError("-since is %v: use how far to look back, such as 24h", i.since)
	}
	d, err := i.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	ctx, cancel := context.WithTimeout(ctx, statsTimeout)
	defer cancel()
	log, q := d.store.AuditLog(0), sqlstore.AuditQuery{UserID: i.user, Actor: i.actor, Since: time.Now().Add(-i.since), Limit: 1000}
	var entries []store.AuditEntry
	for len(entries) < maxShownEntries {
		page, err := log.Entries(ctx, q)
		if err != nil {
			return fmt.Errorf("%w: %w", errUnavailable, err)
		}
		if entries = append(entries, page...); len(page) < q.Limit {
			break
		}
		q.After = page[len(page)-1]
	}
	shown := make([]shownEntry, len(entries))
	rows := [][]string{{"TIME", "ACTION", "USER", "BY", "ADDRESS", "SESSION", "DETAIL"}}
	for n, e := range entries {
		shown[n] = shownEntry{
			At: timeText(e.At), Action: string(e.Action), User: e.UserID, Session: idText(e.SessionID), Actor: e.Actor, ActorSession: idText(e.ActorSession),
			IP: e.IP, UserAgent: e.UserAgent, Detail: e.Detail,
		}
		rows = append(rows, []string{shown[n].At, shown[n].Action, orDash(e.UserID), orDash(e.Actor), orDash(e.IP), orDash(shown[n].Session), orDash(e.Detail)})
	}
	switch {
	case i.json:
		err = printJSON(i.out, shown)
	case len(shown) == 0:
		fmt.Fprintln(i.out, "no entry of this time")
	default:
		printTable(i.out, rows)
	}
	if len(entries) >= maxShownEntries {
		fmt.Fprintf(i.err, "warning: these are the oldest %d entries: look back less far, with -since\n", len(entries))
	}
	return err
}

func idText(id store.ID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}
