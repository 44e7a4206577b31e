package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
)

// With -oidc users can log in with an identity provider, and not only by password. The
// provider's logout ends their sessions here.

const (
	providerLogin    = "/login/provider"
	providerCallback = "/callback/provider"
	providerLogout   = "/backchannel-logout/provider"
)

// provider is what -oidc names.
type provider struct{ issuer, clientID, secret string }

func parseProvider(text string) (provider, error) {
	parts := strings.SplitN(text, ",", 3) // the secret may have commas
	if len(parts) != 3 {
		return provider{}, errors.New("-oidc wants an issuer, a client id and a secret, with commas between them: https://id.example.com,our-app,secret")
	}
	return provider{parts[0], parts[1], parts[2]}, nil
}

// newProvider returns nil if -oidc is not set.
func (a *app) newProvider(p *provider) (*oidc.Provider, error) {
	if p == nil {
		return nil, nil
	}
	return oidc.New(a.sessions, oidc.Config{
		Issuer:       p.issuer,
		ClientID:     p.clientID,
		ClientSecret: p.secret,
		RedirectURL:  a.url + providerCallback,
		Scopes:       []string{"profile"},
		User: func(ctx context.Context, who oidc.Identity) (session.Login, error) {
			u, err := a.identities.findOrCreate(ctx, who)
			if err != nil {
				return session.Login{}, err
			}
			tenant, err := a.tenants.choose(ctx, u.id, "")
			return session.Login{UserID: u.id, Epoch: u.epoch, Data: map[string]string{"tenant": tenant}}, err
		},
		FindUser: func(ctx context.Context, subject string) (string, error) {
			return a.identities.userID(ctx, p.issuer, subject)
		},
		LogoutReturnURL: a.url + "/",
		OnError:         func(r *http.Request, err error) { slog.Error("the provider", "path", r.URL.Path, "error", err) },
	})
}

// providerLink is the link of the login page, with the query that the page has got.
func (a *app) providerLink(r *http.Request) string {
	if a.provider == nil {
		return ""
	}
	query := url.Values{}
	for _, name := range []string{"next", "reauth", "method"} {
		if value := r.FormValue(name); value != "" {
			query.Set(name, value)
		}
	}
	return providerLogin + "?" + query.Encode()
}

// identityTable says which user a provider means by a subject.
type identityTable struct {
	db    database
	users userTable
}

// userID returns "" if the provider's user has never logged in here.
func (t identityTable) userID(ctx context.Context, issuer, subject string) (id string, err error) {
	err = t.db.one(ctx, `SELECT user_id FROM identities WHERE issuer = ? AND subject = ?`, []any{issuer, subject}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// findOrCreate does not look at the e-mail address: an address may be unverified, or belong to
// somebody else tomorrow. Two logins at once create one user, and perhaps a row that nobody
// uses.
func (t identityTable) findOrCreate(ctx context.Context, who oidc.Identity) (user, error) {
	id, err := t.userID(ctx, who.Issuer, who.Subject)
	if err != nil {
		return user{}, err
	}
	if id == "" {
		var more struct{ Name string }
		if err := who.Claims(&more); err != nil {
			return user{}, err
		}
		if id, err = t.create(ctx, who, more.Name); err != nil {
			return user{}, err
		}
	}
	return t.users.byID(ctx, id)
}

// create adds a user without a password, whose address is none.
func (t identityTable) create(ctx context.Context, who oidc.Identity, name string) (string, error) {
	address := fmt.Sprint(who)
	if name == "" {
		name = address
	}
	if err := t.db.add(ctx, "users", "email", `(email, password_hash, name) VALUES (?, '', ?)`, address, name); err != nil {
		return "", err
	}
	if err := t.db.add(ctx, "identities", "issuer", `(issuer, subject, user_id) SELECT ?, ?, id FROM users WHERE email = ?`, who.Issuer, who.Subject, address); err != nil {
		return "", err
	}
	return t.userID(ctx, who.Issuer, who.Subject)
}
