package token

import (
	"errors"
	"net/http"

	"github.com/sessionkit/sessionkit/session"
)

var (
	// ErrInvalidClient says that the client is unknown, or that it has not proved who it is:
	// for Config.Client and Config.Service.
	ErrInvalidClient = errors.New("token: the client is unknown, or has not proved who it is")

	// ErrUnauthorizedClient says that the client may not send this request.
	ErrUnauthorizedClient = errors.New("token: the client may not do this")

	errGrantType = errors.New("token: no such grant type")
)

// invalidRequest says what is wrong with a request.
type invalidRequest string

func (e invalidRequest) Error() string { return "token: the request: " + string(e) }

// answers holds a row for each error that a client is told of: RFC 6749, section 5.2, and RFC
// 8628, section 3.5. The first row that matches counts, and an error without one is a
// server_error.
var answers = []struct {
	err    error
	status int
	code   string
	text   string
}{
	{ErrInvalidClient, http.StatusUnauthorized, "invalid_client", "The client is unknown, or has not proved who it is."},
	{ErrUnauthorizedClient, http.StatusBadRequest, "unauthorized_client", "The client may not do this."},
	{errGrantType, http.StatusBadRequest, "unsupported_grant_type", "This server knows refresh_token and the device code."},
	{session.ErrPending, http.StatusBadRequest, "authorization_pending", "The user has not decided yet."},
	{session.ErrSlowDown, http.StatusBadRequest, "slow_down", "Wait for 5 seconds more each time."},
	{session.ErrDenied, http.StatusBadRequest, "access_denied", "The user has refused."},
	{session.ErrExpired, http.StatusBadRequest, "expired_token", "The code has expired: begin again."},
	{session.ErrUnauthenticated, http.StatusBadRequest, "invalid_grant", "The token is not known, was issued to another client, or its session is over."},
	{session.ErrUserDisabled, http.StatusBadRequest, "invalid_grant", "This account cannot log in."},
	{session.ErrStoreUnavailable, http.StatusServiceUnavailable, "temporarily_unavailable", "Logins cannot be checked at the moment: try again with the same token."},
}

// retryAfter is in seconds.
const retryAfter = "2"

// WriteError answers with an error of session.Tokens, in the form that clients of OAuth expect
// (RFC 6749, section 5.2). It is for the app's own login of a client. The client is not shown
// the error. WriteError returns the error of the writer, if any.
func WriteError(w http.ResponseWriter, err error) error {
	status, code, text := answerTo(err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter) // RFC 7009, section 2.2.1
	}
	return writeJSON(w, status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, text})
}

func answerTo(err error) (status int, code, text string) {
	var fault invalidRequest
	if errors.As(err, &fault) {
		return http.StatusBadRequest, "invalid_request", string(fault)
	}
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return a.status, a.code, a.text
		}
	}
	return http.StatusInternalServerError, "server_error", "Something went wrong."
}

// fail answers with an error, and reports what the client is not told.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, _, _ := answerTo(err)
	switch {
	case status >= http.StatusInternalServerError:
		s.cfg.OnError(r, err)
	case status == http.StatusUnauthorized && r.Header.Get("Authorization") != "":
		w.Header().Set("WWW-Authenticate", `Basic realm="clients"`) // RFC 6749, section 5.2
	}
	_ = WriteError(w, err) // the client is gone
}
