package oidc

import (
	"errors"
	"net/http"
	"strings"
	"unicode"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// The errors of Begin and Finish. Each is a *nethttp.Refusal, with a text for the user, that Is
// one of these, or the error of Config.User.
var (
	// ErrNoLogin: this browser has not begun the login, or more than ten minutes ago, or it has
	// finished it already; or the answer is not the one of this provider.
	ErrNoLogin = errors.New("oidc: this browser has not begun this login")

	// ErrDenied: the provider says that the user is not logged in, for example because they
	// have refused.
	ErrDenied = errors.New("oidc: the identity provider has refused the login")

	// ErrNotConfirmed: the app needs a new password, or another method, and the provider has
	// not asked for it, or does not say so.
	ErrNotConfirmed = errors.New("oidc: the identity provider does not confirm what was asked for")

	// ErrInvalid: the provider's answer fails a check.
	ErrInvalid = errors.New("oidc: the answer of the identity provider is not valid")
)

// refusals are the answers to users, by error.
var refusals = []struct {
	is     error
	status int
	text   string
}{
	{ErrNoLogin, http.StatusBadRequest, "This login cannot be finished here: it was begun in another browser, has been finished before, or took longer than ten minutes. Please log in again."},
	{ErrDenied, http.StatusForbidden, "The identity provider did not log you in. Please log in again."},
	{ErrNotConfirmed, http.StatusForbidden, "The identity provider did not confirm who you are as strongly as this page needs it."},
	{ErrUnavailable, http.StatusServiceUnavailable, "The identity provider does not answer at the moment. Please try again in a few minutes. Whoever is logged in stays so."},
	{ErrInvalid, http.StatusBadGateway, "The identity provider's answer was not understood. Please log in again, and tell us if that does not help."},
	{errPrefetch, http.StatusServiceUnavailable, "This page cannot be loaded in advance: please open it."},
	{session.ErrUnauthenticated, http.StatusForbidden, "There is no account here for you."},
}

var errPrefetch = errors.New("oidc: a prefetch neither begins nor finishes a login")

// refuse returns the error for the user. An error that is none of these stays as it is.
func refuse(err error) error {
	for _, answer := range refusals {
		if errors.Is(err, answer.is) {
			return &nethttp.Refusal{Status: answer.status, Text: answer.text, Err: err}
		}
	}
	return err
}

// clip bounds a text of the provider's or of the browser's in an error.
func clip(text string) string { return text[:min(len(text), 100)] }

// brief bounds the text of an error of go-oidc or x/oauth2. It may have the whole answer of a
// provider, or a part of a token that a stranger has written, on any number of lines.
func brief(err error) error { return briefError{err} }

type briefError struct{ error }

const maxErrorText = 300 // bytes

func (e briefError) Unwrap() error { return e.error }

func (e briefError) Error() string {
	text := e.error.Error()
	if len(text) > maxErrorText {
		text = text[:maxErrorText] + " ..."
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
