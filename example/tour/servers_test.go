package main

import (
	"errors"
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/internal/dbtest"
)

// databaseOf returns what the flags would: an empty database of a server for the subtests of
// TestTour_OnServers, and else an SQLite file.
func databaseOf(t *testing.T) (file, mysql, postgres string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "tour.db")
	switch {
	case strings.HasPrefix(t.Name(), "TestTour_OnServers/mysql/"):
		mysql = dbtest.Database(t)
	case strings.HasPrefix(t.Name(), "TestTour_OnServers/postgres/"):
		postgres = dbtest.PostgresDatabase(t)
	}
	return file, mysql, postgres
}

// The statements of the app's own tables mean the same on each database.
func TestTour_OnServers(t *testing.T) {
	for _, dialect := range []string{"mysql", "postgres"} {
		t.Run(dialect, func(t *testing.T) {
			for name, test := range map[string]func(*testing.T){
				"a second factor":         TestFactor_OpensTheVault,
				"limited guesses":         TestFactor_GuessesAreLimited,
				"guesses at once":         TestFactor_RequestsAtOnceHaveNoMoreTries,
				"a code once":             TestFactor_ACodeCountsOnceAlsoAtOnce,
				"a recent login":          TestFactor_ASetupNeedsARecentLoginAndItsOwnSecret,
				"a confirmed secret":      TestFactors_RenewKeepsWhatIsConfirmed,
				"a switch":                TestTenant_ASwitchShowsOtherNotes,
				"a foreign tenant":        TestTenant_AForeignOneIsRefused,
				"a tenant that was left":  TestTenant_AUserWhoHasLeftSeesNothing,
				"an administrator":        TestPeople_AnAdministratorActsAsAUserAndComesBack,
				"who acts":                TestPeople_NobodyElseActs,
				"an address that is none": TestLogin_AnAddressThatIsNoneIsRefused,
				"a theft":                 TestAudit_TellsATheft,
				"a ban":                   TestAudit_TellsABan,
				"an outage":               TestAudit_TellsAnOutage,
				"a key rotation":          TestAudit_TellsAKeyRotation,
				"a new device":            TestAudit_NewDevicesAreMailed,
				"a database that is down": TestPages_ADatabaseThatIsDownIsTold,
			} {
				t.Run(name, test)
			}
		})
	}
}

// PostgreSQL takes no text with a zero byte or with faulty UTF-8, and MySQL takes 1x for 1.
func TestLogin_AnAddressThatIsNoneIsRefused(t *testing.T) {
	_, tour := inProcess(t)
	for _, email := range []string{"ada@example.com\x00", "ada\xff@example.com", "' OR ''='"} {
		tour.browser().post("/login", "email", email, "password", "ada-demo-password").shows(401, "is wrong")
	}
	grace := tour.grace()
	for _, id := range []string{"1x", "+1", "01", " 1", "one", "\x00", ""} {
		grace.post("/people/act", "user", id)
		if w := grace.who(); w.Actor != "" {
			t.Errorf("she acts as user %s, of the form's %q", w.UserID, id)
		}
	}
	for _, tenant := range []string{"north\x00", "north\xff"} {
		grace.post("/tenant", "tenant", tenant).shows(403)
	}
}

// Every user of the machine can read a flag in the list of processes.
func TestParseFlags_TakesTheDSNFromTheEnvironment(t *testing.T) {
	for _, c := range []struct{ variable, flag, value, wantMySQL, wantPostgres string }{
		{variable: "SESSION_MYSQL", wantMySQL: "the secret"},
		{variable: "SESSION_POSTGRES", wantPostgres: "the secret"},
		{variable: "SESSION_MYSQL", flag: "-mysql", value: "other", wantMySQL: "other"},
		{variable: "SESSION_MYSQL", flag: "-postgres", value: "other", wantPostgres: "other"},
	} {
		t.Setenv("SESSION_MYSQL", "")
		t.Setenv("SESSION_POSTGRES", "")
		t.Setenv(c.variable, "the secret")
		parse := func(args ...string) (options, string, error) {
			var help strings.Builder
			flags := flag.NewFlagSet("tour", flag.ContinueOnError)
			flags.SetOutput(&help)
			opts, err := parseFlags(flags, args)
			return opts, help.String(), err
		}
		var args []string
		if c.flag != "" {
			args = []string{c.flag, c.value}
		}
		if opts, _, err := parse(args...); err != nil || opts.mysql != c.wantMySQL || opts.postgres != c.wantPostgres {
			t.Errorf("%s, %q: DSNs %q and %q, error %v; want %q and %q", c.variable, args, opts.mysql, opts.postgres, err, c.wantMySQL, c.wantPostgres)
		}
		if _, help, err := parse("-h"); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help, c.variable) || strings.Contains(help, "the secret") {
			t.Errorf("-h: %v, and it prints:\n%s", err, help)
		}
	}
}
