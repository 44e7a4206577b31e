package nethttp_test

import (
	"fmt"
	"iter"
	"log/slog"
	"os"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// A framework whose router tells the route of a request, such as "/articles/:id", needs no
// list of its own. Its guard asks Routes, and then calls Core.Admit.
func ExampleRoutes() {
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime})))
	core, err := nethttp.NewCore(exampleSessions(session.Config{}), nethttp.CoreConfig{})
	if err != nil {
		panic(err)
	}
	routes, err := core.Routes(nethttp.RoutesConfig{Public: []string{"/", "GET /articles/:id", "/artikles"}})
	if err != nil {
		panic(err)
	}

	// The framework has these routes. The last entry is misspelt.
	registered := func() iter.Seq2[string, string] {
		return func(yield func(route, method string) bool) {
			_ = yield("/", "GET") && yield("/articles/:id", "GET") && yield("/articles/:id", "POST")
		}
	}
	routes.ReportUnmatched(registered)

	for _, method := range []string{"GET", "POST"} {
		need, guarded := routes.Requirement("/articles/:id", method)
		fmt.Println(method, "guarded:", guarded, "public:", need.Public)
	}
	// Output:
	// level=WARN msg="guard: Config.Public has entries that match no route, and do nothing: [\"/artikles\"]; write the path as it was registered"
	// GET guarded: true public: true
	// POST guarded: true public: false
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
