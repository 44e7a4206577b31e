package main

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

const (
	keepAudit = 180 * 24 * time.Hour // as long as the law and the security team ask, and no longer
	deviceAge = 90 * 24 * time.Hour  // after it a device is new again
)

// auditLog is the table of who did what. It also writes to users whom it concerns.
type auditLog struct {
	*sqlstore.AuditLog
	users userTable

	// mail sends a letter, and does not wait for it: a login waits for Append.
	mail func(to, text string)
}

func logMail(to, text string) { slog.Info("a mail", "to", to, "text", text) }

// Append implements store.AuditLog. Only what the table has is mailed. An entry that comes again,
// because the answer of the database was lost, may be mailed again.
func (l *auditLog) Append(ctx context.Context, entries []store.AuditEntry) error {
	if err := l.AuditLog.Append(ctx, entries); err != nil {
		return err
	}
	for _, e := range entries {
		text := l.letter(ctx, e)
		if text == "" {
			continue
		}
		found, err := l.users.people(ctx, `WHERE id = ?`, number(e.UserID))
		if err != nil || len(found) == 0 {
			slog.Error("a user is not told what has happened", "user", e.UserID, "what", e.Action, "error", err)
			continue
		}
		l.mail(found[0].Email, text)
	}
	return nil
}

// letter returns what the user is told of an entry; empty: nothing.
func (l *auditLog) letter(ctx context.Context, e store.AuditEntry) string {
	switch {
	case e.Action == store.AuditTheft:
		return "Somebody has used a copy of your login, from " + e.IP + ". All who used it are logged out. If you did not restore a browser from a backup, change your password."
	case e.Action == store.AuditLogin && e.Actor == "" && l.isNewDevice(ctx, e):
		return "You have logged in with a new device, from " + e.IP + ": " + e.UserAgent + ". If it was not you, change your password."
	}
	return ""
}

// isNewDevice reports whether the user has logged in before, and not with a browser like this
// one. A first login is no news.
func (l *auditLog) isNewDevice(ctx context.Context, e store.AuditEntry) bool {
	before, err := l.Entries(ctx, sqlstore.AuditQuery{UserID: e.UserID, Since: e.At.Add(-deviceAge), Limit: 1000})
	if err != nil {
		slog.Error("the log of a user's logins cannot be read", "error", err)
		return false
	}
	at := e.At.Truncate(time.Microsecond) // as the table has it
	before = slices.DeleteFunc(before, func(b store.AuditEntry) bool {
		return b.Action != store.AuditLogin || b.Actor != "" || !b.At.Before(at)
	})
	return len(before) > 0 && !slices.ContainsFunc(before, func(b store.AuditEntry) bool { return family(b) == family(e) })
}

// family is the browser of an entry, in words that its updates do not change.
func family(e store.AuditEntry) string {
	return nethttp.BrowserFamily(&http.Request{Header: http.Header{"User-Agent": {e.UserAgent}}})
}

// audit shows what happened in the last day.
func (a *app) auditPage(w http.ResponseWriter, r *http.Request) error {
	entries, err := a.audit.Entries(r.Context(), sqlstore.AuditQuery{UserID: r.FormValue("user"), Since: time.Now().Add(-24 * time.Hour), Limit: 1000})
	if err != nil {
		return unavailable(err)
	}
	slices.Reverse(entries)
	return render(w, r, http.StatusOK, "audit", "Audit log", entries)
}

// ban ends all sessions of a user, who cannot log in any more. The row comes first: a login in
// between would go on.
func (a *app) ban(w http.ResponseWriter, r *http.Request) error {
	userID := r.FormValue("user")
	if userID == current(r).UserID {
		http.Error(w, "You are this user.", http.StatusForbidden)
		return nil
	}
	if ok, err := a.users.db.change(r.Context(), `UPDATE users SET disabled = ? WHERE id = ?`, true, number(userID)); err != nil || !ok {
		return redirectUnless(w, r, err, "/people", "nobody")
	}
	// The context has the administrator, so the log has, too. It goes on without the browser.
	err := a.sessions.RevokeUser(context.WithoutCancel(r.Context()), userID)
	return redirectUnless(w, r, err, "/people", "banned")
}

// redirectUnless is redirect, unless there is an error.
func redirectUnless(w http.ResponseWriter, r *http.Request, err error, page, notice string) error {
	if err != nil {
		return err
	}
	return redirect(w, r, page, notice)
}
