package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// Identity is who the provider says that the user is.
type Identity struct {
	Issuer  string // Config.Issuer
	Subject string // never given to a second user of the issuer; at most 1,024 bytes, compared byte by byte

	id    *gooidc.IDToken
	token *oauth2.Token
}

// Claims decodes the claims of the ID token into a pointer to a struct or a map, as
// json.Unmarshal does. What they say is the provider's word, such as email_verified. Many
// providers tell what Config.Scopes ask for, such as the name, only at their userinfo endpoint:
// then it is missing here. Ask there with the UserInfo of go-oidc and Token, and compare its
// Subject.
func (i Identity) Claims(to any) error { return i.id.Claims(to) }

// Token returns what the provider's token endpoint has answered, with an access token for the
// provider's own APIs; nil after Bearer. The kit does not keep it. It is a secret.
func (i Identity) Token() *oauth2.Token { return i.token }

// Format prints the subject and the issuer, whatever the verb: no token ends up in a log.
func (i Identity) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "%s at %s", i.Subject, i.Issuer) }

// UnknownAuthTime is the Login.AuthTime of a user whose provider does not say when they
// logged in there: so long ago that RequireRecentLogin admits nobody by it.
var UnknownAuthTime = time.Unix(1, 0)

// facts are the claims that become facts of the session.
type facts struct {
	authTime  time.Time // UnknownAuthTime: not said
	acr       string
	amr       []string
	sid       string
	azp       string
	hasEvents bool // it is the claim of logout tokens and other security events
}

// factsOf reads the claims of an ID token. A claim of another type than the standard's counts as
// missing, because that gives no right; azp takes one away, so it must be text. The names are
// compared exactly.
func factsOf(id *gooidc.IDToken, latest time.Time) (facts, error) {
	var claims map[string]json.RawMessage
	if err := id.Claims(&claims); err != nil {
		return facts{}, err
	}
	for name := range claims {
		if i := slices.IndexFunc(checked, func(c string) bool { return strings.EqualFold(c, name) }); i >= 0 && checked[i] != name {
			return facts{}, fmt.Errorf("the claim %q looks like %s", clip(name), checked[i])
		}
	}
	var f facts
	if raw, ok := claims["azp"]; ok && !read(raw, &f.azp) {
		return facts{}, errors.New("azp is no text")
	}
	var amr []json.RawMessage
	read(claims["amr"], &amr)
	for _, raw := range amr {
		var method string
		if read(raw, &method) {
			f.amr = append(f.amr, method)
		}
	}
	read(claims["acr"], &f.acr)
	read(claims["sid"], &f.sid)
	_, f.hasEvents = claims["events"]
	f.authTime = authTime(claims["auth_time"], latest)
	return f, nil
}

// checked are the claims that go-oidc reads. encoding/json, by which it does, would take a claim
// Sub for sub, and users of a provider may choose the names of some claims.
var checked = []string{"iss", "sub", "aud", "exp", "iat", "nbf", "nonce", "at_hash"}

// read decodes a claim, if it has the type.
func read[T any](raw json.RawMessage, to *T) bool {
	var v T
	if json.Unmarshal(raw, &v) != nil {
		return false
	}
	*to = v
	return true
}

// authTime returns when the user proved who they are. It may have a fraction (RFC 7519, section
// 2), and some providers write it as text. A time after latest is nobody's login: it would count
// as recent without end.
func authTime(raw json.RawMessage, latest time.Time) time.Time {
	var number json.Number // also text that is a number
	read(raw, &number)
	seconds, err := number.Float64()
	if err != nil || seconds <= 0 || seconds >= float64(latest.Unix()+1) {
		return UnknownAuthTime
	}
	return time.Unix(int64(seconds), 0)
}

// complete adds to a Login what the provider says.
func (p *Provider) complete(login session.Login, f facts) session.Login {
	login.AuthTime = f.authTime
	login.Methods = p.methods(login.Methods, f)
	login.ExternalID = p.externalID(f.sid)
	return login
}

// methods adds the provider's methods to the app's. What is no method, or no longer fits, is
// left out: that takes rights away, and gives none.
func (p *Provider) methods(methods []string, f facts) []string {
	methods = slices.Clone(methods)
	size := len(strings.Join(methods, ","))
	add := func(method string) {
		if isMethod(method) && !slices.Contains(methods, method) && size+1+len(method) <= store.MaxMethods {
			methods = append(methods, method)
			size += 1 + len(method)
		}
	}
	for method, acr := range p.cfg.ACR {
		if acr == f.acr {
			add(method)
		}
	}
	for _, method := range f.amr {
		add(method)
	}
	return methods
}

// isMethod reports whether session.Login.Methods accepts a method.
func isMethod(method string) bool {
	return method != "" && !strings.ContainsFunc(method, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' })
}

// maxSID is how many bytes of a sid are kept as they are: it travels with each request. One
// with other characters than printable ASCII is hashed, too: PostgreSQL refuses a NUL.
const maxSID = 64

// externalID returns the Login.ExternalID of a session that the provider calls sid; empty: it
// has no name for it. It begins with the provider: another one may use the same name.
func (p *Provider) externalID(sid string) string {
	if len(sid) > maxSID || strings.ContainsFunc(sid, func(r rune) bool { return r < ' ' || r > '~' }) {
		sum := sha256.Sum256([]byte(sid))
		return p.key + "#" + base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return p.key + ":" + sid
}

// began reports whether a session began with this provider, by its ExternalID.
func (p *Provider) began(externalID string) bool {
	return strings.HasPrefix(externalID, p.key+":") || strings.HasPrefix(externalID, p.key+"#")
}
