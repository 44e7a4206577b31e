package session

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"
)

// century is the greatest difference between a ticket's times, in hundredths of a
// second.
const century = 100 * 366 * 24 * 3600 * 100

// accessPayload is the wire format of an access ticket, written by hand: kind, id,
// time of issue, three spans, three counters, the user's id, and what comes after.
func accessPayload(issued int64, spans [3]uint64, rest ...byte) []byte {
	b := append([]byte{'a'}, make([]byte, 16)...)
	b = binary.AppendVarint(b, issued)
	for _, span := range spans {
		b = binary.AppendUvarint(b, span)
	}
	return append(append(b, 3, 4, 5, 1, '7'), rest...)
}

// refreshPayload is the wire format of a refresh ticket.
func refreshPayload(remember byte, issued int64, life uint64, rest ...byte) []byte {
	b := append([]byte{'r'}, make([]byte, 16)...)
	b = append(binary.AppendUvarint(b, 5), make([]byte, 32)...)
	b = binary.AppendVarint(append(b, remember), issued)
	return append(binary.AppendUvarint(b, life), rest...)
}

func TestTicket_AccessPayloadIsReadToTheLastByteOrNotAtAll(t *testing.T) {
	tooLong := binary.AppendUvarint(nil, 1<<62)
	for _, c := range []struct {
		name    string
		payload []byte
		good    bool
	}{
		{"plain", accessPayload(1, [3]uint64{1, 2, 3}), true},
		{"with a role", accessPayload(1, [3]uint64{1, 2, 3}, 1<<3, 'x'), true},
		{"with an attribute", accessPayload(1, [3]uint64{1, 2, 3}, 1<<3|1, 'n', 1, 'v'), true},
		{"a century ago", accessPayload(-century, [3]uint64{}), true},
		{"in a century", accessPayload(century, [3]uint64{}), true},
		{"more than a century ago", accessPayload(-century-1, [3]uint64{}), false},
		{"in more than a century", accessPayload(century+1, [3]uint64{}), false},
		{"each span a century", accessPayload(1, [3]uint64{century, century, century}), true},
		{"AuthTime out of range", accessPayload(1, [3]uint64{century + 1, 0, 0}), false},
		{"ExpiresAt out of range", accessPayload(1, [3]uint64{0, century + 1, 0}), false},
		{"EndsAt out of range", accessPayload(1, [3]uint64{0, 0, 1<<64 - 1}), false},
		{"a truncated role", accessPayload(1, [3]uint64{}, 2<<3, 'x'), false},
		{"a role whose length is out of range", accessPayload(1, [3]uint64{}, tooLong...), false},
		{"an attribute without a value", accessPayload(1, [3]uint64{}, 1<<3|1, 'n'), false},
		{"a truncated attribute value", accessPayload(1, [3]uint64{}, 1<<3|1, 'n', 2, 'v'), false},
		{"with a method", accessPayload(1, [3]uint64{}, 1<<3|2, 'm'), true},
		{"with an external id", accessPayload(1, [3]uint64{}, 1<<3|3, 'e'), true},
		{"with data", accessPayload(1, [3]uint64{}, 1<<3|4, 'n', 1, 'v'), true},
		{"data without a value", accessPayload(1, [3]uint64{}, 1<<3|4, 'n'), false},
		{"a truncated method", accessPayload(1, [3]uint64{}, 2<<3|2, 'm'), false},
		{"a text of a kind that this version does not know", accessPayload(1, [3]uint64{}, 1<<3|5, 'x'), false},
		{"a text of the last kind", accessPayload(1, [3]uint64{}, 1<<3|7, 'x'), false},
		{"a truncated number at the end", accessPayload(1, [3]uint64{}, 0x80), false},
		{"a time of more than 64 bits", append(append([]byte{'a'}, make([]byte, 16)...), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), false},
		{"a number of more than 64 bits", accessPayload(1, [3]uint64{}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), false},
		{"a refresh ticket", refreshPayload(0, 1, 1), false},
		{"another version", append([]byte{'b'}, accessPayload(1, [3]uint64{})[1:]...), false},
		{"nothing", nil, false},
	} {
		if err := new(accessTicket).parse(c.payload); (err == nil) != c.good {
			t.Errorf("%s: %v; want a ticket: %v", c.name, err, c.good)
		}
	}
	whole := accessPayload(1, [3]uint64{1, 2, 3})
	for n := range whole {
		if err := new(accessTicket).parse(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are a ticket", n, len(whole))
		}
	}
}

func TestTicket_RefreshPayloadIsReadToTheLastByteOrNotAtAll(t *testing.T) {
	for _, c := range []struct {
		name    string
		payload []byte
		good    bool
	}{
		{"plain", refreshPayload(0, 1, 1), true},
		{"remembered", refreshPayload(1, 1, 1), true},
		{"an invalid value for remembered", refreshPayload(2, 1, 1), false},
		{"a byte too many", refreshPayload(0, 1, 1, 0), false},
		{"a ticket and one more", append(refreshPayload(0, 1, 1), refreshPayload(0, 1, 1)...), false},
		{"a century ago, for a century", refreshPayload(0, -century, century), true},
		{"more than a century ago", refreshPayload(0, -century-1, 1), false},
		{"in more than a century", refreshPayload(0, century+1, 1), false},
		{"for more than a century", refreshPayload(0, 1, century+1), false},
		{"an access ticket", accessPayload(1, [3]uint64{}), false},
		{"nothing", nil, false},
	} {
		if err := new(refreshTicket).parse(c.payload); (err == nil) != c.good {
			t.Errorf("%s: %v; want a ticket: %v", c.name, err, c.good)
		}
	}
	whole := refreshPayload(1, 1, 1)
	for n := range whole {
		if err := new(refreshTicket).parse(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are a ticket", n, len(whole))
		}
	}
}

// The wire format is fixed, because nodes of different versions read the same cookies.
func TestTicket_WireFormatIsFixed(t *testing.T) {
	issued := time.Date(2025, 1, 1, 0, 0, 1, 0, time.UTC) // 100 hundredths of a second
	access := accessTicket{
		Session: Session{
			UserID: "7", Roles: []string{"x"}, Attrs: map[string]string{"n": "v"},
			Methods: []string{"m", "o"}, ExternalID: "e", Data: map[string]string{"k": "w"},
			AuthTime: issued.Add(-10 * time.Millisecond), IssuedAt: issued,
			ExpiresAt: issued.Add(20 * time.Millisecond), EndsAt: issued.Add(30 * time.Millisecond),
		},
		reload: 3, globalEpoch: 4, refresh: 5,
	}
	if got, want := access.appendTo(nil), accessPayload(100, [3]uint64{1, 2, 3}, 1<<3, 'x', 1<<3|1, 'n', 1, 'v',
		1<<3|2, 'm', 1<<3|2, 'o', 1<<3|3, 'e', 1<<3|4, 'k', 1, 'w'); !slices.Equal(got, want) {
		t.Errorf("access ticket: % x; want % x", got, want)
	}
	for remember, flag := range map[bool]byte{false: 0, true: 1} {
		refresh := refreshTicket{generation: 5, remember: remember, issued: issued, expires: issued.Add(40 * time.Millisecond)}
		if got, want := refresh.appendTo(nil), refreshPayload(flag, 100, 4); !slices.Equal(got, want) {
			t.Errorf("refresh ticket: % x; want % x", got, want)
		}
	}
}

// The database's clock may be set back after the login. The times of the next ticket
// are then written as if the login had just happened.
func TestTicket_TimesInTheWrongOrderAreWrittenAsNone(t *testing.T) {
	issued := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	access := accessTicket{Session: Session{
		UserID: "7", AuthTime: issued.Add(time.Hour), IssuedAt: issued, ExpiresAt: issued.Add(-time.Hour), EndsAt: issued.Add(-time.Hour),
	}}
	var got accessTicket
	if err := got.parse(access.appendTo(nil)); err != nil {
		t.Fatal(err)
	}
	if !got.AuthTime.Equal(issued) || !got.ExpiresAt.Equal(issued) || !got.EndsAt.Equal(issued) {
		t.Errorf("got %+v; want %v for each time", got.Session, issued)
	}
	refresh := refreshTicket{issued: issued, expires: issued.Add(-time.Hour)}
	if err := refresh.parse(refresh.appendTo(nil)); err != nil || !refresh.expires.Equal(issued) {
		t.Errorf("got %+v, %v; want %v for each time", refresh, err, issued)
	}
}

// Requests share a decoded ticket, so a handler gets a deep copy.
func TestTicket_CopiesShareNothing(t *testing.T) {
	for _, roles := range [][]string{nil, {"a"}, {"a", "b", "c", "d"}, {"a", "b", "c", "d", "e"}} {
		ticket := accessTicket{Session: Session{UserID: "7", Roles: roles, Attrs: map[string]string{"n": "v"}}}
		var room [fewRoles]string
		var s Session
		s.Roles = ticket.copy(&s, room[:0])
		if !slices.Equal(s.Roles, roles) || (s.Roles == nil) != (roles == nil) || s.UserID != "7" || s.Attrs["n"] != "v" {
			t.Errorf("copy = %+v; want the roles %v", s, roles)
		}
		for i := range s.Roles {
			s.Roles[i] = "changed"
		}
		s.Attrs["n"] = "changed"
		if slices.Contains(ticket.Roles, "changed") || ticket.Attrs["n"] != "v" {
			t.Errorf("a change of the copy changed the ticket: %+v", ticket.Session)
		}
	}
}

// A child is bound to its parent and has an id of its own.
func TestTicket_ChildAnswersItsParent(t *testing.T) {
	now := time.Date(2026, 5, 6, 7, 8, 9, 123_456_789, time.UTC)
	parent := refreshTicket{root: [16]byte{1}, generation: 7, id: [16]byte{2}, parent: [16]byte{3}, remember: true}
	one, two := parent.child(now, time.Hour), parent.child(now, time.Hour)
	want := refreshTicket{
		root: parent.root, generation: 8, id: one.id, parent: parent.id, remember: true,
		issued: now.Truncate(10 * time.Millisecond), expires: now.Add(time.Hour).Truncate(10 * time.Millisecond),
	}
	if one != want {
		t.Errorf("child = %+v; want %+v", one, want)
	}
	if one.id == two.id || one.id == parent.id {
		t.Error("two tickets have one id")
	}
	parent.remember = false
	if parent.child(now, time.Hour).remember {
		t.Error("the child of a plain session is remembered")
	}
}

// The formats of tokens are fixed for the same reason: see TestTicket_WireFormatIsFixed.
func TestTicket_WireFormatOfTokensIsFixed(t *testing.T) {
	issued := time.Date(2025, 1, 1, 0, 0, 1, 0, time.UTC)
	proof := make([]byte, len(liveProof{}))
	access := accessTicket{Session: Session{UserID: "7", Client: "c", AuthTime: issued.Add(-10 * time.Millisecond), IssuedAt: issued,
		ExpiresAt: issued.Add(20 * time.Millisecond), EndsAt: issued.Add(30 * time.Millisecond)}, reload: 3, globalEpoch: 4, refresh: 5}
	head := binary.AppendUvarint(nil, 17<<3|6)
	want := accessPayload(100, [3]uint64{1, 2, 3}, append(append(head, proof...), 'c')...)
	if got := access.appendTo(nil); !slices.Equal(got, want) {
		t.Errorf("access token: % x; want % x", got, want)
	}
	if err := new(accessTicket).parse(want[:len(want)-1]); err == nil {
		t.Error("a token without a client is read")
	}
	noClient := accessPayload(100, [3]uint64{1, 2, 3}, append(binary.AppendUvarint(nil, 16<<3|6), proof...)...)
	if err := new(accessTicket).parse(noClient); err == nil {
		t.Error("a token with an empty client is read")
	}

	refresh := refreshTicket{generation: 5, client: "c", issued: issued, expires: issued.Add(40 * time.Millisecond)}
	want = append(refreshPayload(0, 100, 4), 'c')
	want[0] = 't'
	if got := refresh.appendTo(nil); !slices.Equal(got, want) {
		t.Errorf("refresh token: % x; want % x", got, want)
	}
	if err := new(refreshTicket).parse(want[:len(want)-1]); err == nil {
		t.Error("a refresh token without a client is read")
	}

	device := deviceTicket{client: "c", issued: issued, expires: issued.Add(40 * time.Millisecond)}
	want = append([]byte{'d'}, make([]byte, 32)...)
	want = append(want, 200, 1, 4, 'c') // 100 as a varint, 4 as a uvarint
	if got := device.appendTo(nil); !slices.Equal(got, want) {
		t.Errorf("device code: % x; want % x", got, want)
	}
}
