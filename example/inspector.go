package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// home shows the inspector: who the user is, how long the cookies last, and what the
// request has cost. It is public: visitors get a welcome. While the database does not answer,
// nobody knows who is a visitor.
func (a *app) home(c echo.Context) error {
	if err := a.guard.Err(c); errors.Is(err, session.ErrStoreUnavailable) {
		return err
	}
	s, ok := session.FromContext(c.Request().Context())
	if !ok {
		return render(c, http.StatusOK, "welcome", "Welcome", nil)
	}
	return render(c, http.StatusOK, "inspector", "Inspector", struct {
		Statements, Total int64
		Now, IdleEnd      time.Time
	}{statementsOf(c.Request().Context()), a.statements.Load(), time.Now(), a.idleEnd(s)})
}

// idleEnd returns when the session ends if there are no more requests. Only the refresh
// cookie says this exactly: the true time may be a little earlier.
func (a *app) idleEnd(s session.Session) time.Time {
	idle := a.opts.refreshTTL
	if s.EndsAt.Sub(s.AuthTime) > a.opts.maxLifetime {
		idle = rememberIdle
	}
	if end := s.IssuedAt.Add(idle); end.Before(s.EndsAt) {
		return end
	}
	return s.EndsAt
}

// apiSession tells programs who they are.
func (a *app) apiSession(c echo.Context) error {
	s := current(c)
	return c.JSON(http.StatusOK, map[string]any{
		"user_id":    s.UserID,
		"session_id": s.ID,
		"roles":      append([]string{}, s.Roles...), // [] in JSON, never null
		"auth_time":  s.AuthTime,
		"issued_at":  s.IssuedAt,
		"expires_at": s.ExpiresAt,
		"statements": a.statements.Load(), // of all requests to this process
	})
}

// health is for load balancers.
func (a *app) health(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), time.Second)
	defer cancel()
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	if err := a.db.PingContext(ctx); err != nil {
		return unavailable(err)
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

// statementsKey is where the context of a request has its counter.
type statementsKey struct{}

// countStatements counts what each request asks of the session store, and tells the
// client in a header. It stands before the guard, because the guard asks.
func countStatements(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx := context.WithValue(c.Request().Context(), statementsKey{}, new(atomic.Int64))
		c.SetRequest(c.Request().WithContext(ctx))
		c.Response().Before(func() {
			c.Response().Header().Set("Statements", strconv.FormatInt(statementsOf(ctx), 10))
		})
		return next(c)
	}
}

func statementsOf(ctx context.Context) int64 {
	if n, ok := ctx.Value(statementsKey{}).(*atomic.Int64); ok {
		return n.Load()
	}
	return 0
}

// countingStore counts the calls of requests. Each is one SQL statement; only a Create
// that refuses a login makes a second one. The calls of Manager.Run belong to no request
// and are not counted.
type countingStore struct {
	store.Store
	total *atomic.Int64
}

func (s countingStore) count(ctx context.Context) store.Store {
	if n, ok := ctx.Value(statementsKey{}).(*atomic.Int64); ok {
		n.Add(1)
		s.total.Add(1)
	}
	return s.Store
}

func (s countingStore) Create(ctx context.Context, n store.NewSession) error {
	return s.count(ctx).Create(ctx, n)
}
func (s countingStore) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	return s.count(ctx).Find(ctx, id)
}
func (s countingStore) Confirm(ctx context.Context, p store.PresentedTicket) (bool, error) {
	return s.count(ctx).Confirm(ctx, p)
}
func (s countingStore) RecordLate(ctx context.Context, p store.PresentedTicket) (bool, error) {
	return s.count(ctx).RecordLate(ctx, p)
}
func (s countingStore) RevokeReused(ctx context.Context, p store.PresentedTicket) (bool, error) {
	return s.count(ctx).RevokeReused(ctx, p)
}
func (s countingStore) Revoke(ctx context.Context, id store.ID, userID string, why store.Reason) (bool, error) {
	return s.count(ctx).Revoke(ctx, id, userID, why)
}
func (s countingStore) RevokeUser(ctx context.Context, r store.UserRevocation) (int, error) {
	return s.count(ctx).RevokeUser(ctx, r)
}
func (s countingStore) RevokeAll(ctx context.Context) error {
	return s.count(ctx).RevokeAll(ctx)
}
func (s countingStore) Update(ctx context.Context, id store.ID, data map[string]string) (bool, error) {
	return s.count(ctx).Update(ctx, id, data)
}

func (s countingStore) RefreshAll(ctx context.Context) error {
	return s.count(ctx).RefreshAll(ctx)
}
func (s countingStore) Reload(ctx context.Context, userID string, limit int) (int, error) {
	return s.count(ctx).Reload(ctx, userID, limit)
}
func (s countingStore) List(ctx context.Context, userID string, after store.ID, limit int) ([]store.Record, error) {
	return s.count(ctx).List(ctx, userID, after, limit)
}
func (s countingStore) Newest(ctx context.Context, userID string, nonInteractive bool, limit int) ([]store.Record, error) {
	return s.count(ctx).Newest(ctx, userID, nonInteractive, limit)
}
func (s countingStore) Changes(ctx context.Context, within time.Duration, after store.Cursor, limit int) (store.Changes, error) {
	return s.count(ctx).Changes(ctx, within, after, limit)
}
