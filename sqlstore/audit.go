package sqlstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

var _ store.AuditLog = (*AuditLog)(nil)

// AuditLog is a store.AuditLog in a table of the Store's database, whose name is that of the
// sessions table with "_audit" appended. Make one with Store.AuditLog. It is safe for concurrent
// use, by any number of processes. An entry leaves when it is older than the log keeps it. The
// account needs SELECT, INSERT and, unless entries stay for ever, DELETE. It needs no UPDATE: an
// account without it cannot change an entry.
type AuditLog struct {
	store *Store
	keep  time.Duration
}

// AuditLog returns the audit log of the database. It keeps entries for keep, counted by the
// database's clock; 0: for ever. It runs no SQL: call Migrate next.
func (s *Store) AuditLog(keep time.Duration) *AuditLog { return &AuditLog{s, keep} }

// Migrate creates the table if it does not exist, and checks its columns, its indexes and the
// privileges of this account: SELECT and INSERT, and DELETE if entries do not stay for ever. It
// never alters an existing table. The error names all faults, one a line.
func (l *AuditLog) Migrate(ctx context.Context) error {
	s, t := l.store, l.store.names.audit
	schema := strings.SplitAfter(l.schema(), ";\n")
	schema = schema[:len(schema)-1]
	found, err := s.columns(ctx, t)
	if err == nil && len(found) == 0 {
		for _, statement := range schema {
			if err := s.create(ctx, statement); err != nil {
				return migrateError(fmt.Errorf("creating the table %s: %w%s", t, err, l.permit(ctx, err)))
			}
		}
		found, err = s.columns(ctx, t)
	}
	if err != nil {
		return migrateError(err)
	}
	if differences := differences(definitions(schema, t), found); len(differences) > 0 {
		return migrateError(fmt.Errorf("the table %s is not the kit's: rename or drop it, and run Migrate again; it differs in this: %s", t, strings.Join(differences, "; ")))
	}
	faults, err := s.checkIndexes(ctx, t, found, indexed(schema, t)...)
	if err != nil {
		return migrateError(err)
	}
	privileges := []privilege{{"SELECT", t, "SELECT at FROM {table} WHERE 1 = 0"}, {"INSERT", t, insertNothing(schema, t)}}
	if l.keep > 0 {
		privileges = append(privileges, privilege{"DELETE", t, "DELETE FROM {table} WHERE 1 = 0"})
	}
	return migrateError(append(faults, s.check(ctx, privileges)...)...)
}

// permit says what to do if this account may not create the table. It may be unable to see it,
// because it has no right to use it.
func (l *AuditLog) permit(ctx context.Context, err error) string {
	if !l.store.dialect.isDenied(err) {
		return ""
	}
	return "\nRun these statements once with an account that may create tables, also if the table exists:\n\t" +
		strings.ReplaceAll(l.schema()+l.store.grant(ctx, "SELECT, INSERT, DELETE", l.store.names.audit), "\n", "\n\t")
}

// AuditSchema returns the SQL that AuditLog.Migrate runs when the table does not exist, for people
// who create tables with another tool. It needs no database. Every statement ends with a semicolon
// and a newline, and may be run again. The error names every fault of cfg.
func AuditSchema(cfg Config) (string, error) {
	s, err := newStore(cfg)
	if err != nil {
		return "", err
	}
	return s.AuditLog(0).schema(), nil
}

func (l *AuditLog) schema() string { return l.store.fillIn(l.store.dialect.auditSchema, "") }

// auditKey is the primary key of an entry: its time, so that the table grows at its end, and
// then half of its ID. What comes again has the same key. A time before 1970 has the lowest
// key: a negative one would be the highest, and Prune would remove all.
func auditKey(e *store.AuditEntry) []byte {
	key := binary.BigEndian.AppendUint64(nil, uint64(max(0, e.At.UnixMicro())))
	return append(key, e.ID[8:]...)
}

// Append implements store.AuditLog with one statement. An entry of the app's own needs an ID, such
// as 16 random bytes, and a time.
func (l *AuditLog) Append(ctx context.Context, entries []store.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	var args []any
	for i := range entries {
		e := &entries[i]
		if e.ID.IsZero() || e.At.IsZero() { // the next one of this kind would count as known, and be lost
			return failed("writing the audit log", fmt.Errorf("the entry %q has no ID or no time: set both", e.Action))
		}
		args = append(args, auditKey(e), e.At.UnixMicro(), []byte(e.Action), []byte(e.UserID), orNull(e.SessionID[:], e.SessionID.IsZero()), []byte(e.Actor), orNull(e.ActorSession[:], e.ActorSession.IsZero()),
			[]byte(e.IP), []byte(e.UserAgent), []byte(e.Detail))
	}
	rows := strings.Repeat(", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", len(entries))[len(", "):]
	_, err := l.store.exec(ctx, strings.Replace(l.store.sql.appendAudit, "{rows}", rows, 1), args...)
	return failed("writing the audit log", err)
}

// Prune implements store.AuditLog.
func (l *AuditLog) Prune(ctx context.Context, limit int) (int, error) {
	if l.keep <= 0 {
		return 0, nil
	}
	// By the database's clock: a node whose clock is far ahead would remove all.
	var now int64
	if err := l.store.queryRow(ctx, "SELECT "+l.store.dialect.now).Scan(&now); err != nil {
		return 0, failed("pruning the audit log", err)
	}
	before := auditKey(&store.AuditEntry{At: time.UnixMicro(now).Add(-l.keep)})
	n, err := l.store.prune(ctx, l.store.sql.findOldAudit, []any{before}, l.store.sql.pruneAudit, limit)
	return n, failed("pruning the audit log", err)
}

// AuditQuery selects entries. The zero query selects the oldest 100.
type AuditQuery struct {
	UserID string           // whose sessions they concern; empty: anybody's
	Actor  string           // who did it for somebody else; empty: anybody
	Since  time.Time        // the first moment; zero: the oldest
	After  store.AuditEntry // the last entry of the previous page; zero: the first page
	Limit  int              // at most 1,000; 0: 100
}

// Entries returns entries, the oldest first. It reads an index: its cost does not depend on the
// length of the log. An entry written late, after an outage, stands at the time of what it
// tells.
func (l *AuditLog) Entries(ctx context.Context, q AuditQuery) ([]store.AuditEntry, error) {
	if q.Limit < 0 || q.Limit > 1000 {
		return nil, failed("reading the audit log", errors.New("AuditQuery.Limit is at most 1,000"))
	}
	after := make([]byte, 16)
	if !q.Since.IsZero() {
		after = auditKey(&store.AuditEntry{At: q.Since.Add(-time.Microsecond), ID: store.ID{8: 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})
	}
	if !q.After.ID.IsZero() {
		after = auditKey(&q.After)
	}
	statement, args := l.store.sql.listAudit, []any{after}
	for _, by := range []struct{ column, value string }{{"user_id", q.UserID}, {"actor", q.Actor}} {
		if by.value != "" {
			statement += " AND " + by.column + " = ?"
			args = append(args, []byte(by.value))
		}
	}
	args = append(args, cmp.Or(q.Limit, 100))
	var entries []store.AuditEntry
	err := l.store.query(ctx, statement+" ORDER BY id LIMIT ?", args, func(scan scanRow) error {
		var e store.AuditEntry
		var at int64
		var id, action, user, session, actor, actorSession, ip, agent, detail []byte
		if err := scan(&id, &at, &action, &user, &session, &actor, &actorSession, &ip, &agent, &detail); err != nil {
			return err
		}
		copy(e.ID[:], id)
		copy(e.SessionID[:], session)
		copy(e.ActorSession[:], actorSession)
		e.At, e.Action, e.UserID, e.Actor = time.UnixMicro(at).UTC(), store.AuditAction(action), string(user), string(actor)
		e.IP, e.UserAgent, e.Detail = string(ip), string(agent), string(detail)
		entries = append(entries, e)
		return nil
	})
	return entries, failed("reading the audit log", err)
}
