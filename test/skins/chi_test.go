package skins

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/sessionkit/sessionkit/session"
)

func newChi(sessions *session.Manager, s setup) (http.Handler, error) {
	guard, err := newGuard(sessions, s)
	if err != nil {
		return nil, err
	}
	router := chi.NewRouter()
	router.Use(func(next http.Handler) http.Handler { return mount(guard, s, next) })
	for _, r := range routesOf(guard, sessions) {
		if strings.HasSuffix(r.path, "/") && r.path != "/" {
			r.path += "*"
		}
		router.Method(r.method, r.path, r.handler)
	}
	return router, nil
}
