package main

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/sessionkit/sessionkit/session"
)

// stage is a part of the life of the process.
type stage string

const (
	starting stage = "starting"
	serving  stage = ""
	stopping stage = "shutting down"
)

// health is what the probes are told. It is safe for concurrent use.
type health struct {
	mu        sync.Mutex
	stage     stage
	startup   string // why the start is not finished
	storeDown bool
	keys      []string
	keysFault string
}

func newHealth() *health { return &health{stage: starting} }

func (h *health) setStage(s stage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stage, h.startup = s, ""
}

// setStartup says what the start waits for.
func (h *health) setStartup(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.startup = err.Error()
}

func (h *health) setKeys(names []string, fault error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keys, h.keysFault = names, ""
	if fault != nil {
		h.keysFault = fault.Error()
	}
}

func (h *health) isStopping() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stage == stopping
}

// observe learns from the kit's own events whether it reaches the database. Run asks the database
// every second, so the events come without a request of a user, too.
func (h *health) observe(e session.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch e.Kind {
	case session.EventStoreDown:
		h.storeDown = true
	case session.EventStoreBack:
		h.storeDown = false
	}
}

// readiness is the answer of /readyz. It is for those who run the app, and holds no secret.
type readiness struct {
	Status    string   `json:"status"`               // ready, store down, or not ready
	Reason    string   `json:"reason,omitempty"`     // why it is not ready
	Keys      []string `json:"keys"`                 // names of the keys in use; the first one seals
	KeysError string   `json:"keys_error,omitempty"` // why the file of the keys is not what is in use
}

// readiness returns the report and the status of HTTP. Without the database this pod stays ready: all
// pods share it, so if each of them left the balancer, nobody would be served. Users whose access
// cookie is good are served without it, and the others get an answer that says when to try again.
func (h *health) readiness() (readiness, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	report := readiness{Status: "ready", Keys: h.keys, KeysError: h.keysFault}
	switch {
	case h.stage != serving:
		report.Status, report.Reason = "not ready", string(h.stage)
		if h.startup != "" {
			report.Reason += ": " + h.startup
		}
		return report, http.StatusServiceUnavailable
	case h.storeDown:
		report.Status = "store down"
	}
	return report, http.StatusOK
}

// routes serves the probes. /livez never depends on the database: a restart would not mend it.
func (h *health) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("alive\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		report, status := h.readiness()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(report)
	})
	return mux
}
