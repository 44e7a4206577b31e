package sessionprom

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sessionkit/sessionkit/session"
)

// buckets, in seconds, cover a statement beside the database, and a refresh that is tried three
// times.
var buckets = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}

// Metrics measures one Manager. Use New.
type Metrics struct {
	refresh, login, store *prometheus.HistogramVec

	events     *prometheus.Desc
	gauges     []gauge
	registered atomic.Bool
}

// gauge is one number of a session.State.
type gauge struct {
	desc *prometheus.Desc
	of   func(session.State) int
}

// New returns the metrics of a Manager that is made later: give Observe to its Config, and the
// Manager to Register. app is the value of the label app of all metrics. It must differ between
// the Managers of a registry, and may be empty if there is one.
func New(app string) *Metrics {
	labels := prometheus.Labels{"app": app}
	histogram := func(name, help string, variable ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, ConstLabels: labels, Buckets: buckets}, variable)
	}
	m := &Metrics{
		refresh: histogram("sessionkit_refresh_duration_seconds",
			"Time that requests wait whose refresh cookie or refresh token is presented, by outcome.", "outcome"),
		login: histogram("sessionkit_login_duration_seconds",
			"Time of calls that begin a session, by outcome.", "outcome"),
		store: histogram("sessionkit_store_call_duration_seconds",
			"Time of tries of calls of the store, by the method and the outcome.", "call", "outcome"),
		events: prometheus.NewDesc("sessionkit_events_total",
			"Events of each kind since the Manager was made.", []string{"kind"}, labels),
	}
	add := func(name, help string, of func(session.State) int) {
		m.gauges = append(m.gauges, gauge{prometheus.NewDesc(name, help, nil, labels), of})
	}
	add("sessionkit_store_down", "1 if the store does not answer, else 0.", func(s session.State) int {
		if s.StoreDown {
			return 1
		}
		return 0
	})
	add("sessionkit_revocations", "Ended and changed sessions whose access cookies this node refuses.", func(s session.State) int { return s.Revocations })
	add("sessionkit_pending_revocations", "Sessions that have ended on this node alone: the store is not told yet.", func(s session.State) int { return s.PendingRevocations })
	add("sessionkit_unfinished_revocations", "Calls that end sessions of a user, and that Run goes on with.", func(s session.State) int { return s.UnfinishedRevocations })
	add("sessionkit_pending_audit_entries", "Entries that wait for the audit log.", func(s session.State) int { return s.PendingAudit })
	add("sessionkit_cached_tickets", "Opened access cookies and tokens that this node holds.", func(s session.State) int { return s.CachedTickets })
	return m
}

// Observe is for session.Config.Observe. It is safe for concurrent use.
func (m *Metrics) Observe(ctx context.Context, op session.Operation) (context.Context, func(error)) {
	begun := time.Now()
	return ctx, func(err error) {
		seconds, outcome := time.Since(begun).Seconds(), string(session.OutcomeOf(err))
		switch op.Kind {
		case session.OperationRefresh:
			m.refresh.WithLabelValues(outcome).Observe(seconds)
		case session.OperationLogin:
			m.login.WithLabelValues(outcome).Observe(seconds)
		case session.OperationStore:
			m.store.WithLabelValues(op.Call, outcome).Observe(seconds)
		}
	}
}

// Register adds the metrics of a Manager, whose Config has Observe, to a registry, such as
// prometheus.DefaultRegisterer. Call it once. Counters and gauges are read when the registry is
// read: no event is lost, and none is counted twice.
func (m *Metrics) Register(registry prometheus.Registerer, sessions *session.Manager) error {
	if sessions == nil {
		return errors.New("sessionprom: Register got no Manager: call it after session.New")
	}
	if !m.registered.CompareAndSwap(false, true) {
		return errors.New("sessionprom: Register was called before: each Manager needs a New of its own")
	}
	if err := registry.Register(collector{m, sessions}); err != nil {
		m.registered.Store(false)
		return fmt.Errorf("sessionprom: give each Manager of a registry another app in New: %w", err)
	}
	return nil
}

// collector is what a registry asks. It is safe for concurrent use.
type collector struct {
	*Metrics
	sessions *session.Manager
}

// Describe implements prometheus.Collector.
func (c collector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.events
	for _, g := range c.gauges {
		descs <- g.desc
	}
	for _, h := range []*prometheus.HistogramVec{c.refresh, c.login, c.store} {
		h.Describe(descs)
	}
}

// Collect implements prometheus.Collector. It asks no store.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	for kind, n := range c.sessions.Stats() {
		metrics <- prometheus.MustNewConstMetric(c.events, prometheus.CounterValue, float64(n), string(kind))
	}
	state := c.sessions.State()
	for _, g := range c.gauges {
		metrics <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, float64(g.of(state)))
	}
	for _, h := range []*prometheus.HistogramVec{c.refresh, c.login, c.store} {
		h.Collect(metrics)
	}
}
