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
	LastSeenAt time.Time // the last refresh that was written down: up to twice AccessTTL ago for a device in use
	AuthTime   time.Time // when the user last proved who they are

	NonInteractive bool // a program logged in with the user's credentials: see Login.NonInteractive

	Methods    []string          // how the user has proved who they are
	Actor      string            // the user who acts as this one: see Login.Actor; empty: nobody does
	ExternalID string            // what an identity provider calls the session; empty: nothing
	Client     string            // names the program that holds the session's tokens; empty: a browser holds its cookies
	Data       map[string]string // see Login.Data
}

// devicesPerPage is how many devices List returns at most.
const devicesPerPage = 100

// List returns the user's live sessions, the newest first, page by page. after is the
// ID of the last device of the previous page; empty: the first page. A page of
// fewer than 100 devices is the last one.
//
// It returns ErrNotFound if after is not a session of this user, or if its row has
// been removed since: begin again with the first page. It may be over. An error that Is
// ErrStoreUnavailable says that the store gave no answer.
func (m *Manager) List(ctx context.Context, userID, after string) ([]Device, error) {
	c := m.store.begin(ctx, nil)
	defer c.end()
	var last store.ID
	if after != "" {
		var err error
		if last, err = c.sessionOf(userID, after); err != nil {
			return nil, err
		}
	}
	records, err := c.list(userID, last, devicesPerPage)
	if err != nil {
		return nil, err
	}
	devices := make([]Device, len(records))
	for i, row := range records {
		devices[i] = deviceOf(row)
	}
	return devices, nil
}

// sessionOf returns the id of a session of the user, or ErrNotFound.
func (c *call) sessionOf(userID, sessionID string) (store.ID, error) {
	id, err := store.ParseID(sessionID)
	if err != nil {
		return store.ID{}, ErrNotFound
	}
	snap, err := c.find(id)
	if err != nil {
		return store.ID{}, err
	}
	if snap.Record == nil || snap.Record.UserID != userID {
		return store.ID{}, ErrNotFound
	}
	return id, nil
}

func deviceOf(row store.Record) Device {
	return Device{
		ID:         row.ID.String(),
		UserAgent:  row.UserAgent,
		IP:         row.IP,
		CreatedAt:  row.CreatedAt,
		LastSeenAt: row.LastSeenAt(),
		AuthTime:   row.AuthTime,

		NonInteractive: row.NonInteractive,

		Methods:    row.Methods,
		Actor:      row.Actor,
		ExternalID: row.ExternalID,
		Client:     row.Client,
		Data:       row.Data,
	}
}
