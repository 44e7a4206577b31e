package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sessionkit/sessionkit/session/store"
)

// factFaults names every fault of what a Login says about its session.
func (m *Manager) factFaults(login Login) error {
	var faults []error
	wrong := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("session: Login."+format, args...))
	}
	if err := methodsFault(login.Methods); err != nil {
		wrong("Methods: %w", err)
	}
	if len(login.ExternalID) > store.MaxExternalID {
		wrong("ExternalID has %d bytes: use at most %d", len(login.ExternalID), store.MaxExternalID)
	}
	if err := dataFault(login.Data); err != nil {
		wrong("Data: %w", err)
	}
	shortest := m.spans.of(login.Client).shortestIdle
	if d := login.IdleTimeout; d != 0 && d < shortest {
		wrong("IdleTimeout is %v: use at least twice AccessTTL, or TokenTTL for a token, %v", d, shortest)
	}
	if d := login.AbsoluteTimeout; d != 0 && d < shortest {
		wrong("AbsoluteTimeout is %v: use at least twice AccessTTL, or TokenTTL for a token, %v", d, shortest)
	}
	if login.Client != "" && (login.Actor != "" || login.NonInteractive || login.Remember) {
		wrong("Client is not for Actor, NonInteractive or Remember")
	}
	if len(login.Client) > store.MaxClient || !utf8.ValidString(login.Client) {
		wrong("Client has %d bytes: use at most %d of UTF-8", len(login.Client), store.MaxClient)
	}
	switch {
	case login.Actor == "":
	case len(login.Actor) > store.MaxActor:
		wrong("Actor has %d bytes: use at most %d", len(login.Actor), store.MaxActor)
	case login.Actor == login.UserID:
		wrong("Actor is UserID: nobody acts as themselves")
	case login.NonInteractive || login.Remember:
		wrong("Actor is not for NonInteractive or Remember")
	}
	return errors.Join(faults...)
}

// methodsFault says what is wrong with the methods of a session.
func methodsFault(methods []string) error {
	for _, method := range methods {
		if method == "" || strings.ContainsFunc(method, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' }) {
			return fmt.Errorf("%q is not a method: use printable ASCII without spaces and commas", clip(method, 40))
		}
	}
	if n := len(strings.Join(methods, ",")); n > store.MaxMethods {
		return fmt.Errorf("they have %d bytes with the commas between them: use at most %d", n, store.MaxMethods)
	}
	return nil
}

// dataFault says what is wrong with the data of a session. It does not quote them.
func dataFault(data map[string]string) error {
	for name, value := range data {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return errors.New("a name or a value is not UTF-8")
		}
	}
	text, err := json.Marshal(data)
	if err == nil && len(text) > store.MaxData {
		err = fmt.Errorf("they have %d bytes as JSON: use at most %d", len(text), store.MaxData)
	}
	return err
}
