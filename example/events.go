package main

import (
	"context"
	"log/slog"

	"github.com/sessionkit/sessionkit/session"
)

// logEvent tells the operator what happens to sessions. An Event holds no secret.
func logEvent(e session.Event) {
	level := slog.LevelInfo
	switch e.Kind {
	case session.EventReuse, session.EventAhead:
		level = slog.LevelWarn
	case session.EventStoreTrouble:
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("kind", string(e.Kind))}
	if e.SessionID != "" {
		attrs = append(attrs, slog.String("session", e.SessionID))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	slog.LogAttrs(context.Background(), level, "session", attrs...)
}
