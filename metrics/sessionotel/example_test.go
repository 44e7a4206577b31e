package sessionotel_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sessionkit/sessionkit/metrics/sessionotel"
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

// The SDK of an app exports to a collector. Here it exports to memory.
func Example() {
	reader := sdkmetric.NewManualReader()
	spans := tracetest.NewInMemoryExporter()

	users := store.NewMemory() // in an app: sqlstore.New
	users.SetUser("ada", store.User{})
	keys := must(session.ParseKeys(session.GenerateKey())) // in an app: from the environment

	telemetry := must(sessionotel.New(sessionotel.Config{ // without Meters and Tracers: those of otel
		App:     "shop",
		Meters:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
		Tracers: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)),
	}))
	sessions := must(session.New(keys, users, session.Config{Observe: telemetry.Observe}))
	if err := telemetry.Register(sessions); err != nil {
		log.Fatal(err)
	}

	must(sessions.Issue(httptest.NewRequest("POST", "https://shop.example.com/login", nil), session.Login{UserID: "ada"}))

	for _, span := range spans.GetSpans() {
		fmt.Println("span:", span.Name)
	}
	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &metrics); err != nil {
		log.Fatal(err)
	}
	for _, m := range metrics.ScopeMetrics[0].Metrics {
		if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == "sessionkit.login.duration" {
			fmt.Println("metric:", m.Name, h.DataPoints[0].Count)
		}
	}
	// Output:
	// span: sessionkit store Create
	// span: sessionkit store Find
	// span: sessionkit store Newest
	// span: sessionkit login
	// metric: sessionkit.login.duration 1
}
