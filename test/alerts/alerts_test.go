package alerts

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/sessionkit/sessionkit/metrics/sessionprom"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

const files = "../../metrics/sessionprom/"

// exported returns the names of the series that a Manager exports, each with the values of its labels.
// A login, a refresh and a try that fails have happened.
func exported(t *testing.T) map[string]map[string][]string {
	t.Helper()
	metrics, registry := sessionprom.New("shop"), prometheus.NewRegistry()
	kit := sessiontest.New(t, session.Config{Observe: metrics.Observe}, map[string]store.User{"ada": {}})
	if err := metrics.Register(registry, kit.Sessions); err != nil {
		t.Fatal(err)
	}
	guard, err := nethttp.New(kit.Sessions, nethttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b := sessiontest.NewBrowser(guard.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
	b.ExpireAccess()
	b.Get("/")
	kit.Store.Fail(os.ErrDeadlineExceeded)
	if _, err := kit.Sessions.Issue(httptest.NewRequest(http.MethodPost, "https://shop.example.com/", nil), session.Login{UserID: "ada"}); err == nil {
		t.Fatal("a store that fails has let a user log in")
	}

	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]map[string][]string{}
	for _, f := range families {
		of := map[string][]string{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				of[l.GetName()] = append(of[l.GetName()], l.GetValue())
			}
		}
		series[f.GetName()] = of
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if len(f.GetMetric()) > 0 && f.GetMetric()[0].GetHistogram() != nil {
				series[f.GetName()+suffix] = of
			}
		}
	}
	return series
}

var anyWord = regexp.MustCompile(`[a-z-]+`)

// check fails the test unless an expression parses, and each metric, label and value in it is one
// that a Manager exports.
func check(t *testing.T, series map[string]map[string][]string, where, expr string) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Errorf("%s: %s: %v", where, expr, err)
		return
	}
	metrics := map[string]bool{}
	known := func(label string) bool {
		for name := range metrics {
			if _, ok := series[name][label]; !ok && (label != "le" || !strings.HasSuffix(name, "_bucket")) {
				return false
			}
		}
		return true
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		metrics[selector.Name] = true
		of, ok := series[selector.Name]
		if !ok {
			t.Errorf("%s: no Manager exports %s", where, selector.Name)
			return nil
		}
		for _, m := range selector.LabelMatchers {
			if m.Name == model.MetricNameLabel || m.Name == "app" {
				continue
			}
			for _, value := range anyWord.FindAllString(m.Value, -1) {
				if !slices.Contains(of[m.Name], value) {
					t.Errorf("%s: no %s has %s=%q", where, selector.Name, m.Name, value)
				}
			}
		}
		return nil
	})
	if len(metrics) == 0 {
		t.Errorf("%s: %s asks for no metric", where, expr)
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if by, ok := node.(*parser.AggregateExpr); ok {
			for _, label := range by.Grouping {
				if !known(label) {
					t.Errorf("%s: no label %s in %s", where, label, expr)
				}
			}
		}
		return nil
	})
}

// docs/operations.md says which kinds of events raise an alarm.
func TestAlerts_AskForWhatAManagerExports(t *testing.T) {
	groups, errs := rulefmt.ParseFile(files+"alerts.yml", false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	series, all := exported(t), ""
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			check(t, series, r.Alert, r.Expr)
			all += r.Expr
		}
	}
	for _, kind := range []session.EventKind{session.EventReuse, session.EventStoreDown, session.EventRevocationLost, session.EventAuditLost, session.EventEnded, session.EventUndecodable} {
		if !strings.Contains(all, `kind="`+string(kind)+`"`) {
			t.Errorf("no alert for %s", kind)
		}
	}
}

func TestDashboard_AsksForWhatAManagerExports(t *testing.T) {
	text, err := os.ReadFile(files + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	series, queries := exported(t), 0
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			queries++
			check(t, series, p.Title, strings.NewReplacer("$__rate_interval", "5m", "$app", "shop").Replace(target.Expr))
		}
	}
	if queries == 0 {
		t.Error("the dashboard has no query")
	}
	t.Logf("%d panels with %d queries", len(dashboard.Panels), queries)
}
