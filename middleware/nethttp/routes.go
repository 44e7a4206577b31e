package nethttp

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Routes says what a guard requires on each route of a framework whose router tells the
// route of a request, as echo and gin do. It is for guards that build on a Core. It is safe
// for concurrent use. Make one with Core.Routes.
type Routes struct {
	core       *Core
	public     routeList
	background routeList
	hosts      string    // what the report says of virtual hosts
	reporting  sync.Once // of the entries that match no route
}

// RoutesConfig describes the routes of an app to Core.Routes.
type RoutesConfig struct {
	// Public and Background list routes as they were registered with the framework:
	// "/articles/:id". A path alone holds for every method, "GET /articles/:id" for GET and
	// HEAD only.
	Public     []string
	Background []string

	// Hosts says that the framework has virtual hosts: an entry may begin with the name of
	// one, as in "GET shop.example.com/articles/:id".
	Hosts bool
}

// Routes returns what a guard requires on each route. The login page is always public. If an
// entry is faulty, the error names every fault.
func (c *Core) Routes(cfg RoutesConfig) (*Routes, error) {
	if err := errors.Join(routeFaults("Public", cfg.Public, cfg.Hosts), routeFaults("Background", cfg.Background, cfg.Hosts)); err != nil {
		return nil, err
	}
	rs := &Routes{core: c, public: newRouteList(cfg.Public), background: newRouteList(cfg.Background)}
	if cfg.Hosts {
		rs.hosts = ", and on a virtual host after its name"
	}
	return rs, nil
}

// Requirement returns what a request to a route requires, if the guard must call Core.Admit.
// It returns false for the route of the logout, which makes its own checks. A route that the
// router has not found is "", and that of a virtual host begins with its name.
func (rs *Routes) Requirement(route, method string) (need Requirement, guarded bool) {
	if route == rs.core.LogoutPath() {
		return Requirement{}, false
	}
	return Requirement{
		Public:     route == rs.core.LoginPath() || rs.public.has(route, method),
		Background: rs.background.has(route, method),
	}, true
}

// ReportUnmatched logs a warning, with slog's default logger, of the entries for which the
// framework has no route: they open nothing, and may be misspelt. It does so once. Call it at
// the first request: the framework has all its routes then. registered is only called then,
// and yields each route and its method; "" stands for all methods.
func (rs *Routes) ReportUnmatched(registered func() iter.Seq2[string, string]) {
	rs.reporting.Do(func() {
		for _, list := range []struct {
			field string
			routeList
		}{{"Public", rs.public}, {"Background", rs.background}} {
			if unmatched := list.unmatched(registered()); len(unmatched) > 0 {
				slog.Warn(fmt.Sprintf("guard: Config.%s has entries that match no route, and do nothing: %q; write the path as it was registered%s", list.field, unmatched, rs.hosts))
			}
		}
	})
}

// routeFaults returns an error that names every fault of a list of routes.
func routeFaults(field string, entries []string, hosts bool) error {
	remedy := "write the path of a route as it was registered, such as /articles/:id"
	if hosts {
		remedy += ", on a virtual host after its name, such as shop.example.com/articles/:id"
	}
	var faults []error
	wrong := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("guard: Config."+field+" has "+format, args...))
	}
	for _, entry := range entries {
		method, route := splitEntry(entry)
		begin := max(strings.Index(route, "/"), 0)
		host, path := route[:begin], route[begin:]
		if method != strings.ToUpper(method) {
			wrong("%q: write the method in capitals, or leave it out", entry)
		}
		if !strings.HasPrefix(path, "/") || host != "" && (!hosts || strings.HasPrefix(path, "//")) || strings.ContainsAny(host, " \t") {
			wrong("%q: %s", entry, remedy)
		}
		if strings.ContainsAny(route, "?#") {
			wrong("%q: a route has no query and no fragment", entry)
		}
		if strings.ContainsAny(path, "{}") {
			wrong("%q: a parameter is written as :id, not as {id}", entry)
		}
		if host == "" && strings.HasPrefix(path, "/*") && !strings.Contains(path[1:], "/") {
			wrong("%q: it holds for every path that matches no other route", entry)
		}
	}
	return errors.Join(faults...)
}

// splitEntry splits an entry of a list. The method may be empty.
func splitEntry(entry string) (method, route string) {
	if before, after, ok := strings.Cut(entry, " "); ok {
		return before, after
	}
	return "", entry
}

// routeList is a list of routes of Config.
type routeList struct {
	entries []string
	methods map[string][]string // of each route; nil: all
}

func newRouteList(entries []string) routeList {
	list := routeList{slices.Clone(entries), map[string][]string{}}
	for _, entry := range entries {
		switch method, route := splitEntry(entry); method {
		case "":
		case http.MethodGet:
			list.methods[route] = append(list.methods[route], method, http.MethodHead)
		default:
			list.methods[route] = append(list.methods[route], method)
		}
	}
	// A path alone includes every method, so it replaces the entries above.
	for _, entry := range entries {
		if method, route := splitEntry(entry); method == "" {
			list.methods[route] = nil
		}
	}
	return list
}

func (l routeList) has(route, method string) bool {
	methods, ok := l.methods[route]
	return ok && (methods == nil || slices.Contains(methods, method))
}

// unmatched returns the entries that match none of the routes, which come with their methods.
// GET opens HEAD, too, and a framework may answer OPTIONS on each route.
func (l routeList) unmatched(registered iter.Seq2[string, string]) (unmatched []string) {
	methods := map[string][]string{}
	for route, method := range registered {
		methods[route] = append(methods[route], method)
	}
	for _, entry := range l.entries {
		method, route := splitEntry(entry)
		if !slices.ContainsFunc(methods[route], func(known string) bool {
			return method == "" || known == "" || method == known || method == http.MethodOptions || method == http.MethodGet && known == http.MethodHead
		}) {
			unmatched = append(unmatched, entry)
		}
	}
	return unmatched
}
