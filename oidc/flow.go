package oidc

import (
	"bytes"
	"cmp"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

const (
	flowLifetime = 10 * time.Minute // how long a login at the provider may take
	maxFlows     = 5                // logins that one browser may have begun at once
	maxFlowBytes = 4096             // of their cookies: servers refuse requests with longer ones
	maxFlowsSeen = 20               // the others in a request are not opened: that costs CPU
	maxNext      = 1024             // bytes of the page to return to; a longer one is left out
	maxFlow      = 1600             // bytes of a flow, which may have next with escapes; then it is left out, too
	flowPurpose  = "oidc login"     // of session.Manager.Seal
)

// flow is a login that has begun. The browser keeps it, sealed.
type flow struct {
	Provider string   `json:"p"` // Provider.key
	State    string   `json:"s"`
	Nonce    string   `json:"n"`
	Verifier string   `json:"v"` // of PKCE
	Begun    int64    `json:"t"` // Unix time
	Next     string   `json:"r,omitempty"`
	Fresh    bool     `json:"f,omitempty"` // the user must prove anew who they are
	Methods  []string `json:"m,omitempty"` // one of them must be used
}

// encode leaves the & of a query as it is: json.Marshal would make it six times as long.
func (f flow) encode() ([]byte, error) {
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	err := to.Encode(f)
	return b.Bytes(), err
}

// flowCookies keeps flows in cookies: one for each, so that two tabs can log in at once. Its
// name has a part of the state, which the provider returns.
type flowCookies struct {
	sessions *session.Manager
	secure   bool // false: Config.RedirectURL is plain HTTP, on loopback
}

func (c flowCookies) prefix() string {
	if c.secure {
		return "__Host-Http-login-"
	}
	return "login-"
}

const stateInName = 10 // characters

func (c flowCookies) name(state string) string { return c.prefix() + state[:stateInName] }

// cookie is sent by browsers also when the provider sends them back, which is a navigation from
// another site: so SameSite is Lax.
func (c flowCookies) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// put adds a flow to the browser's, and drops the oldest if there are too many: each one
// makes every request of the browser longer.
func (c flowCookies) put(w http.ResponseWriter, r *http.Request, f flow) error {
	text, err := f.encode()
	if err == nil && len(text) > maxFlow {
		f.Next = ""
		text, err = f.encode()
	}
	if err != nil {
		return err
	}
	sealed, err := c.sessions.Seal(flowPurpose, text)
	if err != nil {
		return err
	}
	type kept struct {
		name  string
		begun int64
		size  int // bytes
	}
	var others []kept
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, c.prefix()) {
			old, _ := c.open(cookie.Value) // 0, the oldest, if nobody can use it
			others = append(others, kept{cookie.Name, old.Begun, len(cookie.Name) + len(cookie.Value)})
			if len(others) == maxFlowsSeen {
				break
			}
		}
	}
	slices.SortFunc(others, func(a, b kept) int { return cmp.Compare(b.begun, a.begun) })
	name := c.name(f.State)
	size := len(name) + len(sealed)
	for i, old := range others {
		size += old.size
		if i >= maxFlows-1 || size > maxFlowBytes || old.begun == 0 {
			http.SetCookie(w, c.cookie(old.name, "", -1))
		}
	}
	http.SetCookie(w, c.cookie(name, sealed, int(flowLifetime.Seconds())))
	return nil
}

// take returns the flow of a state, and removes it from the browser.
func (c flowCookies) take(w http.ResponseWriter, r *http.Request, state string) (flow, bool) {
	if len(state) < stateInName {
		return flow{}, false
	}
	cookies := r.CookiesNamed(c.name(state))
	for _, cookie := range cookies[:min(len(cookies), maxFlowsSeen)] {
		f, ok := c.open(cookie.Value)
		if ok && subtle.ConstantTimeCompare([]byte(f.State), []byte(state)) == 1 {
			http.SetCookie(w, c.cookie(cookie.Name, "", -1))
			return f, true
		}
	}
	return flow{}, false
}

func (c flowCookies) open(sealed string) (f flow, ok bool) {
	text, ok := c.sessions.Open(flowPurpose, sealed, flowLifetime)
	if !ok || json.Unmarshal(text, &f) != nil {
		return flow{}, false
	}
	return f, true
}
