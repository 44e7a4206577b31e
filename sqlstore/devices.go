package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// deviceRow receives the columns of a device login. Every column may be NULL, because a
// LEFT JOIN reads them.
type deviceRow struct {
	id, userCode, confirmed, live         []byte
	client, userAgent, ip, network        []byte
	createdAt, endsAt, polledAt, interval sql.Null[int64]
	decision                              []byte
}

// columns lists what FindDeviceLogin and FindUserCode read, in this order.
func (r *deviceRow) columns() []recordColumn {
	return []recordColumn{
		{"id", &r.id},
		{"user_code", &r.userCode},
		{"confirmed", &r.confirmed},
		{"live", &r.live},
		{"client", &r.client},
		{"user_agent", &r.userAgent},
		{"ip", &r.ip},
		{"network", &r.network},
		{"created_at", &r.createdAt},
		{"ends_at", &r.endsAt},
		{"polled_at", &r.polledAt},
		{"poll_interval", &r.interval},
		{"decision", &r.decision},
	}
}

// deviceColumns is the list of columns in SQL, for a table called d.
var deviceColumns = columnList("d", new(deviceRow).columns())

// createdDevice lists what CreateDeviceLogin writes. A column that is not here is NULL.
var createdDevice = []struct {
	name, value string                          // value is SQL, with at most one ?
	arg         func(*store.NewDeviceLogin) any // the parameter; nil: value has none
}{
	{"id", "?", func(n *store.NewDeviceLogin) any { return n.ID[:] }},
	{"user_code", "?", func(n *store.NewDeviceLogin) any { return n.UserCode[:] }},
	{"confirmed", "?", func(n *store.NewDeviceLogin) any { return n.Confirmed[:] }},
	{"live", "?", func(n *store.NewDeviceLogin) any { return n.Live[:] }},
	{"client", "?", func(n *store.NewDeviceLogin) any { return []byte(n.Client) }},
	{"user_agent", "?", func(n *store.NewDeviceLogin) any { return []byte(n.UserAgent) }},
	{"ip", "?", func(n *store.NewDeviceLogin) any { return []byte(n.IP) }},
	{"network", "?", func(n *store.NewDeviceLogin) any { return []byte(n.Network) }},
	{"created_at", "{now}", nil},
	{"ends_at", "{now} + ?", func(n *store.NewDeviceLogin) any { return n.Lifetime.Microseconds() }},
	{"poll_interval", "?", func(n *store.NewDeviceLogin) any { return n.Interval.Microseconds() }},
}

// insertDevice is the part of the INSERT that names the columns and their values.
var insertDevice = func() string {
	var names, values []string
	for _, c := range createdDevice {
		names, values = append(names, c.name), append(values, c.value)
	}
	return "(" + strings.Join(names, ", ") + ")\nVALUES (" + strings.Join(values, ", ") + ")"
}()

// CreateDeviceLogin implements store.DeviceLogins with two or three statements, and
// up to five on shards. No login waits for another one of its network.
func (s *Store) CreateDeviceLogin(ctx context.Context, n store.NewDeviceLogin, limit int) (bool, error) {
	there, err := s.createDevice(ctx, n, limit)
	return there, failed("creating a device login", err)
}

func (s *Store) createDevice(ctx context.Context, n store.NewDeviceLogin, limit int) (there bool, err error) {
	pending, err := s.findIDs(ctx, s.sql.pendingDevices, []byte(n.Network), max(limit, 0))
	if err != nil {
		return false, err
	}
	if len(pending) < limit {
		var args []any
		for _, c := range createdDevice {
			if c.arg != nil {
				args = append(args, c.arg(&n))
			}
		}
		if _, err := s.exec(ctx, s.sql.createDevice, args...); err != nil {
			return false, err
		}
		if s.sharded.Load() {
			if err := s.yieldUserCode(ctx, n); err != nil {
				return false, err
			}
		}
	}
	err = s.queryRow(ctx, s.sql.hasDevice, n.ID[:]).Scan(&there)
	return there, err
}

// yieldUserCode removes a login that has just been added, if another one has its user code.
// The unique index of a shard does not know of the others. Of two logins at once each may
// find the other one, and both go.
func (s *Store) yieldUserCode(ctx context.Context, n store.NewDeviceLogin) error {
	others, err := s.findIDs(ctx, s.sql.findSameCode, n.UserCode[:], n.ID[:])
	if err != nil || len(others) == 0 {
		return err
	}
	_, err = s.exec(ctx, s.sql.removeDevice, n.ID[:], n.UserCode[:])
	return err
}

// FindDeviceLogin implements store.DeviceLogins with one query by primary key.
func (s *Store) FindDeviceLogin(ctx context.Context, id store.ID) (time.Time, *store.DeviceLogin, error) {
	return s.findDevice(ctx, s.sql.findDevice, id[:])
}

// FindUserCode implements store.DeviceLogins with one query by the index on the user code.
func (s *Store) FindUserCode(ctx context.Context, code store.Digest) (time.Time, *store.DeviceLogin, error) {
	return s.findDevice(ctx, s.sql.findUserCode, code[:])
}

func (s *Store) findDevice(ctx context.Context, query string, key []byte) (now time.Time, d *store.DeviceLogin, err error) {
	var (
		clock, of sql.Null[int64] // of the epoch's shard and of the login's
		row       deviceRow
	)
	err = s.queryRow(ctx, query, key).Scan(append([]any{&clock, &of}, dest(row.columns())...)...)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		err = errNotMigrated
	case err == nil && row.id != nil:
		clock = of
		d, err = row.login()
	}
	if err != nil {
		return time.Time{}, nil, failed("finding a device login", err)
	}
	return fromMicros(clock), d, nil
}

// login returns the row as a DeviceLogin. A row that this package cannot have written is an
// error.
func (r *deviceRow) login() (*store.DeviceLogin, error) {
	d := &store.DeviceLogin{
		Client:    string(r.client),
		UserAgent: string(r.userAgent),
		IP:        string(r.ip),
		Network:   string(r.network),
		CreatedAt: fromMicros(r.createdAt),
		EndsAt:    fromMicros(r.endsAt),
		PolledAt:  fromMicros(r.polledAt),
		Interval:  time.Duration(r.interval.V) * time.Microsecond,
		Decision:  store.Decision(r.decision),
	}
	for _, digest := range []struct {
		column []byte
		dest   *store.Digest
	}{{r.userCode, &d.UserCode}, {r.confirmed, &d.Confirmed}, {r.live, &d.Live}} {
		if len(digest.column) != len(digest.dest) {
			return nil, errDigest
		}
		copy(digest.dest[:], digest.column)
	}
	var err error
	d.ID, err = sessionID(r.id)
	return d, err
}

// RecordPoll implements store.DeviceLogins with one compare-and-swap by primary key.
func (s *Store) RecordPoll(ctx context.Context, id store.ID, last time.Time, interval time.Duration) (bool, error) {
	n, err := s.exec(ctx, s.sql.recordPoll, interval.Microseconds(), id[:], pollParameter(last))
	return n > 0, failed("recording a poll of a device", err)
}

// pollParameter is the parameter for the time of a poll: 0 if there was none.
func pollParameter(last time.Time) int64 {
	if last.IsZero() {
		return 0
	}
	return last.UnixMicro()
}

// DecideDeviceLogin implements store.DeviceLogins with one compare-and-swap by primary key.
func (s *Store) DecideDeviceLogin(ctx context.Context, id store.ID, decision store.Decision) (bool, error) {
	if decision == store.Undecided {
		return false, nil
	}
	n, err := s.exec(ctx, s.sql.decideDevice, []byte(decision), id[:])
	return n > 0, failed("deciding a device login", err)
}

// PruneDeviceLogins implements store.DeviceLogins as Prune does.
func (s *Store) PruneDeviceLogins(ctx context.Context, limit int) (int, error) {
	n, err := s.prune(ctx, s.sql.findOverDevices, []any{store.RetainDeviceLogin.Microseconds()}, s.sql.pruneDevices, limit)
	return n, failed("pruning device logins", err)
}
