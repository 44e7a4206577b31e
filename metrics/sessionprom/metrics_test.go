package sessionprom_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sessionkit/sessionkit/metrics/sessionprom"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// world is an app whose Manager is measured.
type world struct {
	*testing.T
	*sessiontest.Kit
	registry *prometheus.Registry
	app      http.Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	metrics, registry := sessionprom.New("shop"), prometheus.NewRegistry()
	kit := sessiontest.New(t, session.Config{Observe: metrics.Observe}, map[string]store.User{"ada-id": {}, "eve-id": {Disabled: true}})
	if err := metrics.Register(registry, kit.Sessions); err != nil {
		t.Fatal(err)
	}
	guard, err := nethttp.New(kit.Sessions, nethttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, kit, registry, guard.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
}

// exposition returns what Prometheus reads.
func exposition(t testing.TB, g prometheus.Gatherer) string {
	t.Helper()
	page := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if page.Code != http.StatusOK {
		t.Fatalf("the metrics cannot be read: %d %s", page.Code, page.Body)
	}
	return page.Body.String()
}

// expect fails the test unless the exposition has each of the lines.
func (w *world) expect(what string, lines ...string) {
	w.Helper()
	got := strings.Split(exposition(w, w.registry), "\n")
	for _, line := range lines {
		if !slices.Contains(got, line) {
			w.Errorf("%s: no line %s\n%s", what, line, strings.Join(got, "\n"))
		}
	}
}

func (w *world) login() (*sessiontest.Browser, session.Session) {
	b := sessiontest.NewBrowser(w.app)
	return b, b.Login(w, w.Sessions, session.Login{UserID: "ada-id"})
}

func TestMetrics_TellLoginsRefreshesAndRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.expect("before anything", `sessionkit_events_total{app="shop",kind="reuse"} 0`, `sessionkit_store_down{app="shop"} 0`)
		b, s := w.login()
		w.Store.Delay(20*time.Millisecond, "Find")
		b.ExpireAccess()
		b.Get("/")
		if _, err := w.Sessions.Issue(b.NewRequest(http.MethodPost, "/login", nil), session.Login{UserID: "eve-id"}); !errors.Is(err, session.ErrUserDisabled) {
			t.Fatalf("the login of a disabled user: %v", err)
		}
		sessiontest.Revoke(t, w.Sessions, s)
		b.ExpireAccess()
		b.Get("/")
		w.expect("a login, a refresh, a refusal and an end",
			`sessionkit_events_total{app="shop",kind="issued"} 1`,
			`sessionkit_events_total{app="shop",kind="refreshed"} 1`,
			`sessionkit_events_total{app="shop",kind="refused"} 1`,
			`sessionkit_events_total{app="shop",kind="ended"} 1`,
			`sessionkit_login_duration_seconds_count{app="shop",outcome="ok"} 1`,
			`sessionkit_login_duration_seconds_count{app="shop",outcome="refused"} 1`,
			`sessionkit_refresh_duration_seconds_count{app="shop",outcome="ok"} 1`,
			`sessionkit_refresh_duration_seconds_bucket{app="shop",outcome="ok",le="0.01"} 0`,
			`sessionkit_refresh_duration_seconds_bucket{app="shop",outcome="ok",le="0.025"} 1`,
			`sessionkit_refresh_duration_seconds_sum{app="shop",outcome="ok"} 0.02`,
			`sessionkit_refresh_duration_seconds_count{app="shop",outcome="over"} 1`,
			`sessionkit_store_call_duration_seconds_count{app="shop",call="Create",outcome="refused"} 1`,
			`sessionkit_store_call_duration_seconds_count{app="shop",call="FindAndConfirm",outcome="ok"} 2`,
			`sessionkit_revocations{app="shop"} 1`,
		)
	})
}

func TestMetrics_TellAnOutageAndWorkDuringIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b, s := w.login()
		w.Store.Fail(errors.New("the address db.internal does not answer"))
		b.ExpireAccess()
		b.Get("/")
		time.Sleep(10 * time.Second)
		if _, err := w.Sessions.Logout(b.NewRequest(http.MethodPost, "/logout", nil)); !errors.Is(err, session.ErrStoreUnavailable) {
			t.Fatalf("a logout while the store fails: %v", err)
		}
		w.expect("an outage",
			`sessionkit_store_down{app="shop"} 1`,
			`sessionkit_events_total{app="shop",kind="store-down"} 1`,
			`sessionkit_refresh_duration_seconds_count{app="shop",outcome="unavailable"} 1`,
			`sessionkit_store_call_duration_seconds_count{app="shop",call="FindAndConfirm",outcome="error"} 3`,
			`sessionkit_pending_revocations{app="shop"} 1`,
		)
		if page := exposition(t, w.registry); strings.Contains(page, "db.internal") || strings.Contains(page, "ada-id") || strings.Contains(page, s.ID) {
			t.Errorf("the metrics have data of a user, or of an error:\n%s", page)
		}

		w.Store.Fail(nil)
		ctx, stop := context.WithCancel(t.Context())
		var background sync.WaitGroup
		background.Go(func() { w.Sessions.Run(ctx) })
		time.Sleep(time.Minute)
		w.expect("after the outage", `sessionkit_store_down{app="shop"} 0`, `sessionkit_pending_revocations{app="shop"} 0`)
		stop()
		background.Wait()
	})
}

func TestMetrics_FollowTheConventionsOfPrometheus(t *testing.T) {
	w := newWorld(t)
	b, _ := w.login()
	b.ExpireAccess()
	b.Get("/")
	problems, err := testutil.GatherAndLint(w.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 10 {
		t.Errorf("%d metrics; want 10", len(families))
	}
}

func TestMetrics_OfTwoManagersAreApart(t *testing.T) {
	registry := prometheus.NewRegistry()
	for i, app := range []string{"shop", "admin"} {
		metrics := sessionprom.New(app)
		kit := sessiontest.New(t, session.Config{Observe: metrics.Observe}, map[string]store.User{"ada-id": {}})
		if err := metrics.Register(registry, kit.Sessions); err != nil {
			t.Fatal(err)
		}
		for range i + 1 {
			sessiontest.LoginAs(t, kit.Sessions, httptest.NewRequest(http.MethodGet, "https://app.example.com/", nil), "ada-id")
		}
	}
	page := exposition(t, registry)
	for _, line := range []string{
		`sessionkit_events_total{app="shop",kind="issued"} 1`, `sessionkit_events_total{app="admin",kind="issued"} 2`,
		`sessionkit_login_duration_seconds_count{app="shop",outcome="ok"} 1`, `sessionkit_login_duration_seconds_count{app="admin",outcome="ok"} 2`,
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}

func TestRegister_SaysWhatIsWrong(t *testing.T) {
	registry := prometheus.NewRegistry()
	kit := sessiontest.New(t, session.Config{}, nil)
	first, second := sessionprom.New("shop"), sessionprom.New("shop")
	for _, c := range []struct {
		what string
		err  error
		want string
	}{
		{"no Manager", first.Register(registry, nil), "call it after session.New"},
		{"the first", first.Register(registry, kit.Sessions), ""},
		{"again", first.Register(prometheus.NewRegistry(), kit.Sessions), "needs a New of its own"},
		{"the same app", second.Register(registry, kit.Sessions), "another app"},
		{"the same app in another registry", second.Register(prometheus.NewRegistry(), kit.Sessions), ""},
	} {
		if got := fmt.Sprint(c.err); (c.err == nil) != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %v; want %q", c.what, c.err, c.want)
		}
	}
}

func TestObserve_CostsTwoAllocations(t *testing.T) {
	metrics := sessionprom.New("shop")
	for _, op := range []session.Operation{{Kind: session.OperationRefresh}, {Kind: session.OperationStore, Call: "Find"}} {
		got := testing.AllocsPerRun(1000, func() {
			_, end := metrics.Observe(t.Context(), op)
			end(nil)
		})
		t.Logf("%s %s: %v allocations", op.Kind, op.Call, got)
		if got > 2 {
			t.Errorf("%s %s: %v allocations; want at most 2", op.Kind, op.Call, got)
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	metrics := sessionprom.New("shop")
	b.ReportAllocs()
	for b.Loop() {
		_, end := metrics.Observe(b.Context(), session.Operation{Kind: session.OperationStore, Call: "Find"})
		end(nil)
	}
}
