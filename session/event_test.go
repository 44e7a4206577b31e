package session_test

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// declaredEvents returns the constants of type EventKind in the source.
func declaredEvents(t *testing.T) (kinds []session.EventKind) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		decl, ok := decl.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			continue
		}
		for _, spec := range decl.Specs {
			spec := spec.(*ast.ValueSpec)
			if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "EventKind" {
				continue
			}
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			kinds = append(kinds, session.EventKind(text))
		}
	}
	return kinds
}

// An event of a kind without a counter would panic.
func TestManager_StatsCountEveryKindOfEvent(t *testing.T) {
	kinds := declaredEvents(t)
	if len(kinds) < 15 {
		t.Fatalf("%d kinds of event were found in event.go", len(kinds))
	}
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		stats := w.here.Stats()
		for _, kind := range kinds {
			if n, ok := stats[kind]; !ok || n != 0 {
				w.Errorf("%s: %d, %v; want a count of 0", kind, n, ok)
			}
		}
		if len(stats) != len(kinds) {
			w.Errorf("%d counts for %d kinds", len(stats), len(kinds))
		}
		for want := range uint64(3) {
			if n := w.here.Stats()[session.EventIssued]; n != want {
				w.Errorf("%d events after %d logins", n, want)
			}
			w.here.login(newBrowser(), session.Login{})
		}
		if n := w.there.Stats()[session.EventIssued]; n != 0 {
			w.Errorf("another Manager counts %d", n)
		}
	})
}

func TestManager_EventsAreCountedAndLogged(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		var out bytes.Buffer
		log := session.LogEvents(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		w.users.SetUser("1", store.User{Attrs: map[string]string{"name": "Ada"}})
		_, thief := w.here.confirmable(true)
		w.here.out(thief)
		stats := w.here.Stats()
		for kind, want := range map[session.EventKind]int{
			session.EventIssued: 1, session.EventRefreshed: 3, session.EventReuse: 1, session.EventRevoked: 0,
		} {
			raised := w.here.eventsOf(kind)
			if stats[kind] != uint64(want) || len(raised) != want {
				w.Errorf("%s: %d counted, %d raised; want %d", kind, stats[kind], len(raised), want)
			}
			for _, e := range raised {
				log(e)
			}
		}
		if text := out.String(); !strings.Contains(text, "level=WARN msg=session kind=reuse session=") || strings.Contains(text, "Ada") {
			w.Errorf("logged:\n%s", text)
		}
	})
}

func TestLogEvents_LevelFollowsTheUrgency(t *testing.T) {
	want := map[session.EventKind]slog.Level{
		session.EventRefreshed:      slog.LevelDebug,
		session.EventGrace:          slog.LevelDebug,
		session.EventIssued:         slog.LevelInfo,
		session.EventRefused:        slog.LevelInfo,
		session.EventEnded:          slog.LevelInfo,
		session.EventRevoked:        slog.LevelInfo,
		session.EventUndecodable:    slog.LevelInfo,
		session.EventOldKey:         slog.LevelInfo,
		session.EventStoreBack:      slog.LevelInfo,
		session.EventSuspicious:     slog.LevelWarn,
		session.EventReuse:          slog.LevelWarn,
		session.EventStoreBehind:    slog.LevelWarn,
		session.EventAmbiguous:      slog.LevelWarn,
		session.EventRevocationLost: slog.LevelWarn,
		session.EventTooLarge:       slog.LevelWarn,
		session.EventMisconfigured:  slog.LevelWarn,
		session.EventStoreError:     slog.LevelError,
		session.EventStoreDown:      slog.LevelError,
		session.EventAuditLost:      slog.LevelError,
	}
	for _, kind := range declaredEvents(t) {
		level, ok := want[kind]
		if !ok {
			t.Errorf("%s: this test has no level for it", kind)
			continue
		}
		var out bytes.Buffer
		log := session.LogEvents(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		log(session.Event{Kind: kind})
		if line := out.String(); !strings.Contains(line, "level="+level.String()+" msg=session kind="+string(kind)+"\n") {
			t.Errorf("logged %q; want level %s, the kind, and nothing else", line, level)
		}
	}
}

// A stranger who sends nonsense as fast as he can writes one line a second for each
// kind, and hides no other kind.
func TestLogEvents_NonsenseIsLoggedOnceASecond(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		var out bytes.Buffer
		log := session.LogEvents(slog.New(slog.NewTextHandler(&out, nil)))
		lines := func() (lines []string) {
			for line := range strings.Lines(out.String()) {
				_, text, _ := strings.Cut(strings.TrimSpace(line), "msg=session ")
				lines = append(lines, text)
			}
			out.Reset()
			return lines
		}
		nonsense := func() {
			r := page(newBrowser())
			r.Header.Set("Cookie", accessCookie+"=nonsense; "+refreshCookie+"=nonsense")
			before := len(w.here.eventsOf(session.EventUndecodable))
			_, _ = w.here.Authenticate(r)
			for _, e := range w.here.eventsOf(session.EventUndecodable)[before:] {
				e.IP = ""
				log(e)
			}
		}
		for range 100 {
			nonsense()
		}
		log(session.Event{Kind: session.EventOldKey})
		log(session.Event{Kind: session.EventOldKey})
		log(session.Event{Kind: session.EventAmbiguous})
		log(session.Event{Kind: session.EventAmbiguous})
		log(session.Event{Kind: session.EventReuse})
		log(session.Event{Kind: session.EventReuse})
		if got, want := lines(), []string{"kind=undecodable", "kind=old-key", "kind=ambiguous", "kind=reuse", "kind=reuse"}; !slices.Equal(got, want) {
			w.Errorf("at once: %q; want %q", got, want)
		}
		time.Sleep(time.Second - 1)
		nonsense()
		if got := lines(); len(got) != 0 {
			w.Errorf("within a second: %q; want no line", got)
		}
		time.Sleep(time.Nanosecond)
		log(session.Event{Kind: session.EventUndecodable})
		log(session.Event{Kind: session.EventOldKey})
		time.Sleep(time.Second)
		log(session.Event{Kind: session.EventUndecodable})
		want := []string{"kind=undecodable omitted=201", "kind=old-key omitted=1", "kind=undecodable"} // two cookies in 101 requests, but the first
		if got := lines(); !slices.Equal(got, want) {
			w.Errorf("a second later, and another: %q; want %q", got, want)
		}
		if n := w.here.Stats()[session.EventUndecodable]; n != 202 {
			w.Errorf("%d events counted; want 202, one for each cookie", n)
		}
	})
}

func TestLogEvents_LogsWhatIsKnown(t *testing.T) {
	for want, event := range map[string]session.Event{
		"kind=ended session=0a\n": {Kind: session.EventEnded, SessionID: "0a"},
		"kind=reuse session=0a user=\"1 2\" ip=192.0.2.1\n": {
			Kind: session.EventReuse, SessionID: "0a", UserID: "1 2", IP: "192.0.2.1", UserAgent: "not logged",
		},
		"kind=store-error error=broken\n": {Kind: session.EventStoreError, Err: errors.New("broken")},
	} {
		var out bytes.Buffer
		session.LogEvents(slog.New(slog.NewTextHandler(&out, nil)))(event)
		if !strings.HasSuffix(out.String(), want) {
			t.Errorf("logged %q; want %q at its end", out.String(), want)
		}
	}
}
