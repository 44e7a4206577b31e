package oidc

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/sessionkit/sessionkit/session"
)

// LogoutURL is nethttp.Config.LogoutURL, and that of the other guards: it returns the
// provider's logout page (OpenID Connect RP-Initiated Logout 1.0) for a request whose session
// has begun with this provider. It returns "" if it has not, if the provider has no such page
// (end_session_endpoint), or if nobody has logged in by it on this node yet and it does not
// answer within a second. With several providers, let the app's function ask one after the other.
//
// The page gets client_id, logout_hint with the sid, if the provider has told one, and
// Config.LogoutReturnURL. The kit does not keep the ID token, so there is no id_token_hint:
// providers ask the user whether to log out, since any site can send a browser to that page.
// A user who says no there is logged out of the app all the same.
func (p *Provider) LogoutURL(r *http.Request) string {
	s, ok := session.FromContext(r.Context())
	if !ok || !p.began(s.ExternalID) {
		return ""
	}
	found, err := p.found.getSoon() // the session ends after it
	if err != nil {
		p.cfg.OnError(r, err)
		return ""
	}
	to, err := url.Parse(found.endSession)
	if err != nil || found.endSession == "" {
		return ""
	}
	query := to.Query()
	query.Set("client_id", p.cfg.ClientID)
	if sid := strings.TrimPrefix(s.ExternalID, p.key+":"); sid != "" && sid != s.ExternalID {
		query.Set("logout_hint", sid)
	}
	if p.cfg.LogoutReturnURL != "" {
		query.Set("post_logout_redirect_uri", p.cfg.LogoutReturnURL)
	}
	to.RawQuery = query.Encode()
	return to.String()
}
