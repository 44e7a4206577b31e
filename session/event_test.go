package session_test

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"strconv"
	"strings"
	"testing"

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
		session.EventEnded:          slog.LevelInfo,
		session.EventRevoked:        slog.LevelInfo,
		session.EventUserRevoked:    slog.LevelInfo,
		session.EventUndecodable:    slog.LevelInfo,
		session.EventOldKey:         slog.LevelInfo,
		session.EventStoreBack:      slog.LevelInfo,
		session.EventReuse:          slog.LevelWarn,
		session.EventStoreBehind:    slog.LevelWarn,
		session.EventAmbiguous:      slog.LevelWarn,
		session.EventRevocationLost: slog.LevelWarn,
		session.EventTooLarge:       slog.LevelWarn,
		session.EventStoreError:     slog.LevelError,
		session.EventStoreDown:      slog.LevelError,
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
