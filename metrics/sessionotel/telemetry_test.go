package sessionotel_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/sessionkit/sessionkit/metrics/sessionotel"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// world is an app whose Manager is measured.
type world struct {
	*testing.T
	*sessiontest.Kit
	reader *sdkmetric.ManualReader
	spans  *tracetest.InMemoryExporter
	app    http.Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, reader: sdkmetric.NewManualReader(), spans: tracetest.NewInMemoryExporter()}
	w.Kit = w.measured("shop", sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.reader)))
	guard, err := nethttp.New(w.Sessions, nethttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w.app = guard.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	return w
}

// measured returns another Manager that is measured.
func (w *world) measured(app string, meters *sdkmetric.MeterProvider) *sessiontest.Kit {
	w.Helper()
	telemetry, err := sessionotel.New(sessionotel.Config{App: app, Meters: meters, Tracers: sdktrace.NewTracerProvider(sdktrace.WithSyncer(w.spans))})
	if err != nil {
		w.Fatal(err)
	}
	kit := sessiontest.New(w, session.Config{Observe: telemetry.Observe}, map[string]store.User{"ada-id": {}, "eve-id": {Disabled: true}})
	if err := telemetry.Register(kit.Sessions); err != nil {
		w.Fatal(err)
	}
	return kit
}

func (w *world) login() (*sessiontest.Browser, session.Session) {
	b := sessiontest.NewBrowser(w.app)
	return b, b.Login(w, w.Sessions, session.Login{UserID: "ada-id"})
}

// metrics returns a line for each number, without those that are 0.
func (w *world) metrics() (lines []string) {
	w.Helper()
	var all metricdata.ResourceMetrics
	if err := w.reader.Collect(w.Context(), &all); err != nil {
		w.Fatal(err)
	}
	add := func(name string, attributes attribute.Set, n any) {
		if line := fmt.Sprintf("%s %s %v", name, attributes.Encoded(attribute.DefaultEncoder()), n); !strings.HasSuffix(line, " 0") {
			lines = append(lines, line)
		}
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, fmt.Sprintf("%d in %.3g %s", p.Count, p.Sum, m.Unit))
				}
			default:
				w.Errorf("%s is a %T", m.Name, data)
			}
		}
	}
	return lines
}

func (w *world) expect(what string, want ...string) {
	w.Helper()
	got := w.metrics()
	for _, line := range want {
		if !slices.Contains(got, line) {
			w.Errorf("%s: no line %s\n%s", what, line, strings.Join(got, "\n"))
		}
	}
}

// takeSpans returns a line for each span that has ended since the last call: its name below that
// of the span above it.
func (w *world) takeSpans() (lines []string) {
	ended := w.spans.GetSpans()
	w.spans.Reset()
	for _, s := range ended {
		line := s.Name
		for _, above := range ended {
			if above.SpanContext.SpanID() == s.Parent.SpanID() {
				line = above.Name + " > " + line
			}
		}
		set := attribute.NewSet(s.Attributes...)
		lines = append(lines, fmt.Sprintf("%s, %s, %s: %s", line, s.SpanKind, s.Status.Code, set.Encoded(attribute.DefaultEncoder())))
		if s.Status.Description != "" || len(s.Events) > 0 {
			w.Errorf("%s has the text of an error: %q, %v", s.Name, s.Status.Description, s.Events)
		}
		if (s.Status.Code == codes.Error) != set.HasValue("error.type") {
			w.Errorf("%s: error.type and the status disagree: %v", s.Name, s.Attributes)
		}
	}
	return lines
}

func (w *world) expectSpans(what string, want ...string) {
	w.Helper()
	if got := w.takeSpans(); !slices.Equal(got, want) {
		w.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTelemetry_TellsLoginsRefreshesAndRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b, s := w.login()
		w.takeSpans()
		w.Store.Delay(20*time.Millisecond, "Find")
		b.ExpireAccess()
		b.Get("/")
		w.expectSpans("a refresh",
			"sessionkit refresh > sessionkit store FindAndConfirm, client, Unset: sessionkit.app=shop,sessionkit.outcome=ok,sessionkit.store.call=FindAndConfirm",
			"sessionkit refresh, internal, Unset: sessionkit.app=shop,sessionkit.outcome=ok")
		if _, err := w.Sessions.Issue(b.NewRequest(http.MethodPost, "/login", nil), session.Login{UserID: "eve-id"}); !errors.Is(err, session.ErrUserDisabled) {
			t.Fatalf("the login of a disabled user: %v", err)
		}
		w.expectSpans("a refusal",
			"sessionkit login > sessionkit store Create, client, Unset: sessionkit.app=shop,sessionkit.outcome=refused,sessionkit.store.call=Create",
			"sessionkit login, internal, Unset: sessionkit.app=shop,sessionkit.outcome=refused")
		sessiontest.Revoke(t, w.Sessions, s)
		b.ExpireAccess()
		b.Get("/")
		w.expect("a login, a refresh, a refusal and an end",
			"sessionkit.events sessionkit.app=shop,sessionkit.event.kind=issued 1",
			"sessionkit.events sessionkit.app=shop,sessionkit.event.kind=refreshed 1",
			"sessionkit.events sessionkit.app=shop,sessionkit.event.kind=ended 1",
			"sessionkit.login.duration sessionkit.app=shop,sessionkit.outcome=ok 1 in 0 s",
			"sessionkit.login.duration sessionkit.app=shop,sessionkit.outcome=refused 1 in 0 s",
			"sessionkit.refresh.duration sessionkit.app=shop,sessionkit.outcome=ok 1 in 0.02 s",
			"sessionkit.refresh.duration sessionkit.app=shop,sessionkit.outcome=over 1 in 0.02 s",
			"sessionkit.store.call.duration sessionkit.app=shop,sessionkit.outcome=ok,sessionkit.store.call=FindAndConfirm 2 in 0.04 s",
			"sessionkit.revocations sessionkit.app=shop 1",
		)
	})
}

func TestTelemetry_TellsAnOutageWithoutDataOfUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b, s := w.login()
		w.takeSpans()
		w.Store.Fail(errors.New("the address db.internal does not answer for ada-id"))
		b.ExpireAccess()
		b.Get("/")
		time.Sleep(10 * time.Second)
		failed := "sessionkit refresh > sessionkit store FindAndConfirm, client, Error: error.type=error,sessionkit.app=shop,sessionkit.outcome=error,sessionkit.store.call=FindAndConfirm"
		text := strings.Join(append(w.metrics(), fmt.Sprint(w.spans.GetSpans())), "\n")
		w.expectSpans("an outage", failed, failed, failed,
			"sessionkit refresh, internal, Error: error.type=unavailable,sessionkit.app=shop,sessionkit.outcome=unavailable")
		w.expect("an outage",
			"sessionkit.store.down sessionkit.app=shop 1",
			"sessionkit.events sessionkit.app=shop,sessionkit.event.kind=store-down 1",
			"sessionkit.refresh.duration error.type=unavailable,sessionkit.app=shop,sessionkit.outcome=unavailable 1 in "+w.refreshTime()+" s")
		for _, secret := range []string{"ada-id", s.ID, "192.0.2.1", "db.internal"} {
			if strings.Contains(text, secret) {
				t.Errorf("the telemetry has %q:\n%s", secret, text)
			}
		}
	})
}

// refreshTime is the time of the refreshes that have failed, which waits at random between tries.
func (w *world) refreshTime() string {
	for _, line := range w.metrics() {
		if strings.HasPrefix(line, "sessionkit.refresh.duration error.type=unavailable") {
			_, after, _ := strings.Cut(line, " in ")
			return strings.TrimSuffix(after, " s")
		}
	}
	return "no time"
}

func TestTelemetry_OfTwoManagersIsApart(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	w := &world{T: t, reader: reader, spans: tracetest.NewInMemoryExporter()}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	for i, app := range []string{"shop", ""} {
		kit := w.measured(app, meters)
		for range i + 1 {
			sessiontest.LoginAs(t, kit.Sessions, httptest.NewRequest(http.MethodGet, "https://app.example.com/", nil), "ada-id")
		}
	}
	w.expect("two Managers",
		"sessionkit.events sessionkit.app=shop,sessionkit.event.kind=issued 1",
		"sessionkit.events sessionkit.event.kind=issued 2")
}

func TestRegister_SaysWhatIsWrong(t *testing.T) {
	kit := sessiontest.New(t, session.Config{}, nil)
	telemetry, err := sessionotel.New(sessionotel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		err  error
		want string
	}{
		{"no Manager", telemetry.Register(nil), "call it after session.New"},
		{"the first", telemetry.Register(kit.Sessions), ""},
		{"again", telemetry.Register(kit.Sessions), "needs a New of its own"},
	} {
		if got := fmt.Sprint(c.err); (c.err == nil) != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %v; want %q", c.what, c.err, c.want)
		}
	}
}

// quiet returns what measures with no traces, or with nothing at all.
func quiet(t testing.TB, cfg sessionotel.Config) *sessionotel.Telemetry {
	t.Helper()
	telemetry, err := sessionotel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return telemetry
}

func TestObserve_CostsFewAllocationsWithoutTraces(t *testing.T) {
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	tracers := tracenoop.NewTracerProvider()
	for _, c := range []struct {
		what      string
		telemetry *sessionotel.Telemetry
	}{
		{"metrics alone", quiet(t, sessionotel.Config{App: "shop", Meters: meters, Tracers: tracers})},
		{"neither", quiet(t, sessionotel.Config{Meters: noop.NewMeterProvider(), Tracers: tracers})},
	} {
		got := testing.AllocsPerRun(1000, func() {
			_, end := c.telemetry.Observe(t.Context(), session.Operation{Kind: session.OperationStore, Call: "Find"})
			end(nil)
		})
		t.Logf("%s: %v allocations", c.what, got)
		if got > 10 {
			t.Errorf("%s: %v allocations; want at most 10", c.what, got)
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	telemetry := quiet(b, sessionotel.Config{App: "shop",
		Meters:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())),
		Tracers: sdktrace.NewTracerProvider()})
	b.ReportAllocs()
	for b.Loop() {
		_, end := telemetry.Observe(b.Context(), session.Operation{Kind: session.OperationStore, Call: "Find"})
		end(nil)
	}
}
