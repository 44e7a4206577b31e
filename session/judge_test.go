package session

import (
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// The decision of judge, with one case for each class and each boundary. The access
// lifetime is two minutes, so a ticket is young for 100 s and the grace period is 10 s.
func TestJudge_ClassOfEachTicketAtEachBoundary(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	at := func(d time.Duration) time.Time { return now.Add(d) }
	id := func(n byte) (id [16]byte) { id[0] = n; return id }
	digest := func(n byte) store.Digest { return refreshTicket{id: id(n)}.digest() }

	// The row has confirmed ticket 4 of generation 4, after ticket 3.
	row := store.Record{
		Generation: 4, Confirmed: digest(4), Previous: digest(3), ConfirmedAt: now.Add(-5 * time.Second),
		EndsAt: now.Add(time.Hour), UserEpoch: 7, User: store.User{Epoch: 7},
	}
	ticket := func(generation uint64, self, parent byte) refreshTicket {
		return refreshTicket{generation: generation, id: id(self), parent: id(parent), issued: at(-2 * time.Minute), expires: at(28 * time.Minute)}
	}
	issued := func(t refreshTicket, age time.Duration) refreshTicket { t.issued = at(-age); return t }
	confirmed := ticket(4, 4, 3)
	child := ticket(5, 5, 4)
	previous := ticket(3, 3, 2)
	ahead := ticket(6, 6, 5)

	confirmedAgo := func(d time.Duration) func(*store.Snapshot, *store.Record) {
		return func(_ *store.Snapshot, r *store.Record) { r.ConfirmedAt = at(-d) }
	}
	late := func(last, before time.Duration) func(*store.Snapshot, *store.Record) {
		return func(_ *store.Snapshot, r *store.Record) {
			r.ConfirmedAt, r.LateAt = at(-time.Hour), at(-last)
			if before != 0 {
				r.LateBefore = at(-before)
			}
		}
	}

	for _, c := range []struct {
		name   string
		change func(s *store.Snapshot, r *store.Record)
		ticket refreshTicket
		want   class
	}{
		{"the confirmed ticket", nil, confirmed, classSame},
		{"a child of it", nil, child, classNext},
		{"another child of it", nil, ticket(5, 50, 4), classNext},
		{"two generations ahead", nil, ahead, classAhead},
		{"as many generations ahead as an hour and 5 s allow", nil, ticket(4+2+4326, 90, 89), classAhead},
		{"one generation more", nil, ticket(4+2+4327, 90, 89), classReuse},
		{"one generation more, and young", nil, issued(ticket(4+2+4327, 90, 89), time.Second), classReuse},
		{"as many as an hour allows, as the clock was set back", func(_ *store.Snapshot, r *store.Record) { r.ConfirmedAt = now.Add(time.Hour) }, ticket(4+2+4320, 90, 89), classAhead},
		{"one more, as the clock was set back", func(_ *store.Snapshot, r *store.Record) { r.ConfirmedAt = now.Add(time.Hour) }, ticket(4+2+4321, 90, 89), classReuse},

		{"same, an access lifetime after the confirmation", confirmedAgo(2 * time.Minute), confirmed, classSame},
		{"same, later than that", confirmedAgo(2*time.Minute + time.Microsecond), confirmed, classLate},
		{"same, an access lifetime after the last late one", late(2*time.Minute, 0), confirmed, classSame},
		{"same, later than that, once more", late(2*time.Minute+time.Microsecond, 0), confirmed, classLate},
		{"same, and the last late one is in the future", late(-time.Hour, 0), confirmed, classLate},
		{"next, after one late presentation", late(time.Microsecond, 0), issued(child, time.Hour), classNext},
		{"next, after two, an access lifetime after it was issued", late(time.Minute, 8*time.Minute), issued(child, 10*time.Minute), classNext},
		{"next, after two, later than that", late(time.Minute, 8*time.Minute-time.Microsecond), issued(child, 10*time.Minute), classReuse},
		{"next, after two, of which one is older", late(time.Minute, 11*time.Minute), issued(child, 10*time.Minute), classNext},
		{"ahead, after two", late(time.Minute, 2*time.Minute), issued(ahead, time.Hour), classAhead},
		{"the previous ticket, in flight", nil, previous, classStraggler},

		{"same, a moment before it may refresh", nil, issued(confirmed, 100*time.Second-time.Millisecond), classYoung},
		{"same, from when it may refresh", nil, issued(confirmed, 100*time.Second), classSame},
		{"next, a moment before it may refresh", nil, issued(child, 100*time.Second-time.Millisecond), classYoung},
		{"next, from when it may refresh", nil, issued(child, 100*time.Second), classNext},
		{"ahead, a moment before it may refresh", nil, issued(ahead, 100*time.Second-time.Millisecond), classYoung},
		{"ahead, from when it may refresh", nil, issued(ahead, 100*time.Second), classAhead},
		{"issued before the clock was set back a little", nil, issued(child, -2*time.Minute), classYoung},
		{"issued before the clock was set back further", nil, issued(child, -2*time.Minute-10*time.Millisecond), classNext},
		{"same, issued before the clock was set back further", nil, issued(confirmed, -time.Hour), classSame},
		{"the one before, with generations between", func(_ *store.Snapshot, r *store.Record) { r.Generation = 7 }, previous, classReuse},
		{"a global epoch below the one at login, as after a failover", func(_ *store.Snapshot, r *store.Record) { r.GlobalEpoch = 1 }, child, classNext},
		{"a young ticket that is reused", nil, issued(ticket(4, 40, 2), time.Second), classReuse},
		{"a young ticket in grace", nil, issued(previous, time.Second), classStraggler},

		{"the previous ticket, at the end of the grace period", func(_ *store.Snapshot, r *store.Record) { r.ConfirmedAt = now.Add(-10 * time.Second) }, previous, classStraggler},
		{"the previous ticket, after the grace period", func(_ *store.Snapshot, r *store.Record) { r.ConfirmedAt = now.Add(-10*time.Second - time.Millisecond) }, previous, classReuse},
		{"a sibling of the previous ticket", nil, ticket(3, 30, 2), classReuse},
		{"the ticket before the previous one", nil, ticket(2, 2, 1), classReuse},
		{"a sibling of the confirmed, in flight", nil, ticket(4, 40, 3), classStraggler},
		{"a sibling of the confirmed, at the end of the grace period", confirmedAgo(10 * time.Second), ticket(4, 40, 3), classStraggler},
		{"a sibling of the confirmed, after the grace period", confirmedAgo(10*time.Second + time.Millisecond), ticket(4, 40, 3), classReuse},
		{"a later child of the previous ticket", nil, ticket(6+4326+4, 41, 3), classReuse},
		{"an earlier child of the previous ticket", nil, ticket(3, 41, 3), classReuse},
		{"a ticket of the confirmed one's generation", nil, ticket(4, 42, 2), classReuse},
		{"a child of a sibling", nil, ticket(5, 51, 40), classReuse},
		{"the ticket of the login, superseded long ago", nil, ticket(0, 1, 0), classReuse},

		{"the login's ticket", func(_ *store.Snapshot, r *store.Record) {
			*r = store.Record{Confirmed: digest(1), ConfirmedAt: now, EndsAt: r.EndsAt}
		}, ticket(0, 1, 0), classSame},
		{"the login's child", func(_ *store.Snapshot, r *store.Record) { *r = store.Record{Confirmed: digest(1), EndsAt: r.EndsAt} }, ticket(1, 2, 1), classNext},
		{"no wrap-around below a login", func(_ *store.Snapshot, r *store.Record) { *r = store.Record{Confirmed: digest(1), EndsAt: r.EndsAt} }, ticket(1<<64-1, 9, 8), classReuse},
		{"the row of a login has no previous ticket", func(_ *store.Snapshot, r *store.Record) {
			*r = store.Record{Confirmed: digest(1), EndsAt: r.EndsAt, ConfirmedAt: now}
		}, ticket(0, 9, 8), classReuse},

		{"revoked", func(_ *store.Snapshot, r *store.Record) { r.RevokedAt = now }, confirmed, classEnded},
		{"revoked, with a superseded ticket", func(_ *store.Snapshot, r *store.Record) { r.RevokedAt = now }, ticket(2, 2, 1), classEnded},
		{"a moment before the absolute end", func(_ *store.Snapshot, r *store.Record) { r.EndsAt = now.Add(time.Microsecond) }, confirmed, classSame},
		{"at the absolute end", func(_ *store.Snapshot, r *store.Record) { r.EndsAt = now }, confirmed, classEnded},
		{"user disabled", func(_ *store.Snapshot, r *store.Record) { r.User.Disabled = true }, child, classEnded},
		{"user's epoch moved", func(_ *store.Snapshot, r *store.Record) { r.User.Epoch++ }, child, classEnded},
		{"user's epoch moved back", func(_ *store.Snapshot, r *store.Record) { r.User.Epoch-- }, child, classEnded},
		{"the global epoch moved", func(s *store.Snapshot, _ *store.Record) { s.GlobalEpoch = 1 }, child, classEnded},
		{"the global epoch at login", func(s *store.Snapshot, r *store.Record) { s.GlobalEpoch, r.GlobalEpoch = 1, 1 }, child, classNext},
		{"a moment before the idle end", nil, refreshTicket{generation: 4, id: id(4), issued: at(-30 * time.Minute), expires: at(time.Millisecond)}, classSame},
		{"at the idle end", nil, refreshTicket{generation: 4, id: id(4), issued: at(-30 * time.Minute), expires: at(0)}, classEnded},

		{"no row", func(s *store.Snapshot, _ *store.Record) { s.Record = nil }, child, classMissing},
		{"no row, a login long ago", func(s *store.Snapshot, _ *store.Record) { s.Record = nil }, ticket(0, 1, 0), classMissing},
		{"no row, a login 15 s ago", func(s *store.Snapshot, _ *store.Record) { s.Record = nil }, issued(ticket(0, 1, 0), 15*time.Second), classMissing},
		{"no row, a login just under 15 s ago", func(s *store.Snapshot, _ *store.Record) { s.Record = nil }, issued(ticket(0, 1, 0), 15*time.Second-time.Millisecond), classDelayed},
		{"no row, a refresh just now", func(s *store.Snapshot, _ *store.Record) { s.Record = nil }, issued(child, time.Second), classMissing},
	} {
		r := row
		s := store.Snapshot{Now: now, Record: &r}
		if c.change != nil {
			c.change(&s, &r)
		}
		if got := windowsFor(2*time.Minute).judge(s, c.ticket); got != c.want {
			t.Errorf("%s: %v; want %v", c.name, got, c.want)
		}
	}
}

// judge and the conditions of the store must agree. Confirm accepts exactly what is
// judged next or ahead. RevokeReused accepts exactly what is judged reuse or in grace.
// No ticket satisfies both.
func TestJudge_AgreesWithTheConditionsOfTheStore(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	id := func(n int) (id [16]byte) { id[0] = byte(n); return id }
	for k := range 4 {
		for confirmed := range 4 {
			row := store.Record{Generation: uint64(k), Confirmed: refreshTicket{id: id(confirmed)}.digest(), Previous: refreshTicket{id: id(3)}.digest(), ConfirmedAt: now, EndsAt: now.Add(time.Hour)}
			for s := range 7 {
				for self := range 4 {
					for parent := range 4 {
						ticket := refreshTicket{generation: uint64(s), id: id(self), parent: id(parent), issued: now.Add(-2 * time.Minute), expires: now.Add(time.Hour)}
						class := windowsFor(2*time.Minute).judge(store.Snapshot{Now: now, Record: &row}, ticket)
						p := windowsFor(2*time.Minute).presented(store.Snapshot{Now: now, Record: &row}, ticket)
						takes, supersedes := row.CanConfirm(p), row.IsReuse(p)
						if want := class == classNext || class == classAhead; takes != want {
							t.Fatalf("row %d/%d, ticket %d/%d/%d: %v, and CanConfirm is %v", k, confirmed, s, self, parent, class, takes)
						}
						if want := class == classReuse || class == classStraggler; supersedes != want {
							t.Fatalf("row %d/%d, ticket %d/%d/%d: %v, and IsReuse is %v", k, confirmed, s, self, parent, class, supersedes)
						}
					}
				}
			}
		}
	}
}

// A store confirms in one step only what judge calls next, at each boundary of time, and the
// next ticket of an ordinary refresh is confirmed so.
func TestJudge_CallsNextWhatAStoreConfirmsInOneStep(t *testing.T) {
	const idle, a = 30 * time.Minute, 2 * time.Minute
	now := time.UnixMilli(1_800_000_000_000)
	id := func(n byte) (id [16]byte) { id[0] = n; return id }
	digest := func(n byte) store.Digest { return refreshTicket{id: id(n)}.digest() }
	rs := &resolver{spans: spans{cookies: windowsFor(a)}, cfg: Config{IdleTimeout: idle}}

	var ages []time.Duration
	for _, boundary := range []time.Duration{-a, 0, rs.spans.cookies.young, a, idle} {
		ages = append(ages, boundary-1, boundary, boundary+1)
	}
	times := []time.Time{{}, now.Add(-1), now, now.Add(1)}
	for _, age := range ages {
		for _, change := range []func(*store.Record, *refreshTicket, time.Time){
			func(*store.Record, *refreshTicket, time.Time) {},
			func(r *store.Record, _ *refreshTicket, at time.Time) { r.EndsAt = at },
			func(_ *store.Record, t *refreshTicket, at time.Time) { t.expires = at },
			func(r *store.Record, _ *refreshTicket, at time.Time) { r.RevokedAt = at },
			func(r *store.Record, _ *refreshTicket, at time.Time) {
				r.RevokedAt, r.Reason = at, store.ReasonReplaced
			},
			func(r *store.Record, _ *refreshTicket, at time.Time) { r.LateAt, r.LateBefore = at, at },
			func(r *store.Record, _ *refreshTicket, _ time.Time) { r.User.Disabled = true },
			func(r *store.Record, _ *refreshTicket, _ time.Time) { r.User.Epoch++ },
			func(r *store.Record, _ *refreshTicket, _ time.Time) { r.User.Epoch-- },
			func(r *store.Record, _ *refreshTicket, _ time.Time) { r.GlobalEpoch-- },
			func(r *store.Record, _ *refreshTicket, _ time.Time) { r.GlobalEpoch++ },
			func(r *store.Record, _ *refreshTicket, _ time.Time) { r.ActorSession = id(9) },
			func(r *store.Record, _ *refreshTicket, _ time.Time) { r.Confirmed = digest(9) },
			func(_ *store.Record, t *refreshTicket, _ time.Time) { t.generation++ },
			func(_ *store.Record, t *refreshTicket, _ time.Time) { t.generation-- },
		} {
			for _, at := range times {
				row := store.Record{
					Generation: 4, Confirmed: digest(4), Previous: digest(3), ConfirmedAt: now.Add(-a), EndsAt: now.Add(time.Hour),
					GlobalEpoch: 3, UserEpoch: 7, User: store.User{Epoch: 7},
				}
				ticket := refreshTicket{generation: 5, id: id(5), parent: id(4), issued: now.Add(-age), expires: now.Add(idle - age)}
				change(&row, &ticket, at)
				snap := store.Snapshot{Now: now, GlobalEpoch: 3, Record: &row}
				if class := rs.judge(nil, snap, ticket); snap.IsNext(rs.next(ticket)) && class != classNext {
					t.Errorf("age %v, row %+v, ticket %+v: the store confirms what is judged %v", age, row, ticket, class)
				}
			}
		}
	}
	row := store.Record{Generation: 4, Confirmed: digest(4), EndsAt: now.Add(time.Hour)}
	ticket := refreshTicket{generation: 5, id: id(5), parent: id(4), issued: now.Add(-a), expires: now.Add(idle - a)}
	if snap := (store.Snapshot{Now: now, Record: &row}); !snap.IsNext(rs.next(ticket)) {
		t.Error("the ticket of an ordinary refresh is not confirmed in one step")
	}
}
