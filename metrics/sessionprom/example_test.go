package sessionprom_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sessionkit/sessionkit/metrics/sessionprom"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// must ends the program if the app cannot start.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// The app shows the metrics to Prometheus at /metrics. Keep that path away from strangers.
func Example() {
	users := store.NewMemory() // in an app: sqlstore.New
	users.SetUser("ada", store.User{})
	keys := must(session.ParseKeys(session.GenerateKey())) // in an app: from the environment

	metrics := sessionprom.New("shop")
	sessions := must(session.New(keys, users, session.Config{Observe: metrics.Observe}))
	registry := prometheus.NewRegistry() // or prometheus.DefaultRegisterer
	if err := metrics.Register(registry, sessions); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	must(sessions.Issue(httptest.NewRequest("POST", "https://shop.example.com/login", nil), session.Login{UserID: "ada"}))

	page := httptest.NewRecorder()
	mux.ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(page.Body.String()) {
		if strings.Contains(line, `"issued"`) || strings.HasPrefix(line, "sessionkit_store_down") || strings.HasPrefix(line, "sessionkit_login_duration_seconds_count") {
			fmt.Print(line)
		}
	}
	// Output:
	// sessionkit_events_total{app="shop",kind="issued"} 1
	// sessionkit_login_duration_seconds_count{app="shop",outcome="ok"} 1
	// sessionkit_store_down{app="shop"} 0
}
