package storetest

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// RunAudit tests a store.AuditLog that keeps what it is told. newLog returns an empty log that
// keeps entries for an hour, and a function that reads its entries, the oldest first.
func RunAudit(t *testing.T, newLog func(t *testing.T) (log store.AuditLog, read func() []store.AuditEntry)) {
	at := time.Now().Add(-time.Minute).UTC().Truncate(time.Microsecond)
	long := strings.Repeat("ü", 127) + "x"
	entries := make([]store.AuditEntry, 100)
	for i := range entries {
		entries[i] = store.AuditEntry{ID: newID(), At: at.Add(time.Duration(i) * time.Microsecond), Action: store.AuditLogin, UserID: "1"}
	}
	entries[1] = store.AuditEntry{
		ID: newID(), At: entries[1].At, Action: store.AuditUserEnded, UserID: long, SessionID: newID(), Actor: long, ActorSession: newID(),
		IP: strings.Repeat("1", 45), UserAgent: long, Detail: `'"\%_; DROP TABLE 👾`,
	}
	for name, test := range map[string]func(t *testing.T, log store.AuditLog, read func() []store.AuditEntry){
		"Append keeps every entry as it is": func(t *testing.T, log store.AuditLog, read func() []store.AuditEntry) {
			for _, some := range [][]store.AuditEntry{nil, entries[:1], entries[1:]} {
				if err := log.Append(t.Context(), some); err != nil {
					t.Fatal(err)
				}
			}
			wantEntries(t, read(), entries)
		},
		"Append leaves known entries as they are": func(t *testing.T, log store.AuditLog, read func() []store.AuditEntry) {
			changed := entries[1]
			changed.Detail = "another"
			for _, some := range [][]store.AuditEntry{entries[:2], entries[:2], {changed}, entries[1:3]} {
				if err := log.Append(t.Context(), some); err != nil {
					t.Fatal(err)
				}
			}
			wantEntries(t, read(), entries[:3])
		},
		"Append adds entries of one moment": func(t *testing.T, log store.AuditLog, read func() []store.AuditEntry) {
			same := []store.AuditEntry{entries[0], entries[0]}
			same[1].ID = newID()
			if err := log.Append(t.Context(), same); err != nil {
				t.Fatal(err)
			}
			if got := read(); len(got) != 2 {
				t.Errorf("%d entries; want 2", len(got))
			}
		},
		"Prune removes what is too old, the oldest first": func(t *testing.T, log store.AuditLog, read func() []store.AuditEntry) {
			old := make([]store.AuditEntry, 3)
			for i := range old {
				old[i] = store.AuditEntry{ID: newID(), At: time.Now().Add(-time.Hour - time.Duration(3-i)*time.Second).UTC().Truncate(time.Microsecond), Action: store.AuditLogin}
			}
			if err := log.Append(t.Context(), append(old, entries[:2]...)); err != nil {
				t.Fatal(err)
			}
			for _, want := range []int{2, 1, 0} {
				if n, err := log.Prune(t.Context(), 2); n != want || err != nil {
					t.Errorf("Prune removed %d, %v; want %d", n, err, want)
				}
				if want == 2 {
					wantEntries(t, read(), append(old[2:], entries[:2]...))
				}
			}
			wantEntries(t, read(), entries[:2])
		},
	} {
		t.Run(name, func(t *testing.T) {
			log, read := newLog(t)
			test(t, log, read)
		})
	}
}

// wantEntries compares entries. A log may give them other IDs.
func wantEntries(t *testing.T, got, want []store.AuditEntry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d entries; want %d", len(got), len(want))
	}
	for i := range got {
		a, b := got[i], want[i]
		a.ID, b.ID = store.ID{}, store.ID{}
		if a != b {
			t.Fatalf("entry %d:\n got %+v\nwant %+v", i, a, b)
		}
	}
}

func newID() (id store.ID) {
	rand.Read(id[:])
	return id
}
