package session_test

import (
	"net/http"
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

func TestMaskIP_LeavesTheNetworkAlone(t *testing.T) {
	for ip, want := range map[string]string{
		"203.0.113.9":                 "203.0.113.0",
		"255.255.255.255":             "255.255.255.0",
		"::ffff:203.0.113.9":          "203.0.113.0",
		"2001:db8:1:2:3:4:5:6":        "2001:db8:1::",
		"2001:DB8:FFFF:FFFF::1":       "2001:db8:ffff::",
		"fe80::1%eth0":                "fe80::",
		"::1":                         "::",
		"":                            "",
		"nonsense":                    "",
		"203.0.113.9:443":             "",
		"[2001:db8::1]":               "",
		"203.0.113.9, 198.51.100.7":   "",
		" 203.0.113.9":                "",
		"203.0.113.009":               "",
		"ada@example.com 203.0.113.9": "",
	} {
		if got := session.MaskIP(ip); got != want {
			t.Errorf("MaskIP(%q) is %q; want %q", ip, got, want)
		}
	}
}

// What Config.UserAgent and Config.ClientIP return is all that the row, the events, the audit log
// and the login of a device have of the client.
func TestConfig_UserAgentAndClientIPDecideWhatIsKept(t *testing.T) {
	none := func(*http.Request) string { return "" }
	for _, c := range []struct {
		name      string
		ip, agent func(*http.Request) string
		want      [2]string
	}{
		{"default", nil, nil, [2]string{"192.0.2.77", "Agent/5.1"}},
		{"masked", func(r *http.Request) string { return session.MaskIP("192.0.2.77") }, func(*http.Request) string { return "an agent\n" }, [2]string{"192.0.2.0", "an agent"}},
		{"off", none, none, [2]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := &auditWorld{}
			cfg := withTokens
			cfg.Audit, cfg.ClientIP, cfg.UserAgent = log, c.ip, c.agent
			inTestWorld(t, cfg, func(w *testWorld) {
				r := page(newBrowser())
				r.RemoteAddr = "192.0.2.77:1234"
				r.Header.Set("User-Agent", "Agent/5.1")
				v, err := w.Issue(r, session.Login{UserID: "1"})
				if err != nil {
					w.Fatal(err)
				}
				got := map[string][2]string{}
				row, event := w.row(v.Session().ID), w.eventsOf(session.EventIssued)[0]
				got["row"], got["event"] = [2]string{row.IP, row.UserAgent}, [2]string{event.IP, event.UserAgent}
				for _, e := range log.entries {
					if e.Action == store.AuditLogin {
						got["audit entry"] = [2]string{e.IP, e.UserAgent}
					}
				}
				codes, err := w.Tokens().BeginDevice(r, "tv")
				if err != nil {
					w.Fatal(err)
				}
				b := newBrowser()
				b.Receive(v.Cookies)
				login, err := w.Tokens().FindDevice(page(b), codes.UserCode)
				if err != nil {
					w.Fatal(err)
				}
				got["device"] = [2]string{login.IP, login.UserAgent}
				if len(got) != 4 {
					w.Errorf("%v; want 4 places", got)
				}
				for place, has := range got {
					if has != c.want {
						w.Errorf("%s: %q; want %q", place, has, c.want)
					}
				}
			})
		})
	}
}
