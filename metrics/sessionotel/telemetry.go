package sessionotel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionkit/sessionkit/session"
)

// scope is the name of the instrumentation.
const scope = "github.com/sessionkit/sessionkit/metrics/sessionotel"

// Names of attributes. app is left out if it is empty.
const (
	appKey     = attribute.Key("sessionkit.app")
	kindKey    = attribute.Key("sessionkit.event.kind")
	callKey    = attribute.Key("sessionkit.store.call")
	outcomeKey = attribute.Key("sessionkit.outcome")
	errorKey   = attribute.Key("error.type")
)

// buckets, in seconds, cover a statement beside the database, and a refresh that is tried three
// times.
var buckets = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}

// Config is optional.
type Config struct {
	// App is the attribute sessionkit.app of all metrics and spans. It tells the Managers of one
	// process apart: give each another one.
	App string

	// Meters and Tracers are otel.GetMeterProvider() and otel.GetTracerProvider() if nil. To have
	// only metrics or only traces, give a provider of the package noop for the other.
	Meters  metric.MeterProvider
	Tracers trace.TracerProvider
}

// Telemetry measures one Manager. Use New.
type Telemetry struct {
	app        []attribute.KeyValue // empty, or the one of the app
	meter      metric.Meter
	tracer     trace.Tracer
	durations  map[session.OperationKind]metric.Float64Histogram
	series     sync.Map // of *series by seriesKey: as many as there are methods of a store and outcomes
	registered atomic.Bool
}

// New returns the telemetry of a Manager that is made later: give Observe to its Config, and the
// Manager to Register. Its errors are those of the provider.
func New(cfg Config) (*Telemetry, error) {
	if cfg.Meters == nil {
		cfg.Meters = otel.GetMeterProvider()
	}
	if cfg.Tracers == nil {
		cfg.Tracers = otel.GetTracerProvider()
	}
	t := &Telemetry{meter: cfg.Meters.Meter(scope), tracer: cfg.Tracers.Tracer(scope), durations: map[session.OperationKind]metric.Float64Histogram{}}
	if cfg.App != "" {
		t.app = []attribute.KeyValue{appKey.String(cfg.App)}
	}
	for _, h := range []struct {
		kind              session.OperationKind
		name, description string
	}{
		{session.OperationRefresh, "sessionkit.refresh.duration", "Time that requests wait whose refresh cookie or refresh token is presented."},
		{session.OperationLogin, "sessionkit.login.duration", "Time of calls that begin a session."},
		{session.OperationStore, "sessionkit.store.call.duration", "Time of tries of calls of the store."},
	} {
		var err error
		t.durations[h.kind], err = t.meter.Float64Histogram(h.name, metric.WithUnit("s"), metric.WithDescription(h.description),
			metric.WithExplicitBucketBoundaries(buckets...))
		if err != nil {
			return nil, fmt.Errorf("sessionotel: %w", err)
		}
	}
	return t, nil
}

type seriesKey struct {
	op      session.Operation
	outcome session.Outcome
}

// series holds what need not be made for each operation.
type series struct {
	record []metric.RecordOption
	end    []attribute.KeyValue // of the span
}

func (t *Telemetry) seriesOf(op session.Operation, outcome session.Outcome) *series {
	key := seriesKey{op, outcome}
	if known, ok := t.series.Load(key); ok {
		return known.(*series)
	}
	end := []attribute.KeyValue{outcomeKey.String(string(outcome))}
	if isFailure(outcome) {
		end = append(end, errorKey.String(string(outcome)))
	}
	made := &series{[]metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(append(t.attributes(op), end...)...))}, end}
	known, _ := t.series.LoadOrStore(key, made)
	return known.(*series)
}

// attributes returns those that are known when an operation begins.
func (t *Telemetry) attributes(op session.Operation) []attribute.KeyValue {
	if op.Call == "" {
		return append([]attribute.KeyValue(nil), t.app...)
	}
	return append([]attribute.KeyValue{callKey.String(op.Call)}, t.app...)
}

// isFailure reports whether a span is marked as an error. That a session is over, or a login is
// refused, is what the app is meant to do.
func isFailure(outcome session.Outcome) bool {
	return outcome == session.OutcomeUnavailable || outcome == session.OutcomeError
}

// Observe is for session.Config.Observe. It is safe for concurrent use.
func (t *Telemetry) Observe(ctx context.Context, op session.Operation) (context.Context, func(error)) {
	name, kind := "sessionkit "+string(op.Kind), trace.SpanKindInternal
	if op.Kind == session.OperationStore {
		name, kind = "sessionkit store "+op.Call, trace.SpanKindClient
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(t.attributes(op)...))
	begun := time.Now()
	return ctx, func(err error) {
		outcome := session.OutcomeOf(err)
		s := t.seriesOf(op, outcome)
		if duration := t.durations[op.Kind]; duration != nil {
			duration.Record(ctx, time.Since(begun).Seconds(), s.record...)
		}
		span.SetAttributes(s.end...)
		if isFailure(outcome) {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Register adds the counter of events and the state of a Manager, whose Config has Observe, to the
// metrics. Call it once. They are read when metrics are collected: no event is lost,
// and none is counted twice. What happens after the last collection is lost, so shut the provider down when
// the Manager is done.
func (t *Telemetry) Register(sessions *session.Manager) error {
	if sessions == nil {
		return errors.New("sessionotel: Register got no Manager: call it after session.New")
	}
	if !t.registered.CompareAndSwap(false, true) {
		return errors.New("sessionotel: Register was called before: each Manager needs a New of its own")
	}
	if err := t.register(sessions); err != nil {
		return fmt.Errorf("sessionotel: %w", err)
	}
	return nil
}

// gauges are the numbers of a session.State. A count can be added up over nodes: that is an
// UpDownCounter by the conventions.
var gauges = []struct {
	name, unit, description string
	of                      func(session.State) int
}{
	{"sessionkit.revocations", "{session}", "Ended and changed sessions whose access cookies this node refuses.", func(s session.State) int { return s.Revocations }},
	{"sessionkit.revocations.pending", "{session}", "Sessions that have ended on this node alone: the store is not told yet.", func(s session.State) int { return s.PendingRevocations }},
	{"sessionkit.revocations.unfinished", "{call}", "Calls that end sessions of a user, and that Run goes on with.", func(s session.State) int { return s.UnfinishedRevocations }},
	{"sessionkit.audit.pending", "{entry}", "Entries that wait for the audit log.", func(s session.State) int { return s.PendingAudit }},
	{"sessionkit.tickets.cached", "{ticket}", "Opened access cookies and tokens that this node holds.", func(s session.State) int { return s.CachedTickets }},
}

func (t *Telemetry) register(sessions *session.Manager) error {
	events, err := t.meter.Int64ObservableCounter("sessionkit.events", metric.WithUnit("{event}"),
		metric.WithDescription("Events of each kind since the Manager was made."))
	if err != nil {
		return err
	}
	down, err := t.meter.Int64ObservableGauge("sessionkit.store.down", metric.WithUnit("1"),
		metric.WithDescription("1 if the store does not answer, else 0."))
	if err != nil {
		return err
	}
	instruments := []metric.Observable{events, down}
	counts := make([]metric.Int64ObservableUpDownCounter, len(gauges))
	for i, g := range gauges {
		if counts[i], err = t.meter.Int64ObservableUpDownCounter(g.name, metric.WithUnit(g.unit), metric.WithDescription(g.description)); err != nil {
			return err
		}
		instruments = append(instruments, counts[i])
	}
	_, err = t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for kind, n := range sessions.Stats() {
			o.ObserveInt64(events, int64(n), metric.WithAttributes(append([]attribute.KeyValue{kindKey.String(string(kind))}, t.app...)...))
		}
		state := sessions.State()
		app := metric.WithAttributes(t.app...)
		for i, g := range gauges {
			o.ObserveInt64(counts[i], int64(g.of(state)), app)
		}
		isDown := int64(0)
		if state.StoreDown {
			isDown = 1
		}
		o.ObserveInt64(down, isDown, app)
		return nil
	}, instruments...)
	return err
}
