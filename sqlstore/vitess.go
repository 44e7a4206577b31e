package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A keyspace of Vitess with shards holds a user's sessions on the shard of the user. A
// lookup table finds the shard of a session id: without it every refresh would ask all
// shards, and one that has stopped would stop all refreshes. The epoch row lies on one of
// the shards. A device login lies on the shard of its id, and its user code is looked for on
// all of them. No index spans all shards: see Store.createDevice. What vtgate needs to know
// of all this is the vschema, which Migrate checks and prints.

// idsSuffix ends the name of the lookup table.
const idsSuffix = "_ids"

// checkVitess checks the vschema of the kit's tables. On any other server it finds nothing.
func checkVitess(ctx context.Context, s *Store) (faults []error, err error) {
	var keyspace, version string
	if err := s.queryRow(ctx, "SELECT COALESCE(DATABASE(), ''), CONCAT(VERSION(), ' ', @@version_comment)").Scan(&keyspace, &version); err != nil {
		return nil, fmt.Errorf("reading the server's version: %w", err)
	}
	if !isVitess(version) {
		return nil, nil
	}
	// A driver that interpolates sends no parameters.
	var exact bool
	if err := s.queryRow(ctx, "SELECT ? = 9223372036854775808", uint64(1<<63)).Scan(&exact); err != nil {
		return nil, fmt.Errorf("comparing a large number: %w", err)
	}
	if !exact {
		return []error{errors.New("large parameters of prepared statements reach Vitess as negative numbers: add interpolateParams=true to the DSN")}, nil
	}
	sharded := map[string]bool{}
	if err := s.query(ctx, "SHOW VSCHEMA KEYSPACES", nil, func(scan scanRow) error {
		var name, isSharded, foreignKeys, fault string
		err := scan(&name, &isSharded, &foreignKeys, &fault)
		sharded[name] = isSharded == "true"
		return err
	}); err != nil {
		return nil, fmt.Errorf("reading the keyspaces: %w", err)
	}
	in := func(t table) table {
		if t.schema == "" {
			t.schema, t.sql = keyspace, s.dialect.quote(keyspace)+"."+t.sql
		}
		return t
	}
	users, sessions, devices, epochs := in(s.names.users), in(s.names.sessions), in(s.names.devices), in(s.names.epochs)
	if !sharded[sessions.schema] {
		return nil, nil
	}
	s.sharded.Store(true)
	ids := table{sessions.schema, sessions.name + idsSuffix, s.dialect.quote(sessions.schema) + "." + s.dialect.quote(sessions.name+idsSuffix)}
	has := map[table][]vindex{}
	for _, t := range []table{users, sessions, devices, epochs, ids} {
		if has[t], err = s.vindexes(ctx, t); err != nil {
			return nil, fmt.Errorf("reading the vindexes of %s: %w", t, err)
		}
	}

	var run []string
	add := func(t table, v vindex) { run = append(run, "ALTER VSCHEMA ON "+t.sql+" ADD VINDEX "+v.String()) }
	byUser := vindex{s.names.id, "xxhash", "xxhash", ""}
	if v := has[users]; len(v) > 0 && strings.EqualFold(v[0].column, s.names.id) {
		byUser = v[0]
	} else if len(v) == 0 && sharded[users.schema] {
		add(users, byUser)
	}
	byUser.column = "user_id"
	byID := vindex{"id", "xxhash", "xxhash", ""}
	for _, t := range []table{epochs, devices} {
		if len(has[t]) == 0 {
			add(t, byID)
		}
	}
	if len(has[ids]) == 0 {
		run = append(run, "CREATE TABLE IF NOT EXISTS "+ids.sql+" (id BINARY(16) NOT NULL PRIMARY KEY, keyspace_id VARBINARY(16) NOT NULL)")
		add(ids, byID)
	}
	v := has[sessions]
	if len(v) == 0 {
		add(sessions, byUser)
		v = []vindex{byUser}
	}
	if v[0].column != byUser.column || v[0].kind != byUser.kind {
		return []error{fmt.Errorf("the vschema places the rows of %s by %s: place them as those of the users, by the vindex %s", sessions, v[0], byUser)}, nil
	}
	if !slices.ContainsFunc(v, func(v vindex) bool { return v.column == "id" }) {
		add(sessions, vindex{"id", ids.name, "consistent_lookup_unique", fmt.Sprintf(
			" WITH owner=%s, table=%s, from=id, to=keyspace_id", s.dialect.quote(sessions.name), s.dialect.quote(ids.schema+"."+ids.name))})
	}
	if len(run) > 0 {
		faults = append(faults, fmt.Errorf("the vschema of the keyspace %s does not say on which shard a session is found: run these statements through vtgate, "+
			"or the ALTER VSCHEMA with vtctldclient ApplyVSchema --sql, and start again\n\t%s;", sessions.schema, strings.Join(run, ";\n\t")))
	}
	return faults, nil
}

func isVitess(version string) bool {
	version = strings.ToLower(version)
	return strings.Contains(version, "vitess") || strings.Contains(version, "git revision")
}

// vindex is how a table finds the shard of a row by a column.
type vindex struct{ column, name, kind, params string }

func (v vindex) String() string {
	return fmt.Sprintf("`%s` (`%s`) USING `%s`%s", v.name, v.column, v.kind, v.params)
}

// vindexes returns what decides where the rows of a table lie, the first one before all
// others: nothing if the vschema does not know the table.
func (s *Store) vindexes(ctx context.Context, t table) (vindexes []vindex, err error) {
	err = s.query(ctx, "SHOW VSCHEMA VINDEXES ON "+t.sql, nil, func(scan scanRow) error {
		var v vindex
		var owner string
		err := scan(&v.column, &v.name, &v.kind, &v.params, &owner)
		if v.params != "" {
			v.params = " WITH " + strings.ReplaceAll(v.params, "; ", ", ")
		}
		vindexes = append(vindexes, v)
		return err
	})
	if err != nil && strings.Contains(err.Error(), "VT05005") {
		return nil, nil
	}
	return vindexes, err
}
