package session

import (
	"strings"
	"testing"
)

// The order of cookies says nothing (RFC 6265, section 4.2.2), so a cookie counts
// only if no good one of another session stands beside it. What cannot be read is no
// vote: anybody can add that.
func TestTwoCookiesOfOneName(t *testing.T) {
	inWorld(t, func(w *world) {
		mine, others := newBrowser(), newBrowser()
		w.login(mine, Login{UserID: "1"})
		w.login(others, Login{UserID: "2"})
		before := mine.copy()
		w.nextPeriod()
		w.in(mine) // by now it has newer ones
		cases, refused := 0, 0
		for _, name := range []string{w.names.access, w.names.refresh} {
			my, older, theirs := mine.jar[name].value, before.jar[name].value, others.jar[name].value
			line := func(values ...string) string { return name + "=" + strings.Join(values, "; "+name+"=") }
			for _, c := range []struct {
				what  string
				lines []string
				want  string
			}{
				{"alone", []string{line(my)}, "1"},
				{"the same twice", []string{line(my, my)}, "1"},
				{"the same five times", []string{line(my, my, my, my, my)}, "1"},
				{"the same in two headers", []string{line(my), line(my)}, "1"},
				{"nonsense first", []string{line("nonsense", my)}, "1"},
				{"nonsense last", []string{line(my, "nonsense")}, "1"},
				{"nonsense around", []string{line("x", my, "y")}, "1"},
				{"nonsense in another header", []string{line("x"), line(my)}, "1"},
				{"emptied, and good", []string{line("", my)}, "1"},
				{"two of one session", []string{line(older, my)}, "1"},
				{"two of one session, the newer first", []string{line(my, older)}, "1"},
				{"in quotation marks", []string{line(`"` + my + `"`)}, "1"},
				{"as in RFC 2109", []string{`$Version="1"; ` + line(`"`+my+`"`) + `; $Path="/"`}, "1"},
				{"in quotation marks and without", []string{line(`"`+my+`"`, my)}, "1"},

				{"two users", []string{line(my, theirs)}, ""},
				{"two users, the other way", []string{line(theirs, my)}, ""},
				{"two users in two headers", []string{line(my), line(theirs)}, ""},
				{"two users, and nonsense between", []string{line(my, "x", theirs)}, ""},
				{"two users, one in quotation marks", []string{line(`"`+theirs+`"`, my)}, ""},
				{"two users, one of them older", []string{line(older, theirs, my)}, ""},
				{"more than are looked at", []string{line("a", "b", "c", "d", my)}, ""},
			} {
				r := newBrowser().request()
				r.Header["Cookie"] = c.lines
				if c.want == "" {
					s := newStranger(w)
					s.sends(name+", "+c.what, c.lines...)
					refused++
				} else if v, err := w.Authenticate(r); v.Session().UserID != c.want {
					w.Errorf("%s, %s: %q, %v; want %q", name, c.what, v.Session().UserID, err, c.want)
				}
				cases++
			}
		}
		if n := w.count(EventAmbiguous); n != refused {
			w.Errorf("%d events of ambiguity for %d refusals", n, refused)
		}
		w.Logf("%d arrangements of one name: %d refused, the rest served as the only user in them", cases, refused)
	})
}
