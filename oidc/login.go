package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sessionkit/sessionkit/session"
)

// Guard is the part of a guard that Login and Callback use. A *nethttp.Guard is one.
type Guard interface {
	Issue(w http.ResponseWriter, r *http.Request, login session.Login) error
	ReturnTo(r *http.Request, fallback string) string
	WriteError(w http.ResponseWriter, r *http.Request, err error)
}

// Login returns the handler that sends the browser to the provider: see Begin. Errors are
// answered by guard.WriteError.
func (p *Provider) Login(guard Guard) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := p.Begin(w, r); err != nil {
			guard.WriteError(w, r, err)
		}
	})
}

// Callback returns the handler of Config.RedirectURL: it finishes the login (see Finish), begins
// the session, and sends the browser back to where it came from. Errors are answered by
// guard.WriteError; the session that the browser has then goes on.
func (p *Provider) Callback(guard Guard) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, err := p.Finish(w, r)
		if err == nil {
			if err = guard.Issue(w, r, login); err != nil {
				p.cfg.OnError(r, err)
			}
		}
		if err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, guard.ReturnTo(r, p.cfg.HomePath), http.StatusSeeOther)
	})
}

// Begin sends the browser to the provider, and sets a cookie that remembers the login. It reads
// what a guard tells the login page (nethttp.Config.LoginPath): next, the page to return to;
// reauth=1, which asks the provider for a new login (max_age=0 and prompt=login); method, which
// asks for one of Config.ACR. Anybody can write such a link: it can only make the login
// stricter. On an error nothing is written: pass it to guard.WriteError.
func (p *Provider) Begin(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	if r.Header.Get("X-Turbo-Request-Id") != "" || r.Header.Get("X-Up-Version") != "" {
		return writeGoOn(w)
	}
	to, err := p.begin(w, r)
	if err != nil {
		p.cfg.OnError(r, err)
		return refuse(err)
	}
	if r.Header.Get("HX-Request") == "true" {
		w.Header().Set("HX-Redirect", to)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// writeGoOn answers Turbo and Unpoly, which load pages by scripts: a script cannot follow a
// redirect to another site. Turbo loads this page again, as a whole; Unpoly shows it.
func writeGoOn(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err := io.WriteString(w, goOn)
	return err
}

const goOn = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="turbo-visit-control" content="reload">
<title>Log in</title>
<h1>Log in</h1>
<p><a href="" up-follow="false" data-turbo="false">Go on to log in</a></p>
</html>
`

func (p *Provider) begin(w http.ResponseWriter, r *http.Request) (string, error) {
	if session.IsPrefetch(r) {
		return "", errPrefetch
	}
	if p.cfg.RedirectURL == "" {
		return "", errors.New("oidc: Config.RedirectURL is empty: no browser can log in")
	}
	found, err := p.found.get()
	if err != nil {
		return "", err
	}
	f := flow{
		Provider: p.key,
		State:    rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Begun: time.Now().Unix(), Fresh: r.FormValue("reauth") == "1",
	}
	if next := r.FormValue("next"); len(next) <= maxNext {
		f.Next = next
	}
	options := []oauth2.AuthCodeOption{gooidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)}
	if f.Fresh {
		options = append(options, oauth2.SetAuthURLParam("max_age", "0"), oauth2.SetAuthURLParam("prompt", "login"))
	}
	if methods := askedFor(r.FormValue("method")); len(methods) > 0 {
		f.Methods = methods
		var acrs []string
		for _, method := range methods {
			if acr := p.cfg.ACR[method]; acr != "" {
				acrs = append(acrs, acr)
			}
		}
		if len(acrs) > 0 {
			options = append(options, oauth2.SetAuthURLParam("acr_values", strings.Join(acrs, " ")))
		}
	}
	if err := p.cookies.put(w, r, f); err != nil {
		return "", err
	}
	return found.oauth.AuthCodeURL(f.State, options...), nil
}

// maxMethods bounds the methods that a link to Begin may name.
const maxMethods = 5

// askedFor returns the methods in the query of a login page, which commas separate.
func askedFor(text string) (methods []string) {
	for method := range strings.SplitSeq(text, ",") {
		if isMethod(method) && len(method) <= 40 && len(methods) < maxMethods {
			methods = append(methods, method)
		}
	}
	return methods
}

// Finish ends what Begin has begun: it checks the provider's answer, exchanges the code, checks
// the ID token, and asks Config.User. Pass the Login to guard.Issue, and then send the browser
// to guard.ReturnTo: Finish has put the page to return to into r.Form, as the field next, and
// ReturnTo judges it as any other.
//
// On an error nobody is logged in: pass it to guard.WriteError. It calls the provider, for 10
// seconds at most. The login is over either way; a second answer to it is refused.
func (p *Provider) Finish(w http.ResponseWriter, r *http.Request) (session.Login, error) {
	w.Header().Set("Cache-Control", "no-store")
	login, next, err := p.finish(w, r)
	if err != nil {
		p.cfg.OnError(r, err)
		return session.Login{}, refuse(err)
	}
	r.Form = url.Values{"next": {next}}
	return login, nil
}

func (p *Provider) finish(w http.ResponseWriter, r *http.Request) (_ session.Login, next string, err error) {
	if session.IsPrefetch(r) || r.Method == http.MethodHead { // the page load that follows needs the code
		return session.Login{}, "", errPrefetch
	}
	query := r.URL.Query()
	f, ok := p.cookies.take(w, r, query.Get("state"))
	if !ok {
		return session.Login{}, "", ErrNoLogin
	}
	if f.Provider != p.key {
		return session.Login{}, "", fmt.Errorf("%w: it was begun with another provider", ErrNoLogin)
	}
	found, err := p.found.get()
	if err != nil {
		return session.Login{}, "", err
	}
	if err := p.checkAnswer(query, found); err != nil {
		return session.Login{}, "", err
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	token, err := p.exchange(ctx, found, query.Get("code"), f.Verifier)
	if err != nil {
		return session.Login{}, "", err
	}
	who, claims, err := p.verify(ctx, found, token, f)
	if err != nil {
		return session.Login{}, "", err
	}
	login, err := p.cfg.User(r.Context(), who)
	if err != nil {
		return session.Login{}, "", err
	}
	login = p.complete(login, claims)
	if err := f.isMet(login, p.cfg.ClockTolerance); err != nil {
		return session.Login{}, "", err
	}
	return login, f.Next, nil
}

// checkAnswer checks the parameters of the provider's answer.
func (p *Provider) checkAnswer(query url.Values, found *description) error {
	for _, name := range []string{"state", "code", "iss", "error"} {
		if len(query[name]) > 1 {
			return fmt.Errorf("%w: it has %s more than once", ErrInvalid, name)
		}
	}
	// A code of one provider must not come to another one (RFC 9207, section 2.4).
	if iss := query["iss"]; len(iss) == 0 && found.namesIss || len(iss) == 1 && iss[0] != p.cfg.Issuer {
		return fmt.Errorf("%w: it is the answer of another provider", ErrNoLogin)
	}
	if code := query.Get("error"); code != "" {
		return fmt.Errorf("%w: %q", ErrDenied, clip(code))
	}
	if query.Get("code") == "" {
		return fmt.Errorf("%w: it has no code; the provider must send it in the query", ErrInvalid)
	}
	return nil
}

// exchange gets the tokens for a code.
func (p *Provider) exchange(ctx context.Context, found *description, code, verifier string) (*oauth2.Token, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, bounded(p.cfg.Client, nil))
	token, err := found.oauth.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err == nil {
		return token, nil
	}
	// Its text has the whole answer.
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		if refused.Response != nil && (refused.Response.StatusCode >= 500 || refused.Response.StatusCode == http.StatusTooManyRequests) {
			return nil, fmt.Errorf("%w: the token endpoint answers %d", ErrUnavailable, refused.Response.StatusCode)
		}
		if refused.ErrorCode == "invalid_grant" {
			return nil, fmt.Errorf("%w: the token endpoint does not accept the code", ErrNoLogin)
		}
		return nil, fmt.Errorf("%w: the token endpoint says %q: are ClientID, ClientSecret and RedirectURL those of the provider?", ErrInvalid, clip(refused.ErrorCode))
	}
	if _, ok := errors.AsType[*url.Error](err); (ok || ctx.Err() != nil) && !errors.Is(err, errRedirect) {
		return nil, fmt.Errorf("%w: the token endpoint: %w", ErrUnavailable, brief(err))
	}
	return nil, fmt.Errorf("%w: the token endpoint: %w", ErrInvalid, brief(err))
}

// verify checks the ID token (OpenID Connect Core 1.0, section 3.1.3.7).
func (p *Provider) verify(ctx context.Context, found *description, token *oauth2.Token, f flow) (Identity, facts, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return Identity{}, facts{}, fmt.Errorf("%w: the token endpoint has sent no ID token", ErrInvalid)
	}
	id, err := found.idTokens.Verify(ctx, raw)
	if err != nil {
		return Identity{}, facts{}, fmt.Errorf("%w: the ID token: %w", ErrInvalid, brief(err))
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return Identity{}, facts{}, fmt.Errorf("%w: the ID token is that of another login", ErrInvalid)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return Identity{}, facts{}, fmt.Errorf("%w: the ID token: %w", ErrInvalid, err)
		}
	}
	who, claims, err := p.identify(id)
	who.token = token
	return who, claims, err
}

// maxSubject is in bytes. The standard has 255; some providers encode the name in a directory.
const maxSubject = 1024

// identify checks what go-oidc leaves to its callers, and returns who an ID token is about.
func (p *Provider) identify(id *gooidc.IDToken) (Identity, facts, error) {
	claims, err := factsOf(id, time.Now().Add(p.cfg.ClockTolerance))
	if err != nil {
		return Identity{}, facts{}, fmt.Errorf("%w: the claims of the ID token: %w", ErrInvalid, brief(err))
	}
	switch {
	case id.Subject == "":
		return Identity{}, facts{}, fmt.Errorf("%w: the ID token names no subject", ErrInvalid)
	case len(id.Subject) > maxSubject || strings.ContainsFunc(id.Subject, unicode.IsControl):
		return Identity{}, facts{}, fmt.Errorf("%w: the subject has %d bytes or control characters: no provider needs more than %d, and none of those", ErrInvalid, len(id.Subject), maxSubject)
	case claims.azp != "" && claims.azp != p.cfg.ClientID, claims.azp == "" && len(id.Audience) > 1:
		return Identity{}, facts{}, fmt.Errorf("%w: the ID token was issued to another app", ErrInvalid)
	case id.IssuedAt.After(time.Now().Add(p.cfg.ClockTolerance)):
		return Identity{}, facts{}, fmt.Errorf("%w: the ID token is from the future: compare the clocks of this machine and of the provider", ErrInvalid)
	}
	return Identity{Issuer: p.cfg.Issuer, Subject: id.Subject, id: id}, claims, nil
}

// isMet reports what a login lacks of what it was begun for.
func (f flow) isMet(login session.Login, tolerance time.Duration) error {
	if f.Fresh && login.AuthTime.Before(time.Unix(f.Begun, 0).Add(-tolerance)) {
		return fmt.Errorf("%w: auth_time is missing, or older than the request for a new login", ErrNotConfirmed)
	}
	if len(f.Methods) > 0 && !slices.ContainsFunc(f.Methods, func(method string) bool { return slices.Contains(login.Methods, method) }) {
		return fmt.Errorf("%w: neither amr nor acr has one of the methods %q", ErrNotConfirmed, f.Methods)
	}
	return nil
}
