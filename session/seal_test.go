package session

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// anAccessTicket returns a ticket. The length of extra decides the base64 padding of
// its cookie.
func anAccessTicket(extra string) *accessTicket {
	issued := time.Date(2031, 2, 3, 4, 5, 6, 70_000_000, time.UTC)
	return &accessTicket{
		Session: Session{
			ID: store.ID{1, 2, 3}.String(), UserID: "42" + extra, Roles: []string{"a", ""}, Attrs: map[string]string{"n": "v\x00", "": "x"},
			AuthTime: issued.Add(-time.Hour), IssuedAt: issued, ExpiresAt: issued.Add(2 * time.Minute), EndsAt: issued.AddDate(1, 0, 0),
		},
		id: store.ID{1, 2, 3}, reload: 3, globalEpoch: 1 << 40,
	}
}

func makeSealers(t testing.TB, app string, texts ...string) (access, refresh *sealer) {
	t.Helper()
	keys, err := ParseKeys(strings.Join(texts, " "))
	if err != nil {
		t.Fatal(err)
	}
	if access, err = newSealer(keys, app, "access", time.Minute, func() {}); err != nil {
		t.Fatal(err)
	}
	if refresh, err = newSealer(keys, app, "refresh", 0, func() {}); err != nil {
		t.Fatal(err)
	}
	return access, refresh
}

func mustSeal(t testing.TB, s *sealer, name string, what ticket) string {
	t.Helper()
	value, err := s.seal(name, what)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func sameTicket(a, b *accessTicket) bool {
	return reflect.DeepEqual(a.Session, b.Session) && a.id == b.id && a.reload == b.reload && a.globalEpoch == b.globalEpoch &&
		a.refresh == b.refresh && a.over == b.over && a.reused == b.reused && a.origin == b.origin && a.live == b.live
}

func TestSealer_OpensWhatItSealed(t *testing.T) {
	access, refresh := makeSealers(t, "app", testKey)
	a := anAccessTicket("")
	var gotA accessTicket
	if !access.open("session", mustSeal(t, access, "session", a), &gotA) || !sameTicket(&gotA, a) {
		t.Errorf("got %+v; want %+v", gotA, *a)
	}
	r := refreshTicket{root: random16(), generation: 1 << 63, id: random16(), parent: random16(), remember: true, issued: a.IssuedAt, expires: a.EndsAt}
	var gotR refreshTicket
	if !refresh.open("refresh", mustSeal(t, refresh, "refresh", &r), &gotR) || gotR != r {
		t.Errorf("got %+v; want %+v", gotR, r)
	}
}

// A value that does not begin like a sealed one is refused before anything is decoded,
// hashed or allocated, however long it is.
func TestSealer_MalformedValueCostsNoAllocation(t *testing.T) {
	access, refresh := makeSealers(t, "app", testKey)
	for _, n := range []int{0, 4, 16, 400, 4000, 4096, 1 << 20} {
		value := strings.Repeat("QUJD", n/4)
		if made := testing.AllocsPerRun(100, func() {
			if access.open("session", value, new(accessTicket)) || refresh.open("refresh", value, nil) {
				t.Fatal("opened")
			}
		}); made > 1 { // the ticket that the value is decoded into
			t.Errorf("a malformed value of %d bytes: %v allocations; want none but the ticket", n, made)
		}
	}
}

// The MAC covers the name, so a value is good in the cookie that it was sealed for alone.
func TestSealer_ValueUnderAnotherNameIsNotOpened(t *testing.T) {
	_, refresh := makeSealers(t, "app", testKey)
	value := mustSeal(t, refresh, "refresh-0", &refreshTicket{root: random16(), issued: time.Now(), expires: time.Now()})
	for name, want := range map[string]bool{"refresh-0": true, "refresh-1": false, "": false} {
		if got := refresh.open(name, value, new(refreshTicket)); got != want {
			t.Errorf("under the name %q: opened: %v; want %v", name, got, want)
		}
	}
}

func TestSealer_CookieIsEncrypted(t *testing.T) {
	access, _ := makeSealers(t, "app", testKey)
	value := mustSeal(t, access, "session", anAccessTicket("-secret-user"))
	raw, err := base64.URLEncoding.DecodeString(value)
	if err != nil || strings.Contains(string(raw), "secret-user") {
		t.Errorf("%v; the user id can be read in the cookie", err)
	}
}

func TestSealer_KeyChangeInThreeStepsOpensEveryCookie(t *testing.T) {
	older, newer := GenerateKey(), GenerateKey()
	before, _ := makeSealers(t, "", older)
	step1, _ := makeSealers(t, "", older, newer)
	step2, _ := makeSealers(t, "", newer, older)
	step3, _ := makeSealers(t, "", newer)
	for _, c := range []struct {
		name      string
		from, to  *sealer
		wantOpens bool
	}{
		{"old node to step 1", before, step1, true}, {"step 1 to old node", step1, before, true},
		{"step 1 to 2", step1, step2, true}, {"step 2 to 1", step2, step1, true},
		{"step 2 to 3", step2, step3, true}, {"step 3 to 2", step3, step2, true},
		{"skipping step 1", step2, before, false}, {"dropped too early", step1, step3, false},
	} {
		if got := c.to.open("session", mustSeal(t, c.from, "session", anAccessTicket("")), new(accessTicket)); got != c.wantOpens {
			t.Errorf("%s: %v; want %v", c.name, got, c.wantOpens)
		}
	}
}

// Long cookies are not cached, so the memory of the cache is bounded.
func TestSealers_LongCookieIsNotCached(t *testing.T) {
	s, err := newSealerPair(parseKeys(t, GenerateKey()), "", false, windowsFor(2*time.Minute).sealedFor, func() {})
	if err != nil {
		t.Fatal(err)
	}
	now := stamp(time.Now())
	for n, want := range map[int]bool{1: true, 400: true, 1000: false} {
		ticket := &accessTicket{Session: Session{UserID: strings.Repeat("x", n), IssuedAt: now, AuthTime: now, ExpiresAt: now.Add(time.Hour), EndsAt: now.Add(time.Hour)}}
		value, err := s.access.seal("session", ticket)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, ok := s.openAccess("session", value); !ok || got.UserID != ticket.UserID {
				t.Errorf("a cookie of %d bytes is not opened", len(value))
			}
		}
		if _, ok := s.cache.get(value); ok != want {
			t.Errorf("a cookie of %d bytes is remembered: %v", len(value), ok)
		}
	}
}

// The keys are tried in their order, so a valid cookie costs as many MACs as the place
// of its key. Only the first key's cookies are not reported as those of an old key.
func TestSealer_TriesTheKeysInTheirOrder(t *testing.T) {
	texts := []string{testKey, GenerateKey(), GenerateKey()}
	all, _ := makeSealers(t, "", texts...)
	if n := len(all.codecs); n != len(texts) || n > maxKeys {
		t.Errorf("%d keys are tried; want %d", n, len(texts))
	}
	old := 0
	all.oldKey = func() { old++ }
	for i, text := range texts {
		one, _ := makeSealers(t, "", text)
		value := mustSeal(t, one, "session", anAccessTicket(""))
		for k, codec := range all.codecs {
			if opens := codec.Decode("session", value, new(accessTicket)) == nil; opens != (i == k) {
				t.Errorf("the cookie of key %d is opened by the key at place %d: %v", i, k, opens)
			}
		}
		before := old
		if !all.open("session", value, new(accessTicket)) || old-before != min(i, 1) {
			t.Errorf("the cookie of key %d: the old key was reported %d times; want %d", i, old-before, min(i, 1))
		}
	}
}
