package sessiontest_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// A clone is an independent jar.
func TestJar_ClonesShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var jar sessiontest.Jar
		for _, line := range []string{"a=1; Max-Age=60", "b=2"} {
			if err := set(t, &jar, https, line); err != nil {
				t.Fatal(err)
			}
		}
		clone, hoard := jar.Clone(), jar.CloneIgnoringExpiry()
		again := hoard.Clone()
		jar.Delete(func(name string) bool { return name == "b" })
		_ = set(t, &jar, https, "c=3")
		_ = set(t, clone, https, "d=4")
		for _, c := range []struct {
			name string
			jar  *sessiontest.Jar
			want string
		}{{"the jar", &jar, "a=1; c=3"}, {"the clone", clone, "a=1; b=2; d=4"}, {"the hoard", hoard, "a=1; b=2"}} {
			if got := sent(t, c.jar, https); got != c.want {
				t.Errorf("%s sends %q; want %q", c.name, got, c.want)
			}
		}
		time.Sleep(365 * 24 * time.Hour)
		for _, c := range []struct {
			name string
			jar  *sessiontest.Jar
			want string
		}{{"the jar", &jar, "c=3"}, {"the clone", clone, "b=2; d=4"}, {"the hoard", hoard, "a=1; b=2"}, {"the hoard's clone", again, "a=1; b=2"}} {
			if got := sent(t, c.jar, https); got != c.want {
				t.Errorf("a year later %s sends %q; want %q", c.name, got, c.want)
			}
		}
	})
}

// A client that ignores expiry still obeys a deletion.
func TestJar_DeletionRemovesExpiredCookiesToo(t *testing.T) {
	for _, line := range []string{"a=; Max-Age=0", "a=; Expires=Sat, 01 Jan 2000 00:00:00 GMT"} {
		var jar sessiontest.Jar
		if err := set(t, &jar, https, "a=1; Max-Age=60"); err != nil {
			t.Fatal(err)
		}
		hoard := jar.CloneIgnoringExpiry()
		if err := set(t, hoard, https, line); err != nil {
			t.Fatal(err)
		}
		if got := sent(t, hoard, https); got != "" {
			t.Errorf("%q: the hoard sends %q", line, got)
		}
	}
}

func TestJar_DeleteRemovesWhatMatches(t *testing.T) {
	var jar sessiontest.Jar
	for _, line := range []string{"a=1", "a=2; Path=/x", "b=3"} {
		if err := set(t, &jar, https, line); err != nil {
			t.Fatal(err)
		}
	}
	var asked []string
	jar.Delete(func(name string) bool { asked = append(asked, name); return name == "a" })
	slices.Sort(asked)
	if got := sent(t, &jar, https+"x"); got != "b=3" || !slices.Equal(asked, []string{"a", "a", "b"}) {
		t.Errorf("asked about %q, and sends %q; want b alone", asked, got)
	}
}
