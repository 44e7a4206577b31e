package session

import "math/rand/v2"

// grant makes the session, and the cookies that the class of its ticket earns:
// both for one that was confirmed, an access cookie for a young one, and none
// for a straggler, whose browser owns a newer one already.
func (m *Manager) grant(t refreshTicket, o outcome) (Verdict, error) {
	v := Verdict{manager: m, ticket: m.accessFor(o.snap), decided: o.asked, child: true}
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
	sealers := m.sealers.Load()
	value, err := sealers.access.seal(v.ticket)
	if err != nil {
		m.event(Event{Kind: EventTooLarge, SessionID: v.ticket.ID})
		*v = Verdict{}
		return err
	}
	sealers.opened.put(&openedCookie{value, *v.ticket})
	v.Cookies = append(v.Cookies, m.names.cookie(m.names.access, value, v.ticket.ExpiresAt.Sub(snap.Now)))
	if refresh == nil {
		return nil
	}
	if value, err = sealers.refresh.seal(refresh); err != nil {
		*v = Verdict{}
		return err
	}
	life := min(refresh.expires.Sub(snap.Now), snap.Record.EndsAt.Sub(snap.Now))
	v.Cookies = append(v.Cookies, m.names.cookie(m.names.refresh, value, life))
	return nil
}

// accessFor mints an access ticket from what the store has just said. Its life is
// up to a tenth shorter than AccessTTL, so that users who logged in together do
// not come back together.
func (m *Manager) accessFor(snap Snapshot) *accessTicket {
	row := snap.Record
	expires := snap.Now.Add(m.cfg.AccessTTL - rand.N(m.cfg.AccessTTL/10))
	if expires.After(row.EndsAt) {
		expires = row.EndsAt
	}
	return &accessTicket{
		Session: Session{
			ID:        row.ID.String(),
			UserID:    row.UserID,
			Roles:     row.User.Roles,
			Attrs:     row.User.Attrs,
			AuthTime:  stamp(row.AuthTime),
			IssuedAt:  stamp(snap.Now),
			ExpiresAt: stamp(expires),
			EndsAt:    stamp(row.EndsAt),
		},
		id:          row.ID,
		reload:      row.Reload,
		globalEpoch: row.GlobalEpoch,
	}
}
