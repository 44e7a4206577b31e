package oidc

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/crypto"
	zoidc "github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// zitadel is the server of github.com/zitadel/oidc, with a login page and a memory of who is
// logged in, which are the duties of those who use that library. The storage of its example keeps
// the access tokens.
type zitadel struct {
	*testing.T
	*storage.Storage
	front *gate
	apps  map[string]registration

	mu       sync.Mutex           // guards what follows
	keys     []*zitadelKey        // the newest is the first
	requests map[string]*zRequest // by id and by code
	sessions map[string]*zSession // by id, which is the value of the cookie and the claim sid
}

// zSession is a login at the provider, in one browser.
type zSession struct {
	id, user string
	at       time.Time
	apps     map[string]bool // where the user has logged in with it, by the id of the client
}

// zRequest is an authentication request.
type zRequest struct {
	*zoidc.AuthRequest
	id, code string
	session  zSession // of the user who has answered it
	done     bool
}

func (r *zRequest) GetID() string                       { return r.id }
func (r *zRequest) GetACR() string                      { return "urn:test:password" }
func (r *zRequest) GetAMR() []string                    { return []string{"pwd"} }
func (r *zRequest) GetAudience() []string               { return []string{r.ClientID} }
func (r *zRequest) GetAuthTime() time.Time              { return r.session.at }
func (r *zRequest) GetClientID() string                 { return r.ClientID }
func (r *zRequest) GetNonce() string                    { return r.Nonce }
func (r *zRequest) GetRedirectURI() string              { return r.RedirectURI }
func (r *zRequest) GetResponseType() zoidc.ResponseType { return r.ResponseType }
func (r *zRequest) GetResponseMode() zoidc.ResponseMode { return r.ResponseMode }
func (r *zRequest) GetScopes() []string                 { return r.Scopes }
func (r *zRequest) GetState() string                    { return r.State }
func (r *zRequest) GetSubject() string                  { return r.session.user }
func (r *zRequest) Done() bool                          { return r.done }
func (r *zRequest) GetCodeChallenge() *zoidc.CodeChallenge {
	if r.CodeChallenge == "" {
		return nil
	}
	return &zoidc.CodeChallenge{Challenge: r.CodeChallenge, Method: r.CodeChallengeMethod}
}

// zClient is a registration as the library asks for it.
type zClient struct {
	*storage.Client
	registration
}

func (c zClient) PostLogoutRedirectURIs() []string { return []string{c.loggedOut} }
func (c zClient) LoginURL(request string) string {
	return "/login?" + url.Values{"request": {request}}.Encode()
}

// zitadelKey is a key that signs tokens.
type zitadelKey struct {
	id      string
	private *ecdsa.PrivateKey
}

func (k *zitadelKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k *zitadelKey) Key() any                                    { return k.private }
func (k *zitadelKey) ID() string                                  { return k.id }

// publicKey is the key that is published.
type publicKey struct{ *zitadelKey }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.private.PublicKey }

// zUsers has everybody whose name is asked for.
type zUsers struct{}

func (zUsers) GetUserByID(id string) *storage.User {
	return &storage.User{ID: id, Username: id, FirstName: id, Email: id + "@test.invalid", EmailVerified: true}
}
func (zUsers) GetUserByUsername(name string) *storage.User { return zUsers{}.GetUserByID(name) }
func (zUsers) ExampleClientID() string                     { return "nobody" }

func startZitadel(t *testing.T, apps ...registration) provider {
	t.Helper()
	front, serve := startGate(t)
	z := &zitadel{
		T: t, front: front, apps: map[string]registration{},
		Storage:  storage.NewStorageWithClients(zUsers{}, nil),
		requests: map[string]*zRequest{}, sessions: map[string]*zSession{},
	}
	for _, a := range apps {
		z.apps[a.id] = a
	}
	z.rotate(true)
	config := &op.Config{
		CryptoKey: [32]byte([]byte(rand.Text() + rand.Text())), CryptoKeyId: "1", CodeMethodS256: true,
		DefaultLogoutRedirectURI: "/logged-out", BackChannelLogoutSupported: true, BackChannelLogoutSessionSupported: true,
	}
	server, err := op.NewProvider(config, z, op.StaticIssuer(front.url), op.WithAllowInsecure())
	if err != nil {
		t.Fatal(err)
	}
	answer := op.AuthCallbackURL(server)
	mux := http.NewServeMux()
	mux.Handle("/", server)
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		if z.login(w, r) {
			http.Redirect(w, r, answer(op.ContextWithIssuer(r.Context(), front.url), r.FormValue("request")), http.StatusSeeOther)
		}
	})
	mux.HandleFunc("/logout", z.logout)
	mux.HandleFunc("/logged-out", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "logged out\n") })
	serve(mux)
	return z
}

// login answers an authentication request, or asks for the user's name.
func (z *zitadel) login(w http.ResponseWriter, r *http.Request) (answered bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	request := z.requests[r.FormValue("request")]
	if request == nil {
		http.Error(w, "no such request", http.StatusNotFound)
		return false
	}
	var session *zSession
	if c, err := r.Cookie("provider"); err == nil {
		session = z.sessions[c.Value]
	}
	if name := r.PostFormValue("name"); name != "" {
		if session == nil || session.user != name {
			session = &zSession{id: rand.Text(), user: name, apps: map[string]bool{}}
			z.sessions[session.id] = session
		}
		session.at = time.Now()
		http.SetCookie(w, &http.Cookie{Name: "provider", Value: session.id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	} else if session == nil || request.MaxAge != nil && time.Since(session.at) >= time.Duration(*request.MaxAge)*time.Second {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!DOCTYPE html><title>Log in</title>
<form id="login" method="post"><label>Name <input name="name"></label> <button>Log in</button></form>`)
		return false
	}
	session.apps[request.ClientID] = true
	request.session, request.done = *session, true
	return true
}

// logout asks whether to end the browser's session, and does it.
func (z *zitadel) logout(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!DOCTYPE html><title>Log out</title><form id="logout" method="post"><button>Log out</button></form>`)
		return
	}
	if c, err := r.Cookie("provider"); err == nil {
		z.mu.Lock()
		session := z.sessions[c.Value]
		z.mu.Unlock()
		if session != nil {
			if _, err := z.end(r.Context(), session); err != nil {
				z.Errorf("the provider could not tell an app of a logout: %v", err)
			}
		}
	}
	// zitadel's library has compared the address with the registered ones, and an attacker is
	// not what these tests are about.
	http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusSeeOther)
}

func (z *zitadel) issuer() string { return z.front.url }
func (z *zitadel) gate() *gate    { return z.front }

func (z *zitadel) confirms(hint bool) string {
	if hint {
		return ""
	}
	return "Log out"
}

func (z *zitadel) rotate(drop bool) {
	z.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		z.Fatal(err)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if drop {
		z.keys = nil
	}
	z.keys = append([]*zitadelKey{{rand.Text(), private}}, z.keys...)
}

func (z *zitadel) endSessions(user string) (told int) {
	z.Helper()
	z.mu.Lock()
	var ended []*zSession
	for _, s := range z.sessions {
		if s.user == user {
			ended = append(ended, s)
		}
	}
	z.mu.Unlock()
	for _, s := range ended {
		n, err := z.end(z.Context(), s)
		if err != nil {
			z.Errorf("the provider could not tell an app that %s has logged out: %v", user, err)
		}
		told += n
	}
	return told
}

// end ends a session, and tells the apps by Back-Channel Logout. The library has the token for it.
func (z *zitadel) end(ctx context.Context, s *zSession) (told int, err error) {
	z.mu.Lock()
	delete(z.sessions, s.id)
	apps := slices.Collect(maps.Keys(s.apps))
	key := z.keys[0]
	z.mu.Unlock()
	signer, err := op.SignerFromKey(key)
	if err != nil {
		return 0, err
	}
	for _, id := range apps {
		to := z.apps[id].backChannel
		if to == "" {
			continue
		}
		token, err := crypto.Sign(zoidc.NewLogoutTokenClaims(z.front.url, s.user, zoidc.Audience{id}, time.Now().Add(2*time.Minute), rand.Text(), s.id, 0), signer)
		if err != nil {
			return told, err
		}
		answer, err := http.PostForm(to, url.Values{"logout_token": {token}})
		if err != nil {
			return told, err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return told, errors.New(answer.Status)
		}
		told++
	}
	return told, nil
}

// What follows is the storage of the library.

func (z *zitadel) CreateAuthRequest(_ context.Context, r *zoidc.AuthRequest, _ string) (op.AuthRequest, error) {
	request := &zRequest{AuthRequest: r, id: rand.Text()}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.requests[request.id] = request
	return request, nil
}

func (z *zitadel) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if r := z.requests[id]; r != nil && r.id == id {
		return r, nil
	}
	return nil, errors.New("no such request")
}

func (z *zitadel) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if r := z.requests[code]; r != nil && r.code == code {
		return r, nil
	}
	return nil, errors.New("no such code")
}

func (z *zitadel) SaveAuthCode(_ context.Context, id, code string) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	r := z.requests[id]
	if r == nil {
		return errors.New("no such request")
	}
	r.code = code
	z.requests[code] = r
	return nil
}

func (z *zitadel) DeleteAuthRequest(_ context.Context, id string) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if r := z.requests[id]; r != nil {
		delete(z.requests, r.code)
		delete(z.requests, id)
	}
	return nil
}

// TerminateSessionFromRequest is the end_session endpoint. With an ID token as the hint it ends the
// session at once. Without one, any site can have sent the browser: the user is asked.
func (z *zitadel) TerminateSessionFromRequest(ctx context.Context, r *op.EndSessionRequest) (string, error) {
	if r.IDTokenHintClaims == nil {
		return "/logout?" + url.Values{"to": {r.RedirectURI}}.Encode(), nil
	}
	sid, _ := r.IDTokenHintClaims.Claims["sid"].(string)
	sid = cmp.Or(sid, r.IDTokenHintClaims.SessionID)
	z.mu.Lock()
	s := z.sessions[sid]
	z.mu.Unlock()
	if s != nil {
		if _, err := z.end(ctx, s); err != nil {
			return "", err
		}
	}
	return r.RedirectURI, nil
}

func (z *zitadel) SigningKey(context.Context) (op.SigningKey, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.keys[0], nil
}

func (z *zitadel) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

func (z *zitadel) KeySet(context.Context) (published []op.Key, _ error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, k := range z.keys {
		published = append(published, publicKey{k})
	}
	return published, nil
}

func (z *zitadel) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	a, ok := z.apps[id]
	if !ok {
		return nil, fmt.Errorf("no client %q", id)
	}
	if a.secret == "" {
		return zClient{storage.NativeClient(id, a.callback), a}, nil
	}
	return zClient{storage.WebClient(id, a.secret, a.callback), a}, nil
}

func (z *zitadel) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if a, ok := z.apps[id]; !ok || a.secret == "" || a.secret != secret {
		return errors.New("wrong client or secret")
	}
	return nil
}

// SetUserinfoFromRequest sets the claims of an ID token.
func (z *zitadel) SetUserinfoFromRequest(_ context.Context, info *zoidc.UserInfo, r op.IDTokenRequest, _ []string) error {
	info.Subject = r.GetSubject()
	if request, ok := r.(*zRequest); ok {
		info.AppendClaims("sid", request.session.id)
	}
	return nil
}
