package token

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/sessionkit/sessionkit/session"
)

// Device is the device authorization endpoint (RFC 8628, section 3.1): a device begins its
// login here, shows the user the code and the URL of Config.VerificationURI, and polls Token.
// On that page, behind a guard, the app shows what session.Tokens.FindDevice returns, and calls
// ApproveDevice or DenyDevice. Scopes are ignored.
//
// Without Config.VerificationURI the answer is a 500. 429 says that too many devices of the same
// network are waiting.
func (s *Server) Device(w http.ResponseWriter, r *http.Request) {
	client, ok := s.begin(w, r, s.cfg.Client)
	if !ok {
		return
	}
	if s.cfg.VerificationURI == "" {
		s.fail(w, r, errors.New("token: Config.VerificationURI is not set"))
		return
	}
	codes, err := s.tokens.BeginDevice(r, client)
	switch {
	case errors.Is(err, session.ErrSlowDown):
		w.Header().Set("Retry-After", "60")
		_ = writeJSON(w, http.StatusTooManyRequests, struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}{"temporarily_unavailable", "Too many devices of this network are waiting for their users."})
		return
	case err != nil:
		s.fail(w, r, err)
		return
	}
	uri := s.cfg.VerificationURI
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	_ = writeJSON(w, http.StatusOK, struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
		URI        string `json:"verification_uri"`
		Complete   string `json:"verification_uri_complete"`
		ExpiresIn  int64  `json:"expires_in"`
		Interval   int64  `json:"interval"`
	}{codes.DeviceCode, codes.UserCode, uri, uri + separator + url.Values{"user_code": {codes.UserCode}}.Encode(), seconds(codes.ExpiresIn), seconds(codes.Interval)})
}
