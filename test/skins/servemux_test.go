package skins

import (
	"net/http"

	"github.com/sessionkit/sessionkit/session"
)

func newServeMux(sessions *session.Manager, s setup) (http.Handler, error) {
	guard, err := newGuard(sessions, s)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, r := range routesOf(guard, sessions) {
		if r.path == "/" {
			r.path = "/{$}"
		}
		mux.Handle(r.method+" "+r.path, r.handler)
	}
	return mount(guard, s, mux), nil
}
