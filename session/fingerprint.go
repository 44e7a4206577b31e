package session

import (
	"crypto/sha256"
	"net/http"
	"slices"

	"github.com/sessionkit/sessionkit/session/store"
)

// The fingerprint of a session says what its client looked like at the login. A copied
// cookie often comes from a client with another fingerprint. That is a sign, and no proof: a
// thief can imitate a browser, and an honest browser can change. So the fingerprint ends no
// session.

// fingerprint returns the digest of what the client of a request looks like. It is zero if
// the app does not say.
func (c Config) fingerprint(r *http.Request) store.Digest {
	if c.Fingerprint == nil {
		return store.Digest{}
	}
	looks := c.Fingerprint(r)
	if looks == "" {
		return store.Digest{}
	}
	return sha256.Sum256([]byte(looks))
}

// looksDifferent reports whether the client of a request has another fingerprint than at the
// login of the session.
func (c Config) looksDifferent(r *http.Request, row *store.Record) bool {
	return c.Fingerprint != nil && row.Fingerprint != (store.Digest{}) && c.fingerprint(r) != row.Fingerprint
}

// judge is windows.judge, except that Config.RequireFingerprint refuses a ticket that would
// go on.
func (rs *resolver) judge(r *http.Request, s store.Snapshot, t refreshTicket) class {
	class := rs.spans.of(t.client).judge(s, t)
	if class.goesOn() && rs.cfg.RequireFingerprint && rs.cfg.looksDifferent(r, s.Record) {
		return classForeign
	}
	return class
}

// looks tells clients apart whose requests wait for one answer of the store.
func (rs *resolver) looks(r *http.Request) string {
	if rs.cfg.Fingerprint == nil {
		return ""
	}
	looks := rs.cfg.fingerprint(r)
	return string(looks[:])
}

// forClient returns what an outcome of a moment ago, which may be another client's, means
// for the client of a request. ok is false if it says nothing: only the refusal of another
// client is known.
func (rs *resolver) forClient(r *http.Request, o outcome) (_ outcome, ok bool) {
	if !rs.cfg.RequireFingerprint {
		return o, true
	}
	if rs.cfg.looksDifferent(r, o.snap.Record) {
		o.class = classForeign
		return o, true
	}
	return o, o.class != classForeign
}

// replaced returns the sessions in the request's cookies, which a login ends. With
// Config.RequireFingerprint it leaves out those of a client with another fingerprint: a thief
// who logs in as themselves must not end the session of the victim.
func (m *Manager) replaced(c *call) ([]named, error) {
	sessions := m.sessionsOf(c.r)
	if !m.cfg.RequireFingerprint {
		return sessions, nil
	}
	var failed error
	sessions = slices.DeleteFunc(sessions, func(s named) bool {
		snap, err := c.find(s.id)
		if err != nil {
			failed = err
		}
		return err != nil || snap.Record == nil || m.cfg.looksDifferent(c.r, snap.Record)
	})
	return sessions, failed
}
