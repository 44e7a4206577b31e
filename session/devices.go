package session

import (
	"context"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// Device is what a user may see of one of their sessions. No cookie can be made
// from it.
type Device struct {
	ID         string    // of the session
	UserAgent  string    // as the browser gave it at login
	IP         string    // the network address at login
	CreatedAt  time.Time // the login
	LastSeenAt time.Time // the last confirmed refresh: up to AccessTTL ago for a device in use
	AuthTime   time.Time // when the user last proved who they are

	NonInteractive bool // a program logged in with the user's credentials: see Login.NonInteractive
}

// List returns the user's live sessions, the newest first. An error that Is
// ErrStoreUnavailable says that the store gave no answer.
func (m *Manager) List(ctx context.Context, userID string) ([]Device, error) {
	c := m.store.begin(ctx, nil)
	defer c.end()
	records, err := c.list(userID)
	if err != nil {
		return nil, err
	}
	devices := make([]Device, len(records))
	for i, row := range records {
		devices[i] = deviceOf(row)
	}
	return devices, nil
}

func deviceOf(row store.Record) Device {
	return Device{
		ID:         row.ID.String(),
		UserAgent:  row.UserAgent,
		IP:         row.IP,
		CreatedAt:  row.CreatedAt,
		LastSeenAt: row.ConfirmedAt,
		AuthTime:   row.AuthTime,

		NonInteractive: row.NonInteractive,
	}
}
