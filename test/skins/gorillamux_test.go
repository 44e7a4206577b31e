package skins

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/sessionkit/sessionkit/session"
)

func newGorillaMux(sessions *session.Manager, s setup) (http.Handler, error) {
	guard, err := newGuard(sessions, s)
	if err != nil {
		return nil, err
	}
	router := mux.NewRouter()
	for _, r := range routesOf(guard, sessions) {
		if strings.HasSuffix(r.path, "/") && r.path != "/" {
			router.PathPrefix(r.path).Methods(r.method).Handler(r.handler)
		} else {
			router.Path(r.path).Methods(r.method).Handler(r.handler)
		}
	}
	// Around the router, not with Use: mux gives middleware only the requests that match.
	return mount(guard, s, router), nil
}
