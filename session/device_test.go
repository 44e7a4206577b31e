package session_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

func TestManager_ListShowsTheDeviceOfTheLogin(t *testing.T) {
	const umlaut = "ä" // two bytes
	for _, c := range []struct {
		name      string
		userAgent string
		remote    string
		loginIP   string
		agent, ip string
	}{
		{"as the browser sends it", "Agent/1 (X; Y)", "192.0.2.7:4711", "", "Agent/1 (X; Y)", "192.0.2.7"},
		{"an IPv6 address", "", "[2001:db8::1]:4711", "", "", "2001:db8::1"},
		{"an address without a port", "", "192.0.2.7", "", "", ""},
		{"an address from the app", "", "192.0.2.7:4711", "203.0.113.9", "", "203.0.113.9"},
		{"control characters", "A\x00g\x1fe\nn\r\tt\x7f \u0080", "192.0.2.7:1", "1\x7f\n.2", "Agent \u0080", "1.2"},
		{"broken UTF-8", "A\xffgent\xc3", "192.0.2.7:1", "1\xff.2", "Agent", "1.2"},
		{"the longest", strings.Repeat("x", 255), "192.0.2.7:1", strings.Repeat("1", 45), strings.Repeat("x", 255), strings.Repeat("1", 45)},
		{"too long", strings.Repeat("x", 256), "192.0.2.7:1", strings.Repeat("1", 46), strings.Repeat("x", 255), strings.Repeat("1", 45)},
		{"much too long", strings.Repeat("x", 9000), "192.0.2.7:1", strings.Repeat("1", 9000), strings.Repeat("x", 255), strings.Repeat("1", 45)},
		{"cut inside a character", strings.Repeat("x", 254) + umlaut, "192.0.2.7:1", strings.Repeat("1", 44) + umlaut, strings.Repeat("x", 254), strings.Repeat("1", 44)},
		{"cut inside a long character", strings.Repeat("x", 252) + "😀", "192.0.2.7:1", "", strings.Repeat("x", 252), "192.0.2.7"},
		{"cut after a character", strings.Repeat("x", 253) + umlaut + "y", "192.0.2.7:1", strings.Repeat("1", 43) + umlaut + "y", strings.Repeat("x", 253) + umlaut, strings.Repeat("1", 43) + umlaut},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			r := page(b)
			r.Header.Set("User-Agent", c.userAgent)
			r.RemoteAddr = c.remote
			start := time.Now().UTC()
			v, err := w.Issue(r, session.Login{UserID: "1", IP: c.loginIP})
			if err != nil {
				w.Fatal(err)
			}
			b.Receive(v.Cookies)
			want := session.Device{ID: v.Session().ID, UserAgent: c.agent, IP: c.ip, CreatedAt: start, LastSeenAt: start, AuthTime: start}
			list, err := w.List(w.Context(), "1", "")
			if err != nil || len(list) != 1 || !reflect.DeepEqual(list[0], want) {
				w.Errorf("%s: %#v, %v; want %#v", c.name, list, err, want)
			}
			w.expireAccess()
			w.in(b)
			w.expireAccess()
			w.in(b) // presents the child, which is confirmed
			want.LastSeenAt = start.Add(4 * time.Minute)
			if list, err = w.List(w.Context(), "1", ""); err != nil || len(list) != 1 || !reflect.DeepEqual(list[0], want) {
				w.Errorf("%s, seen again: %#v, %v; want %#v", c.name, list, err, want)
			}
		})
	}
}

func TestManager_ListSaysWhetherAProgramLoggedIn(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		for _, program := range []bool{false, true} {
			s := w.login(newBrowser(), session.Login{NonInteractive: program})
			list, err := w.List(w.Context(), "1", "")
			i := slices.IndexFunc(list, func(d session.Device) bool { return d.ID == s.ID })
			if err != nil || i < 0 || list[i].NonInteractive != program {
				w.Errorf("NonInteractive %t: %+v, %v", program, list, err)
			}
		}
	})
}

// However many sessions a user has, a page has 100 devices.
func TestManager_ListHasPages(t *testing.T) {
	for _, sessions := range []int{0, 99, 100, 101, 205} {
		inTestWorld(t, session.Config{MaxSessions: -1}, func(w *testWorld) {
			var want []string
			for i := range sessions {
				login := session.Login{NonInteractive: i%20 == 3} // at most 11, so the limit ends none
				want = append(want, w.login(newBrowser(), login).ID)
				time.Sleep(time.Second)
			}
			slices.Reverse(want)
			var got []string
			after := ""
			for page := 0; ; page++ {
				list, err := w.List(w.Context(), "1", after)
				if err != nil || len(list) != min(100, sessions-100*page) {
					w.Fatalf("of %d sessions, page %d has %d devices, %v", sessions, page, len(list), err)
				}
				for _, d := range list {
					got = append(got, d.ID)
				}
				if len(list) < 100 {
					break
				}
				after = list[len(list)-1].ID
				if len(got) == sessions {
					break
				}
			}
			if !slices.Equal(got, want) {
				w.Errorf("%d sessions: the pages show %d others, or in another order", sessions, len(got))
			}
		})
	}
}

func TestManager_ListContinuesOnlyAfterASessionOfTheUser(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		oldest := w.login(newBrowser(), session.Login{}).ID
		time.Sleep(time.Second)
		revoked := w.login(newBrowser(), session.Login{}).ID
		time.Sleep(time.Second)
		w.login(newBrowser(), session.Login{})
		others := w.login(newBrowser(), session.Login{UserID: "2"}).ID
		if err := w.Revoke(w.Context(), "1", revoked); err != nil {
			w.Fatal(err)
		}
		for _, c := range []struct {
			name, after string
			want        []string
			err         error
		}{
			{"a revoked session", revoked, []string{oldest}, nil},
			{"the last one", oldest, nil, nil},
			{"another user's session", others, nil, session.ErrNotFound},
			{"no session", store.ID{7}.String(), nil, session.ErrNotFound},
			{"the zero id", store.ID{}.String(), nil, session.ErrNotFound},
			{"no id", "x", nil, session.ErrNotFound},
		} {
			list, err := w.List(w.Context(), "1", c.after)
			var got []string
			for _, d := range list {
				got = append(got, d.ID)
			}
			if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
				w.Errorf("after %s: %v, %v; want %v, %v", c.name, got, err, c.want, c.err)
			}
		}
	})
}
