package sqlstore

import (
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// sessionRow receives the columns of a session. Every column may be NULL, because Find
// uses a LEFT JOIN.
type sessionRow struct {
	id, userID, confirmed, previous            []byte
	userEpoch, globalEpoch, generation, reload sql.Null[uint64]
	confirmedAt, lateAt, lateBefore            sql.Null[int64]
	createdAt, authTime, endsAt, revokedAt     sql.Null[int64]
	reason, userAgent, ip                      []byte
	nonInteractive                             sql.Null[bool]
	idleTimeout                                sql.Null[int64]
	fingerprint, live                          []byte
	methods, actor, actorSession               []byte
	externalID, client, data                   []byte
}

// recordColumn is a column of one of the kit's tables, and the field that receives it.
type recordColumn struct {
	name string
	dest any
}

// columns lists what Find and List read, in this order.
func (r *sessionRow) columns() []recordColumn {
	return []recordColumn{
		{"id", &r.id},
		{"user_id", &r.userID},
		{"user_epoch", &r.userEpoch},
		{"global_epoch", &r.globalEpoch},
		{"generation", &r.generation},
		{"confirmed", &r.confirmed},
		{"previous", &r.previous},
		{"confirmed_at", &r.confirmedAt},
		{"late_at", &r.lateAt},
		{"late_before", &r.lateBefore},
		{"created_at", &r.createdAt},
		{"authenticated_at", &r.authTime},
		{"ends_at", &r.endsAt},
		{"reload", &r.reload},
		{"revoked_at", &r.revokedAt},
		{"revoke_reason", &r.reason},
		{"non_interactive", &r.nonInteractive},
		{"user_agent", &r.userAgent},
		{"ip", &r.ip},
		{"idle_timeout", &r.idleTimeout},
		{"fingerprint", &r.fingerprint},
		{"live", &r.live},
		{"methods", &r.methods},
		{"actor", &r.actor},
		{"actor_session", &r.actorSession},
		{"external_id", &r.externalID},
		{"client", &r.client},
		{"data", &r.data},
	}
}

// recordColumns is the list of columns in SQL, for a table called s.
var recordColumns = columnList("s", new(sessionRow).columns())

// columnList is a list of columns in SQL.
func columnList(table string, columns []recordColumn) string {
	var names []string
	for _, c := range columns {
		names = append(names, table+"."+c.name)
	}
	return strings.Join(names, ", ")
}

func (r *sessionRow) dest() []any { return dest(r.columns()) }

// dest returns the fields that receive columns.
func dest(columns []recordColumn) (dest []any) {
	for _, c := range columns {
		dest = append(dest, c.dest)
	}
	return dest
}

// createdColumn is a column that Create writes, and what it writes there.
type createdColumn struct {
	name  string
	value string                      // SQL over {users} u and {epochs} g, with at most one ?
	arg   func(*store.NewSession) any // the parameter; nil: value has none
}

// createdColumns lists what Create writes. A column that is not here is NULL, or
// has the schema's default.
var createdColumns = []createdColumn{
	{"id", "?", func(n *store.NewSession) any { return n.ID[:] }},
	{"user_id", "{u.id}", nil},
	{"user_epoch", "{epoch}", nil},
	{"global_epoch", "g.epoch", nil},
	{"generation", "0", nil},
	{"confirmed", "?", func(n *store.NewSession) any { return n.Confirmed[:] }},
	{"confirmed_at", "{now}", nil},
	{"created_at", "COALESCE(?, {now})", func(n *store.NewSession) any {
		return orNull(n.CreatedAt.UnixMicro(), n.CreatedAt.IsZero())
	}},
	{"authenticated_at", "{now} - ?", func(n *store.NewSession) any { return n.AuthAge.Microseconds() }},
	{"ends_at", "{now} + ?", func(n *store.NewSession) any { return n.Lifetime.Microseconds() }},
	{"expires_at", "{now} + ?", func(n *store.NewSession) any { return n.RetainFor.Microseconds() }},
	{"reload", "0", nil},
	{"non_interactive", "?", func(n *store.NewSession) any { return flag(n.NonInteractive) }},
	{"user_agent", "?", func(n *store.NewSession) any { return []byte(n.UserAgent) }},
	{"ip", "?", func(n *store.NewSession) any { return []byte(n.IP) }},
	{"idle_timeout", "?", func(n *store.NewSession) any { return orNull(n.IdleTimeout.Microseconds(), n.IdleTimeout == 0) }},
	{"fingerprint", "?", func(n *store.NewSession) any { return orNull(n.Fingerprint[:], n.Fingerprint == store.Digest{}) }},
	{"live", "?", func(n *store.NewSession) any { return orNull(n.Live[:], n.Live == store.Digest{}) }},
	{"methods", "?", func(n *store.NewSession) any {
		return orNull([]byte(strings.Join(n.Methods, ",")), len(n.Methods) == 0)
	}},
	{"actor", "?", func(n *store.NewSession) any { return orNull([]byte(n.Actor), n.Actor == "") }},
	{"actor_session", "?", func(n *store.NewSession) any { return orNull(n.ActorSession[:], n.ActorSession.IsZero()) }},
	{"external_id", "?", func(n *store.NewSession) any { return orNull([]byte(n.ExternalID), n.ExternalID == "") }},
	{"client", "?", func(n *store.NewSession) any { return orNull([]byte(n.Client), n.Client == "") }},
	{"data", "?", func(n *store.NewSession) any { return dataParameter(n.Data) }},
}

// flag is a parameter for a column that is 0 or 1. Not every driver takes a bool for it.
func flag(set bool) int {
	if set {
		return 1
	}
	return 0
}

// insertCreated is the part of the INSERT that names the columns and their values.
var insertCreated = func() string {
	var names, values []string
	for _, c := range createdColumns {
		names, values = append(names, c.name), append(values, c.value)
	}
	return "(" + strings.Join(names, ", ") + ")\nSELECT " + strings.Join(values, ", ")
}()

// createdArgs returns the parameters of insertCreated.
func createdArgs(n *store.NewSession) (args []any) {
	for _, c := range createdColumns {
		if c.arg != nil {
			args = append(args, c.arg(n))
		}
	}
	return args
}

// record returns the row as a Record. A row that this package cannot have written
// is an error: if it were partly understood, it could let somebody in, or make an
// honest user look like a thief. userText reads the column user_id.
func (r *sessionRow) record(userText func([]byte) (string, error)) (*store.Record, error) {
	userID, err := userText(r.userID)
	if err != nil {
		return nil, err
	}
	rec := &store.Record{
		UserID:      userID,
		UserEpoch:   r.userEpoch.V,
		GlobalEpoch: r.globalEpoch.V,
		Generation:  r.generation.V,
		ConfirmedAt: fromMicros(r.confirmedAt),
		LateAt:      fromMicros(r.lateAt),
		LateBefore:  fromMicros(r.lateBefore),
		CreatedAt:   fromMicros(r.createdAt),
		AuthTime:    fromMicros(r.authTime),
		EndsAt:      fromMicros(r.endsAt),
		Reload:      r.reload.V,
		RevokedAt:   fromMicros(r.revokedAt),
		Reason:      store.Reason(r.reason),
		UserAgent:   string(r.userAgent),
		IP:          string(r.ip),

		NonInteractive: r.nonInteractive.V,
		IdleTimeout:    time.Duration(r.idleTimeout.V) * time.Microsecond,
	}
	if rec.ID, err = sessionID(r.id); err != nil {
		return nil, err
	}
	if len(r.confirmed) != len(rec.Confirmed) {
		return nil, errDigest
	}
	for _, d := range []struct {
		column []byte
		dest   *store.Digest
	}{{r.confirmed, &rec.Confirmed}, {r.previous, &rec.Previous}, {r.fingerprint, &rec.Fingerprint}, {r.live, &rec.Live}} {
		if d.column != nil && len(d.column) != len(d.dest) {
			return nil, errDigest
		}
		copy(d.dest[:], d.column)
	}
	rec.Facts, err = r.facts()
	return rec, err
}

var errDigest = errors.New("a digest is not 32 bytes long: another program wrote to the table")

func sessionID(column []byte) (store.ID, error) {
	var id store.ID
	if len(column) != len(id) {
		return id, errors.New("a session id is not 16 bytes long: another program wrote to the table")
	}
	copy(id[:], column)
	return id, nil
}

// fromMicros converts a time from the database, see syntax.now. NULL becomes the
// zero Time.
func fromMicros(micros sql.Null[int64]) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	return time.UnixMicro(micros.V).UTC()
}

// userRow receives what Find reads from the app's row.
type userRow struct {
	exists   sql.Null[bool]
	epoch    sql.Null[uint64]
	disabled sql.Null[bool]
	roles    sql.NullString
	attrs    []sql.NullString // one for each of names.attrs
}

func (r *userRow) dest() []any {
	dest := []any{&r.exists, &r.epoch, &r.disabled, &r.roles}
	for i := range r.attrs {
		dest = append(dest, &r.attrs[i])
	}
	return dest
}

func (r *userRow) user(n names) (store.User, error) {
	if !r.exists.V {
		return store.User{Disabled: true, Gone: true}, nil
	}
	if !r.epoch.Valid {
		// NULL + 1 is NULL: if NULL were read as 0, raising the epoch would end no
		// session.
		return store.User{}, errors.New("the user's epoch (Config.Epoch) is NULL: declare the column NOT NULL DEFAULT 1")
	}
	roles, err := parseRoles(r.roles.String)
	if err != nil {
		return store.User{}, err
	}
	user := store.User{Epoch: r.epoch.V, Disabled: r.disabled.V, Roles: roles}
	for i, value := range r.attrs {
		if !value.Valid {
			continue
		}
		if user.Attrs == nil {
			user.Attrs = make(map[string]string, len(r.attrs))
		}
		user.Attrs[n.attrNames[i]] = value.String
	}
	return user, nil
}

// parseRoles reads a JSON array of strings or a list separated by commas. It refuses
// any other text, because a part of it could grant too much.
func parseRoles(value string) ([]string, error) {
	value = strings.TrimSpace(value)
	if value == "" || value == "null" { // null in a JSON column
		return nil, nil
	}
	var roles []string
	if strings.HasPrefix(value, "[") {
		if err := json.Unmarshal([]byte(value), &roles); err != nil {
			return nil, errRoles
		}
	} else {
		for role := range strings.SplitSeq(value, ",") {
			roles = append(roles, strings.TrimSpace(role))
		}
		if strings.ContainsAny(value, "[]{}\"'\x00\r\n\t") {
			return nil, errRoles
		}
	}
	if slices.Contains(roles, "") { // a null in a JSON array becomes "" as well
		return nil, errRoles
	}
	return roles, nil
}

// errRoles does not quote the roles: it reaches logs, and roles are personal data.
var errRoles = errors.New("a user's roles (Config.Roles) are neither a JSON array of names nor names separated by commas")
