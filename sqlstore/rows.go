package sqlstore

import (
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// sessionRow receives recordColumns. All may be NULL: Find joins from the left.
type sessionRow struct {
	id, userID, confirmed, previous                     []byte
	userEpoch, globalEpoch, generation, reload          sql.Null[uint64]
	confirmedAt, createdAt, authTime, endsAt, revokedAt sql.Null[int64]
	reason, userAgent, ip                               []byte
}

func (r *sessionRow) dest() []any {
	return []any{&r.id, &r.userID, &r.userEpoch, &r.globalEpoch, &r.generation, &r.confirmed, &r.previous,
		&r.confirmedAt, &r.createdAt, &r.authTime, &r.endsAt, &r.reload, &r.revokedAt, &r.reason,
		&r.userAgent, &r.ip}
}

func (r *sessionRow) record(kind IDKind) (*session.Record, error) {
	userID, err := kind.text(r.userID)
	if err != nil {
		return nil, err
	}
	rec := &session.Record{
		UserID:      userID,
		UserEpoch:   r.userEpoch.V,
		GlobalEpoch: r.globalEpoch.V,
		Generation:  r.generation.V,
		ConfirmedAt: moment(r.confirmedAt),
		CreatedAt:   moment(r.createdAt),
		AuthTime:    moment(r.authTime),
		EndsAt:      moment(r.endsAt),
		Reload:      r.reload.V,
		RevokedAt:   moment(r.revokedAt),
		Reason:      session.Reason(r.reason),
		UserAgent:   string(r.userAgent),
		IP:          string(r.ip),
	}
	if rec.ID, err = sessionID(r.id); err != nil {
		return nil, err
	}
	if len(r.confirmed) != len(rec.Confirmed) || r.previous != nil && len(r.previous) != len(rec.Previous) {
		return nil, errors.New("sqlstore: a digest is not 32 bytes long: the sessions table was written by someone else")
	}
	copy(rec.Confirmed[:], r.confirmed)
	copy(rec.Previous[:], r.previous)
	return rec, nil
}

func sessionID(column []byte) (session.ID, error) {
	var id session.ID
	if len(column) != len(id) {
		return id, errors.New("sqlstore: a session id is not 16 bytes long: the sessions table was written by someone else")
	}
	copy(id[:], column)
	return id, nil
}

// moment makes a time of what traits.now counts. NULL is the zero Time.
func moment(micros sql.Null[int64]) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	return time.UnixMicro(micros.V).UTC()
}

// userRow receives what Find reads of the app's row.
type userRow struct {
	there    sql.Null[bool]
	epoch    sql.Null[uint64]
	disabled sql.Null[bool]
	roles    sql.NullString
	attrs    []sql.NullString // one for each of names.attrs
}

func (r *userRow) dest() []any {
	dest := []any{&r.there, &r.epoch, &r.disabled, &r.roles}
	for i := range r.attrs {
		dest = append(dest, &r.attrs[i])
	}
	return dest
}

func (r *userRow) user(n names) (session.User, error) {
	if !r.there.V {
		return session.User{Disabled: true}, nil
	}
	if !r.epoch.Valid {
		// Taken for 0 it would never move: NULL + 1 is NULL.
		return session.User{}, errors.New("sqlstore: the user's epoch (Config.Epoch) is NULL: declare the column NOT NULL DEFAULT 1")
	}
	roles, err := parseRoles(r.roles.String)
	if err != nil {
		return session.User{}, err
	}
	user := session.User{Epoch: r.epoch.V, Disabled: r.disabled.V, Roles: roles}
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

// parseRoles reads a JSON array of strings or a comma-separated list. A value
// that is neither is refused: half understood, it might grant too much.
func parseRoles(value string) ([]string, error) {
	value = strings.TrimSpace(value)
	if value == "" || value == "null" { // JSON's null in a JSON column
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
	if slices.Contains(roles, "") { // a JSON null too
		return nil, errRoles
	}
	return roles, nil
}

// errRoles quotes none: it reaches logs, and they are somebody's.
var errRoles = errors.New("sqlstore: a user's roles (Config.Roles) are neither a JSON array of names nor names separated by commas")
