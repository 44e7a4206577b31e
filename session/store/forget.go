package store

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// ClientForgetter is a Store that can forget from where its sessions began. It is optional:
// without it session.New refuses Config.KeepClientFor. What Store says of its methods holds for
// this one, too.
type ClientForgetter interface {
	// ForgetClients looks at the limit sessions with the lowest IDs that follow after, in the
	// order of their bytes, whether they have ended or not. It empties UserAgent and IP of those
	// that began longer ago than age, and changes nothing else. It returns the last ID that it
	// looked at, from which the next call goes on, or the zero ID if there were less than limit.
	ForgetClients(ctx context.Context, age time.Duration, after ID, limit int) (last ID, err error)
}

// ForgetClients implements ClientForgetter.
func (s *Memory) ForgetClients(_ context.Context, age time.Duration, after ID, limit int) (last ID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page []*memoryRow
	for _, row := range s.sessions {
		if row.ID.String() > after.String() {
			page = append(page, row)
		}
	}
	slices.SortFunc(page, func(a, b *memoryRow) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	page = page[:min(max(0, limit), len(page))]
	before := clock().Add(-age)
	for _, row := range page {
		if row.CreatedAt.Before(before) {
			row.UserAgent, row.IP = "", ""
		}
	}
	if len(page) == 0 || len(page) < limit {
		return ID{}, nil
	}
	return page[limit-1].ID, nil
}
