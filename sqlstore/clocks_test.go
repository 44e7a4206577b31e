package sqlstore_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

// A wall is an app whose database has one connection, in a time zone, and whose
// clock the test sets.
type wall struct{ app }

// summer is a time zone with a summer time of its own, which begins and ends
// within the hours of the test.
const summer = "Test/Summer"

func addSummer(t *testing.T, root app, begins, ends time.Time) {
	t.Helper()
	root.exec(t, "INSERT INTO mysql.time_zone (Use_leap_seconds) VALUES ('N')")
	root.exec(t, "SET @zone = LAST_INSERT_ID()")
	root.exec(t, "INSERT INTO mysql.time_zone_name VALUES (?, @zone)", summer)
	root.exec(t, "INSERT INTO mysql.time_zone_transition_type VALUES (@zone, 0, 3600, 0, 'WT'), (@zone, 1, 7200, 1, 'ST')")
	root.exec(t, "INSERT INTO mysql.time_zone_transition VALUES (@zone, 0, 0), (@zone, ?, 1), (@zone, ?, 0)", begins.Unix(), ends.Unix())
}

// set sets the database's clock, where it stands still.
func (w wall) set(t *testing.T, now time.Time) {
	t.Helper()
	w.exec(t, fmt.Sprintf("SET SESSION timestamp = %.6f", float64(now.UnixMicro())/1e6))
}

func openWall(t *testing.T, dsn, zone string) wall {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	w := wall{app{db: db}}
	w.exec(t, "SET SESSION time_zone = ?", zone)
	w.Store = newStore(t, db, sqlstore.Config{})
	return w
}

// jar holds the refresh cookie, whatever its age. The access cookie, which a node
// judges by its own clock, has run out by each next request.
type jar map[string]*http.Cookie

func (j jar) request() *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	for _, c := range j {
		r.AddCookie(c)
	}
	return r
}

func (j jar) keep(v session.Verdict) {
	for _, c := range v.Cookies {
		switch {
		case c.MaxAge < 0:
			delete(j, c.Name)
		case strings.HasSuffix(c.Name, "refresh"):
			j[c.Name] = c
		}
	}
}

// A session ends when the database's clock says so: to the second, in every time
// zone, over the changes of summer time, and however wrong the node's own clock
// is. What differs between the runs is the database's clock, by an hour each
// way, which is the same as the node's being wrong.
func TestASessionsLifeDependsOnTheDatabasesClockAlone(t *testing.T) {
	server := mysqltest.Start(t)
	dsn := server.Database(t, "interpolateParams=true")
	root := appOn(t, dsn, integerUsers, sqlstore.Config{})
	root.setUser(t, 1, session.User{})
	root.db.SetMaxOpenConns(1)
	zones := []string{"+00:00", "+09:00", "-08:00", summer}
	start := time.Now().Truncate(time.Second)
	addSummer(t, root, start.Add(3*time.Hour), start.Add(9*time.Hour))

	const idle, absolute = 30 * time.Minute, 12 * time.Hour
	// What the database's clock shows after the login, and whether the session is
	// good then.
	busy := []time.Duration{} // a request every 25 minutes: the absolute end decides
	for at := 25 * time.Minute; at < absolute; at += 25 * time.Minute {
		busy = append(busy, at)
	}
	lives := map[string][]time.Duration{
		"idle":      {idle - time.Second, 2*idle - 2*time.Second},
		"idle end":  {idle - time.Second, 2 * idle},
		"busy":      append(slices.Clone(busy), absolute-time.Second),
		"busy end":  append(slices.Clone(busy), absolute),
		"summer on": append(slices.Clone(busy[:7]), 3*time.Hour+20*time.Minute, 3*time.Hour+49*time.Minute),
	}
	ends := map[string]bool{"idle end": true, "busy end": true}

	requests := 0
	for _, zone := range zones {
		w := openWall(t, dsn, zone)
		var inZone string
		w.set(t, start.Add(4*time.Hour))
		if err := w.db.QueryRowContext(t.Context(), "SELECT TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), NOW())").Scan(&inZone); err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"+00:00": "0", "+09:00": "540", "-08:00": "-480", summer: "120"}[zone]; inZone != want {
			t.Fatalf("in %s the database's own time is %s minutes ahead; want %s", zone, inZone, want)
		}
		for _, wrong := range []time.Duration{-time.Hour, 0, time.Hour} {
			for life, clock := range lives {
				sessions, err := session.New(mustKeys(t), w.Store, session.Config{AbsoluteTimeout: absolute, IdleTimeout: idle})
				if err != nil {
					t.Fatal(err)
				}
				login := start.Add(wrong)
				w.set(t, login)
				j := jar{}
				v, err := sessions.Issue(j.request(), session.Login{UserID: "1"})
				if err != nil {
					t.Fatal(err)
				}
				j.keep(v)
				for i, at := range clock {
					w.set(t, login.Add(at))
					v, err := sessions.Authenticate(j.request())
					j.keep(v)
					requests++
					last := i == len(clock)-1
					if out := errors.Is(err, session.ErrUnauthenticated); err != nil && !out || out != (last && ends[life]) {
						t.Fatalf("%s, the clocks %v apart, %s: %v after the login: %v", zone, wrong, life, at, err)
					}
				}
			}
		}
	}
	if requests == 0 {
		t.Fatal("nothing was asked")
	}
	t.Logf("%d requests in %d time zones with clocks up to an hour apart: each session ended when the database said so", requests, len(zones))
}

// Two connections in different zones see the same row, to the microsecond.
func TestTimeZonesReadTheSameTimes(t *testing.T) {
	server := mysqltest.Start(t)
	dsn := server.Database(t)
	root := appOn(t, dsn, integerUsers, sqlstore.Config{})
	root.setUser(t, 1, session.User{})
	root.db.SetMaxOpenConns(1)
	start := time.Now().Truncate(time.Microsecond).UTC()
	change := start.Add(time.Hour).Truncate(time.Second)
	addSummer(t, root, change, change.Add(time.Hour))
	var walls []wall
	for _, zone := range []string{"+00:00", "+09:00", "-08:00", summer} {
		walls = append(walls, openWall(t, dsn, zone))
	}
	read := 0
	// Around both changes of summer time: an hour that does not exist, and one
	// that comes twice.
	for at := -time.Minute; at < 4*time.Hour; at += 7 * time.Minute {
		now := start.Add(at)
		for i, writer := range walls {
			writer.set(t, now)
			id := newID()
			if err := writer.Create(t.Context(), session.NewSession{ID: id, UserID: "1", Confirmed: newDigest(), Lifetime: 12 * time.Hour, KeepFor: time.Hour}); err != nil {
				t.Fatal(err)
			}
			for k, reader := range walls {
				reader.set(t, now)
				snap, err := reader.Find(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				read++
				row := snap.Record
				if !snap.Now.Equal(now) || !row.CreatedAt.Equal(now) || !row.AuthTime.Equal(now) || !row.ConfirmedAt.Equal(now) || !row.EndsAt.Equal(now.Add(12*time.Hour)) {
					t.Fatalf("%v: written by %d, %d read now %v, created %v, end %v", now, i, k, snap.Now, row.CreatedAt, row.EndsAt)
				}
			}
		}
	}
	t.Logf("%d rows written in one time zone and read in another", read)
}

func mustKeys(t *testing.T) session.Keys {
	t.Helper()
	keys, err := session.ParseKeys(strings.TrimSpace(session.GenerateKey()))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
