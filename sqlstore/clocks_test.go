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

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// clockApp is an app with one database connection, in some time zone, whose clock the
// test sets.
type clockApp struct{ app }

// summerZone is a time zone whose summer time begins and ends within the hours of a
// test.
const summerZone = "Test/Summer"

func addSummerZone(t *testing.T, root app, begins, ends time.Time) {
	t.Helper()
	root.exec(t, "INSERT INTO mysql.time_zone (Use_leap_seconds) VALUES ('N')")
	root.exec(t, "SET @zone = LAST_INSERT_ID()")
	root.exec(t, "INSERT INTO mysql.time_zone_name VALUES (?, @zone)", summerZone)
	root.exec(t, "INSERT INTO mysql.time_zone_transition_type VALUES (@zone, 0, 3600, 0, 'WT'), (@zone, 1, 7200, 1, 'ST')")
	root.exec(t, "INSERT INTO mysql.time_zone_transition VALUES (@zone, 0, 0), (@zone, ?, 1), (@zone, ?, 0)", begins.Unix(), ends.Unix())
}

// setClock stops the database's clock at a time.
func (a clockApp) setClock(t *testing.T, now time.Time) {
	t.Helper()
	a.exec(t, fmt.Sprintf("SET SESSION timestamp = %.6f", float64(now.UnixMicro())/1e6))
}

func openClockApp(t *testing.T, dsn, zone string) clockApp {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	a := clockApp{app{db: db}}
	a.exec(t, "SET SESSION time_zone = ?", zone)
	a.Store = newStore(t, db, sqlstore.Config{})
	return a
}

// jar holds the refresh cookie and never drops it by age. It does not hold the access
// cookie, so that every request asks the store, as after AccessTTL.
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
		case strings.Contains(c.Name, "refresh-"):
			j[c.Name] = c
		}
	}
}

// A session ends to the second by the database's clock, in every time zone, across
// changes of summer time, and although the node's clock is wrong. The test shifts the
// database's clock by an hour each way, which equals a wrong clock of the node.
func TestManager_SessionLifeDependsOnTheDatabaseClockOnly(t *testing.T) {
	server := dbtest.Start(t)
	dsn := server.Database(t, "interpolateParams=true")
	root := appOn(t, dsn, integerUsers, sqlstore.Config{})
	root.setUser(t, 1, store.User{})
	root.db.SetMaxOpenConns(1)
	zones := []string{"+00:00", "+09:00", "-08:00", summerZone}
	start := time.Now().Truncate(time.Second)
	addSummerZone(t, root, start.Add(3*time.Hour), start.Add(9*time.Hour))

	const idle, absolute = 30 * time.Minute, 12 * time.Hour
	// The times of the requests after the login. A life in ends ends with its last
	// request.
	busy := []time.Duration{} // a request every 25 minutes, until the absolute end
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
		a := openClockApp(t, dsn, zone)
		var inZone string
		a.setClock(t, start.Add(4*time.Hour))
		if err := a.db.QueryRowContext(t.Context(), "SELECT TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), NOW())").Scan(&inZone); err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"+00:00": "0", "+09:00": "540", "-08:00": "-480", summerZone: "120"}[zone]; inZone != want {
			t.Fatalf("in %s the local time of the database is %s minutes ahead; want %s", zone, inZone, want)
		}
		for _, shift := range []time.Duration{-time.Hour, 0, time.Hour} {
			for life, times := range lives {
				sessions, err := session.New(mustKeys(t), a.Store, session.Config{AbsoluteTimeout: absolute, IdleTimeout: idle})
				if err != nil {
					t.Fatal(err)
				}
				login := start.Add(shift)
				a.setClock(t, login)
				j := jar{}
				v, err := sessions.Issue(j.request(), session.Login{UserID: "1"})
				if err != nil {
					t.Fatal(err)
				}
				j.keep(v)
				for i, at := range times {
					a.setClock(t, login.Add(at))
					v, err := sessions.Authenticate(j.request())
					j.keep(v)
					requests++
					last := i == len(times)-1
					if over := errors.Is(err, session.ErrUnauthenticated); err != nil && !over || over != (last && ends[life]) {
						t.Fatalf("%s, clocks %v apart, %s: %v after the login: %v", zone, shift, life, at, err)
					}
				}
			}
		}
	}
	if requests == 0 {
		t.Fatal("no request was made")
	}
	t.Logf("%d requests in %d time zones with clocks up to an hour apart", requests, len(zones))
}

// Connections in different time zones read the same times, to the microsecond.
func TestStore_TimesDoNotDependOnTheTimeZone(t *testing.T) {
	server := dbtest.Start(t)
	dsn := server.Database(t)
	root := appOn(t, dsn, integerUsers, sqlstore.Config{})
	root.setUser(t, 1, store.User{})
	root.db.SetMaxOpenConns(1)
	start := time.Now().Truncate(time.Microsecond).UTC()
	summer := start.Add(time.Hour).Truncate(time.Second)
	addSummerZone(t, root, summer, summer.Add(time.Hour))
	var apps []clockApp
	for _, zone := range []string{"+00:00", "+09:00", "-08:00", summerZone} {
		apps = append(apps, openClockApp(t, dsn, zone))
	}
	read := 0
	// Both changes of summer time: an hour of local time that does not exist, and one
	// that exists twice.
	for at := -time.Minute; at < 4*time.Hour; at += 7 * time.Minute {
		now := start.Add(at)
		for i, writer := range apps {
			writer.setClock(t, now)
			id := newID()
			if err := writer.Create(t.Context(), store.NewSession{ID: id, UserID: "1", Confirmed: newDigest(), Lifetime: 12 * time.Hour, RetainFor: time.Hour}); err != nil {
				t.Fatal(err)
			}
			for k, reader := range apps {
				reader.setClock(t, now)
				snap, err := reader.Find(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				read++
				row := snap.Record
				if !snap.Now.Equal(now) || !row.CreatedAt.Equal(now) || !row.AuthTime.Equal(now) || !row.ConfirmedAt.Equal(now) || !row.EndsAt.Equal(now.Add(12*time.Hour)) {
					t.Fatalf("%v: written in zone %d, read in zone %d: now %v, created %v, ends %v", now, i, k, snap.Now, row.CreatedAt, row.EndsAt)
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
