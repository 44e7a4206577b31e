package nodes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// TestALaterReleaseUpgradesTheTableUnderLoad replaces the nodes one after the other by
// nodes of an invented later release, whose schema has one column more. Nodes of both
// releases serve requests side by side, and nobody is logged out.
func TestALaterReleaseUpgradesTheTableUnderLoad(t *testing.T) {
	const (
		sessions = 50
		ttl      = 3 * time.Second
	)
	seed := nodetest.NewSeed(t)
	later := laterRelease(t)
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   nodetest.Database(t),
		Nodes: []time.Duration{ttl, ttl},
	})
	dbtest.Suite(t, c.DB.DB, "two nodes: an upgrade under load")
	s := &surfing{t: t, c: c, browsers: c.LoginAll(c.AddUsers(sessions, "surfer", "[]"), c.Front)}
	stop := s.begin(seed)
	for i, n := range c.Nodes {
		time.Sleep(ttl)
		n.TakeOut()
		n.Terminate(t)
		n.StartProgram(t, later)
		var version int
		if err := c.DB.QueryRow("SELECT schema_version FROM sessions_epoch").Scan(&version); err != nil || version != 2 {
			t.Errorf("after node %d: version %d, %v; want 2", i, version, err)
		}
		time.Sleep(2 * ttl) // each session refreshes
	}
	stop()
	s.allLoggedIn()
	var notes int
	if err := c.DB.QueryRow("SELECT COUNT(note) FROM sessions").Scan(&notes); err != nil || notes != 0 {
		t.Errorf("the new column: %d values, %v", notes, err)
	}
	if n := nodetest.Total(c.Events("ended")) + nodetest.Total(c.Events("reuse")); n > 0 {
		t.Errorf("%d ended or reuse events; want none", n)
	}
	// A request that a node has when it ends may be broken, as at every roll-out.
	if s.unavailable.Load() > 0 {
		t.Errorf("%v; want none unavailable", s)
	}
	t.Logf("%d nodes replaced: %v", len(c.Nodes), s)
	c.NoPanics()
}

// laterRelease builds the example with a package sqlstore whose schema has another column.
func laterRelease(t *testing.T) (program string) {
	t.Helper()
	example, err := nodetest.Dir()
	if err != nil {
		t.Fatal(err)
	}
	dir, replace := t.TempDir(), map[string]string{}
	for name, change := range map[string][2]string{
		"upgrade.go":   {"var addedColumns [][]string\n", "var addedColumns = [][]string{{\"note\"}}\n"},
		"mysql.sql":    {"\tlate_before ", "\tnote VARBINARY(9) NULL,\n\tlate_before "},
		"postgres.sql": {"\tlate_before ", "\tnote BYTEA NULL,\n\tlate_before "},
	} {
		file := filepath.Join(filepath.Dir(example), "sqlstore", name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), change[0]); n != 1 {
			t.Fatalf("%s has %q %d times; want once", name, change[0], n)
		}
		replace[file] = filepath.Join(dir, name)
		if err := os.WriteFile(replace[file], []byte(strings.Replace(string(text), change[0], change[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "example")
	if err := nodetest.Build(program, "-overlay", filepath.Join(dir, "overlay.json")); err != nil {
		t.Fatal(err)
	}
	return program
}
