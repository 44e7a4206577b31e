package session

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// grant makes the session, and the cookies that the class of its ticket earns:
// both for one that was confirmed, an access cookie for a young one, and none
// for a straggler, whose browser owns a newer one already.
func (m *Manager) grant(t refreshTicket, o outcome) (Verdict, error) {
	v := Verdict{manager: m, ticket: m.accessFor(o.snap), decided: time.Now(), child: true}
	v.Session = v.ticket.session()
	if o.class == classStraggler {
		return v, nil
	}
	if o.class == classYoung {
		return v, m.addCookies(&v, nil, o.snap)
	}
	idle, _ := m.cfg.timeouts(t.remember)
	child := t.child(o.snap.Now, idle)
	return v, m.addCookies(&v, &child, o.snap)
}

func (m *Manager) addCookies(v *Verdict, refresh *refreshTicket, snap Snapshot) error {
	value, err := m.sealers.Load().access.seal(&v.ticket)
	if err != nil {
		*v = Verdict{}
		return err
	}
	v.Cookies = append(v.Cookies, m.names.cookie(m.names.access, value, time.UnixMilli(v.ticket.expires).Sub(snap.Now)))
	if refresh == nil {
		return nil
	}
	if value, err = m.sealers.Load().refresh.seal(refresh); err != nil {
		*v = Verdict{}
		return err
	}
	life := min(time.UnixMilli(refresh.expires).Sub(snap.Now), snap.Record.EndsAt.Sub(snap.Now))
	v.Cookies = append(v.Cookies, m.names.cookie(m.names.refresh, value, life))
	return nil
}

// accessFor mints an access ticket from what the store has just said. Its life is
// up to a tenth shorter than AccessTTL, so that users who logged in together do
// not come back together.
func (m *Manager) accessFor(snap Snapshot) accessTicket {
	row := snap.Record
	expires := snap.Now.Add(m.cfg.AccessTTL - rand.N(m.cfg.AccessTTL/10))
	if expires.After(row.EndsAt) {
		expires = row.EndsAt
	}
	return accessTicket{
		id:          row.ID,
		userID:      row.UserID,
		roles:       row.User.Roles,
		attrs:       row.User.Attrs,
		reload:      row.Reload,
		globalEpoch: row.GlobalEpoch,
		authTime:    row.AuthTime.UnixMilli(),
		issued:      snap.Now.UnixMilli(),
		expires:     expires.UnixMilli(),
		ends:        row.EndsAt.UnixMilli(),
	}
}

// session returns what the ticket says. Roles and Attrs are copies: requests
// that shared a row share nothing that a handler could change.
func (t *accessTicket) session() Session {
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	return Session{
		ID:        t.id.String(),
		UserID:    t.userID,
		Roles:     slices.Clone(t.roles),
		Attrs:     maps.Clone(t.attrs),
		AuthTime:  at(t.authTime),
		IssuedAt:  at(t.issued),
		ExpiresAt: at(t.expires),
		EndsAt:    at(t.ends),
	}
}
